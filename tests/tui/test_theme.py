"""The looks: every text can be read on whatever it may stand on, in every theme.

The reckoning is that of WCAG 2.2, "Contrast (Minimum)", done here from its own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.color import Color, ColorSystem
from rigs.screens import Driver, bringup, drive

from lapis_tui.blocks.lines import ROLES, Line
from lapis_tui.config import fields
from lapis_tui.layouts import LAYOUTS
from lapis_tui.panes.base import LinePane
from lapis_tui.theme import THEMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.segment import Segment
    from rich.style import Style

LEAST = {"dark": 4.5, "light": 4.5, "high-contrast": 7.0}
"""Contrast of text, by theme of fixed colours."""
RULE = 3.0
"""For what is no text, of WCAG 2.2 "Non-text Contrast"."""
UNDER = ("", "cursor", "here")
"""Roles of a whole line, beneath those of its spans."""


def _luminance(colour: Color) -> float:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(v) for v in colour.get_truecolor())
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _ratio(one: Color, other: Color) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _contrast(style: Style, system: ColorSystem = ColorSystem.TRUECOLOR) -> float:
    """Return the ratio of a text to its ground, as a terminal of `system` has them."""
    assert style.color is not None
    assert style.bgcolor is not None
    assert not style.dim
    return _ratio(style.color.downgrade(system), style.bgcolor.downgrade(system))


def test_the_configuration_knows_every_theme() -> None:
    assert tuple(THEMES) == fields.THEMES


def test_the_configuration_knows_every_role() -> None:
    theme = THEMES["dark"]
    for role in fields.ROLES:
        own = theme.variables.get(f"lapis-{role}")
        assert (own or getattr(theme, role)).startswith("#")


def test_the_reckoning_is_that_of_wcag() -> None:
    black, white, grey = map(Color.parse, ("#000000", "#ffffff", "#777777"))
    assert _ratio(black, white) == pytest.approx(21)
    assert _ratio(grey, white) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", LEAST)
def test_every_role_can_be_read_on_every_ground(theme: str) -> None:
    async def play(it: Driver) -> None:
        await it.command(f"theme {theme}")
        grounds = set()
        for pane in it.app.screen.query(LinePane):
            grounds.add(pane.background_colors[1].hex)
            for role in ("", *(r for r in ROLES if r not in UNDER)):
                for under in UNDER:
                    look = pane.look_of(f"{role} {under}")
                    least = RULE if role == "rule" else LEAST[theme]
                    assert _contrast(look) >= least, (pane.id, role, under)
                    least = RULE if role == "rule" else 4.5
                    of_256 = _contrast(look, ColorSystem.EIGHT_BIT)
                    assert of_256 >= least, (pane.id, role, under)
        assert len(grounds) == (1 if theme == "high-contrast" else 2)

    drive(bringup(), play)


def _segments(it: Driver) -> Iterator[Segment]:
    for strip in it.app.screen._compositor.render_strips():
        yield from strip


def _check(it: Driver, least: float, where: str) -> int:
    """Hold every text on the screen to its contrast; return how many there were."""
    count = 0
    for text, style, _ in _segments(it):
        if not text.strip() or style is None:
            continue
        is_text = any(map(str.isalnum, text))
        count += is_text
        found = _contrast(style)
        assert found >= (least if is_text else RULE), (
            where,
            text,
            f"{found:.2f}",
            style,
        )
    return count


@pytest.mark.parametrize("theme", LEAST)
def test_every_text_on_every_screen_can_be_read(theme: str) -> None:
    least = LEAST[theme]

    async def play(it: Driver) -> None:
        await it.command(f"theme {theme}")
        await it.press("c")
        for layout in LAYOUTS:
            it.app.main.show_layout(layout)  # the terminal takes keys for the guest
            await it.press()
            assert _check(it, least, layout.name) > 20
            it.app.main.toggle_zoom()
            await it.press()
            _check(it, least, f"{layout.name}, enlarged")
            it.app.main.toggle_zoom()
        it.app.main.show_layout(LAYOUTS[0])
        await it.press("i")
        _check(it, least, "inject")
        await it.press("tab", "tab", "escape", "f1")
        _check(it, least, "help")
        await it.press("escape", "q")
        _check(it, least, "quit?")
        await it.press("n")
        await it.command("irq why 0x31")
        _check(it, least, "a sheet")
        await it.press("escape", "colon")
        await it.type("ste")
        _check(it, least, "a suggestion")
        await it.press("escape", "ctrl+p")
        await it.until(lambda: "Search" in it.text)
        _check(it, least, "palette")

    drive(bringup(), play)


@pytest.mark.parametrize("theme", LEAST)
def test_what_is_selected_can_be_read(theme: str) -> None:
    async def play(it: Driver) -> None:
        await it.command(f"theme {theme}")
        style = it.app.screen.get_component_rich_style("screen--selection")
        assert _contrast(style) >= LEAST[theme]

    drive(bringup(), play)


def test_the_terminals_own_colours_are_taken_as_they_are() -> None:
    async def play(it: Driver) -> None:
        await it.command("theme terminal")
        await it.press("c", "7")
        for _, style, _ in _segments(it):
            assert style is not None
            for colour in (style.color, style.bgcolor):
                assert colour is None or colour.is_system_defined or colour.is_default
        pane = it.app.screen.query_one("#events", LinePane)
        bare, coloured = pane.look_of("cursor"), pane.look_of("bad cursor")
        assert bare.reverse
        assert (coloured.color, coloured.bgcolor) == (bare.color, bare.bgcolor)
        assert pane.strip_of(Line("x", "bad"), 1)._segments[0].style != bare

    drive(bringup(), play)


POINTING = {"▸", ">", "[", "*"}
"""Signs of a row, or of a part of one, that the keys are about."""


def _pointed(it: Driver) -> list[tuple[str, str]]:
    """Return each row in view whose ground means something, with its pane."""
    found = []
    for pane in it.app.screen.query(LinePane):
        if pane.region.height and pane.is_on_screen:
            for number in range(pane.size.height):
                line = pane.line_at(number + pane.scroll_offset.y)
                if line is not None and line.role:
                    found.append((f"{pane.id}", line.plain))
    return found


def test_a_row_under_a_cursor_has_a_sign_as_well() -> None:
    async def play(it: Driver) -> None:
        panes: set[str] = set()

        def check() -> None:
            for pane, text in _pointed(it):
                panes.add(pane)
                is_signed = text[0] in POINTING or text[1:2] in POINTING or "[" in text
                assert is_signed, (pane, text)

        await it.press("c")
        for layout in LAYOUTS:
            if layout.first in {"terminal", "plugged"}:
                continue
            it.app.main.show_layout(layout)
            await it.press()
            for pane in list(it.app.main.places.boxes):
                it.app.main.focus_pane(pane)
                await it.press()
                await it.press("j", "k")
                check()
        await it.command("goto #5")
        it.app.main.show_layout(LAYOUTS[0])
        await it.press()
        check()
        rows = [row for row in it.rows if "ICR" in row or "IPI" in row]
        assert any("·" in row[:3] for row in rows), rows
        assert {"events", "ioapic", "memory", "walk", "acts"} <= panes

    drive(bringup(), play, (160, 48))
