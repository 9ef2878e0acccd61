"""A pane paints each line once, as it would be painted anew, and asks for no more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.app import App
from textual.geometry import Offset

from lapis_tui.blocks.lines import Line
from lapis_tui.filter import VISIBLE
from lapis_tui.looks import LooksApp
from lapis_tui.panes import base
from lapis_tui.panes.base import LinePane
from lapis_tui.theme import DEFAULT, LIGHT, THEMES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    import pytest
    from textual.filter import LineFilter
    from textual.pilot import Pilot
    from textual.strip import Strip


class OnePane(App[None]):
    """A pane, and how often it has painted a line."""

    COMPONENT_CLASSES = LooksApp.COMPONENT_CLASSES
    DEFAULT_CSS = LooksApp.DEFAULT_CSS.replace("LooksApp", "OnePane")

    def __init__(self) -> None:
        super().__init__()
        self.pane = LinePane("title", id="one")
        self.made: list[str] = []
        make = self.pane._strip

        def counted(line: Line, width: int) -> Strip:
            self.made.append(line.plain)
            return make(line, width)

        self.pane._strip = counted  # type: ignore[method-assign]

    def compose(self) -> Iterator[LinePane]:
        yield self.pane

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), VISIBLE]

    def on_mount(self) -> None:
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = DEFAULT

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return THEMES[DEFAULT].variables


def shown(steps: Callable[[OnePane, Pilot[None]], Awaitable[None]]) -> None:
    async def run() -> None:
        app = OnePane()
        async with app.run_test(size=(40, 10)) as pilot:
            await steps(app, pilot)

    asyncio.run(run())


def row(pane: LinePane, y: int) -> Strip:
    """Return a row as the screen gets it."""
    return pane.render_lines(pane.size.region)[y]


def test_a_line_that_comes_again_is_not_painted_again() -> None:
    async def steps(app: OnePane, pilot: Pilot[None]) -> None:
        app.pane.show([Line("one", "good"), Line("two")])
        await pilot.pause()
        app.made.clear()
        for text in ("three", "two", "three", "two"):
            app.pane.show([Line("one", "good"), Line(text)])
            await pilot.pause()
            assert row(app.pane, 1).text.strip() == text
        assert app.made == ["three"]

    shown(steps)


def test_the_same_words_in_another_role_are_another_line() -> None:
    async def steps(app: OnePane, pilot: Pilot[None]) -> None:
        looks = set()
        for role in ("", "good", "bad", "title"):
            app.pane.show([Line("word", role)])
            await pilot.pause()
            style = next(iter(row(app.pane, 0))).style
            looks.add(str(style))
        whole = Line("word")
        whole.role = "cursor"
        app.pane.show([whole])
        await pilot.pause()
        looks.add(str(next(iter(row(app.pane, 0))).style))
        assert len(looks) == 5

    shown(steps)


def test_another_theme_paints_every_line_anew() -> None:
    async def steps(app: OnePane, pilot: Pilot[None]) -> None:
        app.pane.show([Line("word", "good")])
        await pilot.pause()
        before = next(iter(row(app.pane, 0))).style
        app.theme = LIGHT.name
        await pilot.pause()
        after = next(iter(row(app.pane, 0))).style
        assert str(before) != str(after)

    shown(steps)


def test_what_the_mouse_is_at_is_known_though_it_is_not_painted() -> None:
    async def steps(app: OnePane, pilot: Pilot[None]) -> None:
        app.pane.show([Line("zero"), Line("one ").add("two", "good")])
        await pilot.pause()
        painted = row(app.pane, 1)
        assert not any(segment.style and segment.style.meta for segment in painted)
        widget, offset = app.screen.get_widget_and_offset_at(5, 1)
        assert (widget, offset) == (app.pane, Offset(5, 1))

    shown(steps)


def test_the_lines_that_are_kept_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST_STRIPS", 20)

    async def steps(app: OnePane, pilot: Pilot[None]) -> None:
        for number in range(100):
            app.pane.show([Line(f"line {number}")])
            await pilot.pause()
            assert row(app.pane, 0).text.strip() == f"line {number}"
            assert len(app.pane._strips) <= 20

    shown(steps)


def test_what_no_terminal_may_get_is_in_no_line_and_no_title() -> None:
    async def steps(app: OnePane, pilot: Pilot[None]) -> None:
        line = Line("good")
        line.spans.append(("\x1b[31m", ""))  # as if it had not been made visible
        app.pane.styles.border = ("round", "red")
        app.pane.call("a\x1b]0;title\x07")
        app.pane.show([line])
        await pilot.pause()
        text = "".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "good" in text
        assert "\x1b" not in text
        assert "\x07" not in text

    shown(steps)
