"""The history of the command line keeps what was typed last, and no more."""

from __future__ import annotations

from lapis_tui.panes.command import History


def test_the_history_keeps_its_newest_thousand_lines() -> None:
    history = History()
    for number in range(2_500):
        history.add(f"step {number}")
    assert len(history.lines) == 1000
    assert history.move(-1, "draft") == "step 2499"
    assert history.move(-5_000, "") == "step 1500"
    assert history.move(5_000, "") == "draft"
    assert history.latest("step 1499") is None
