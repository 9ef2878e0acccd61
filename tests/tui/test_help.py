"""F1 explains the pane in focus and its keys, on a screen of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.screens import Driver, bringup, drive

from lapis_tui.bindings import written
from lapis_tui.blocks.lines import plain
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.ours import PANES
from lapis_tui.panes.pending import AnswerField
from lapis_tui.panes.plugged import PluggedPane
from lapis_tui.screens.help import HelpScreen, about, render

if TYPE_CHECKING:
    from textual.widget import Widget

KINDS = (*PANES, PluggedPane)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("width", [58, 76])
def test_every_pane_explains_itself_and_its_keys_and_nothing_is_cut(
    kind: type[Widget], width: int
) -> None:
    found = about(kind.__new__(kind))
    assert found is not None
    assert len(found.text) > 40
    assert found.text.endswith(".")
    for keys, text in found.keys:
        assert text, keys
        assert "_" not in keys, keys
    lines = render((), found, (width, 20))
    assert max(line.width for line in lines) <= width
    shown = " ".join(plain(lines).split())
    assert f"This pane: {found.title}" in shown
    assert " ".join(found.text.split()) in shown


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("left_square_bracket", "["), ("right_square_bracket,enter", "] Enter"),
        ("k,up", "k ↑"), ("ctrl+d,pagedown", "Ctrl-D PgDn"), ("G", "G"),
        ("shift+left", "Shift-←"), ("escape", "Esc"), ("f11", "F11"),
    ],
)  # fmt: skip
def test_keys_are_written_for_people(keys: str, words: str) -> None:
    assert written(keys) == words


@pytest.mark.parametrize("size", [(80, 25), (200, 60)])
def test_f1_begins_with_the_pane_in_focus_of_every_layout(
    size: tuple[int, int],
) -> None:
    async def play(it: Driver) -> None:
        explained = set()  # a pane that other layouts have too is explained once
        await it.press("c")
        for layout in "1234567":
            await it.press(layout)
            seen = set()
            while it.app.main.focused_name not in seen:
                name = it.app.main.focused_name
                seen.add(name)
                found = about(it.app.focused)
                assert found is not None, name
                if name not in explained:
                    explained.add(name)
                    await it.press("f1")
                    assert isinstance(it.app.screen, HelpScreen)
                    assert f"This pane: {found.title}" in it.text
                    await it.press("escape")
                await it.press("tab")

    drive(bringup(), play, size)


def test_in_the_field_for_an_answer_it_explains_the_requests() -> None:
    async def play(it: Driver) -> None:
        await it.press("1", "c", "a")
        assert isinstance(it.app.focused, AnswerField)
        await it.press("f1")
        assert "This pane: pending" in it.text
        first = it.app.screen.query(LinePane).first().lines[1].plain
        assert "What the guest asks" in first

    drive(bringup(), play, (80, 25))
