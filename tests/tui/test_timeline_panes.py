"""Replaying by keys: the transport, the seek bar, notes and acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.screens import Driver, bringup, drive

from lapis_plugins.host import discover
from lapis_sessions.gallery import catalog
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.timeline import learning
from lapis_tui.panes.acts import ActsPane
from lapis_tui.panes.boot import BootPane
from lapis_tui.panes.seek import SeekPane

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_tui.view import View


def scenario(name: str = "ap-bringup") -> Session:
    """Return a scenario's recording as `lapis replay` opens it."""
    extensions = discover().extensions
    found = catalog.find(name, extensions.scenarios)
    recording = reader.read(str(found.path(found.tape())))
    session = replaying.session_of(recording, extensions)
    learning.learn(session.timeline)
    session.read_only = True
    return session


@pytest.mark.parametrize("keys", [("c",) * 12, ("shift+right",) * 12, ("end",)])
def test_keys_replay_the_recorded_answer_to_the_same_end(keys: tuple[str, ...]) -> None:
    session = scenario()

    async def play(it: Driver) -> None:
        for key in keys:
            await it.press(key)
        assert it.view.now.ahead is None
        assert "device says 0x1234" in it.text
        assert it.view.now.history.read_only

    drive(session, play, (200, 60))


def test_arrows_go_from_event_to_event_and_back() -> None:
    async def play(it: Driver) -> None:
        for seq in range(6):
            before = it.view.now.events_total
            await it.press("right")
            assert it.view.now.events_total > max(before, seq)
        before = it.view.now.events_total
        await it.press("left")
        assert it.view.now.events_total < before
        await it.press("home")
        assert it.view.now.events_total == 0
        assert it.view.now.now == 0

    drive(scenario(), play)


def test_brackets_go_to_the_next_and_the_last_of_a_kind() -> None:
    async def play(it: Driver) -> None:
        await it.press("right", "right_square_bracket", "right_square_bracket")
        kinds = [each.event.kind for each in it.view.events]
        assert kinds.count("mode") == 3
        assert kinds[-1] == "mode"
        await it.press("left_square_bracket")
        assert [e.event.kind for e in it.view.events].count("mode") == 2

    drive(scenario(), play)


def test_before_the_first_event_there_is_no_kind_and_no_place() -> None:
    async def play(it: Driver) -> None:
        await it.press("right_square_bracket")
        assert "the cursor is on no event" in it.rows[-2]
        assert "end of main" not in it.rows[-2]
        await it.go("events")
        await it.press("enter")
        assert "the cursor is on no event" in it.rows[-2]
        assert it.view.now.now == 0

    drive(scenario(), play)


def test_a_recording_is_read_only_until_f() -> None:
    async def play(it: Driver) -> None:
        await it.press("right", "right")
        total = it.view.now.events_total
        await it.command("ipi nmi --to 0 --from 1")
        assert "read only" in it.text
        assert it.view.now.events_total == total
        assert "R/O" in it.rows[0]
        await it.press("F")
        assert "R/O" not in it.rows[0]
        assert it.view.now.branch == "branch-1"
        await it.command("ipi nmi --to 0 --from 1")
        assert it.view.now.events_total > total
        await it.command("branch main")
        assert "device says 0x1234" in it.text

    drive(scenario(), play, (200, 60))


def test_space_plays_and_pauses_and_comes_to_the_end() -> None:
    async def play(it: Driver) -> None:
        await it.press("space")
        assert it.view.play is not None
        await it.press("full_stop")  # faster
        assert "▶ play 8/s" in it.rows[0]
        await it.until(lambda: it.view.now.ahead is None and it.view.play is None)
        assert "device says 0x1234" in it.text
        await it.press("space")
        assert "nothing lies ahead on main" in it.text

    drive(scenario(), play, (200, 60))


def test_a_click_on_the_seek_bar_goes_there() -> None:
    async def play(it: Driver) -> None:
        bar = it.app.query_one(SeekPane)
        await it.pilot.click(SeekPane, offset=(bar.size.width // 2, 0))
        await it.press()
        middle = it.view.now.events_total
        assert 10 <= middle <= 20
        assert it.rows[1].count("┃") == 1
        await it.pilot.click(SeekPane, offset=(7, 0))
        await it.press()
        assert it.view.now.events_total == 0

    drive(scenario(), play)


def test_a_lesson_asks_and_tells_whether_it_was_right() -> None:
    async def play(it: Driver) -> None:
        await it.press("7")
        await it.go("notes")
        await it.press("enter")
        assert "note 1 of 5" in it.text
        note = it.view.now.history.notes[0]
        assert note.ask
        assert not any(row.startswith(" = ") for row in it.rows)
        await it.press("y", "enter")
        assert "type what you expect" in it.rows[-1]
        await it.type("nonsense")
        await it.press("enter")
        assert "notes, 0 of 1 right" in it.text
        assert f"= {note.answer} (no: you said nonsense)" in it.text
        await it.press("enter", "y")
        await it.type(it.view.now.history.notes[1].answer)
        await it.press("enter")
        assert "notes, 1 of 2 right" in it.text

    drive(scenario(), play, (120, 40))


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_acts_stand_with_what_is_ahead(size: tuple[int, int]) -> None:
    async def play(it: Driver) -> None:
        await it.press("7")
        await it.go("acts")
        assert "acts of main" in it.text
        assert "act 0 of 7" in it.text
        await it.press("down", "down", "enter")
        assert it.view.now.history.done == 2
        assert all(len(row) <= size[0] for row in it.rows)

    drive(scenario(), play, size)


@pytest.mark.parametrize("size", [(80, 25), (120, 40), (200, 60)])
def test_acts_are_gone_through_from_the_first_to_the_last(
    size: tuple[int, int],
) -> None:
    session = bringup()
    for number in range(500):
        assert session.execute("step" if number % 2 else f"quantum {number + 1}").ok

    async def play(it: Driver) -> None:
        def chosen() -> str:
            pane = it.app.query_one(ActsPane)
            return next((r.plain for r in pane.lines if r.role == "cursor"), "")

        async def is_at(number: int, text: str) -> None:
            await it.until(lambda: f" {number}  " in chosen())
            assert text in chosen()

        await it.press("7")
        await it.go("acts")
        assert "acts of main: 500 of 500" in it.text
        await it.press("g")
        await is_at(1, "set_quantum quantum=1")
        await it.press("slash", "2", "5", "1", "enter")
        await is_at(251, "set_quantum quantum=251")
        await it.press("down")
        await is_at(252, "step")
        await it.press("slash", "5", "0", "1", "enter")
        assert "act 501: main has 1 to 500" in it.text
        await it.press("escape", "G")
        await is_at(500, "step")
        await it.press("pageup", "up")
        page = it.app.query_one(ActsPane).size.height - 1
        await is_at(499 - page, "quantum" if page % 2 == 0 else "step")
        await it.press("enter")
        assert it.view.now.history.done == 499 - page
        assert f"acts of main: {499 - page} of 500" in it.text

    drive(session, play, size)


def test_a_branch_is_a_mark_on_the_row_that_it_leaves() -> None:
    async def play(it: Driver) -> None:
        await it.press("c", "left", "left", "F", "s", "7")
        await it.command("branch main")
        assert "branch" in it.text
        assert "└──" in it.text

    drive(bringup(), play, (120, 40))


def test_jump_mode_goes_to_the_pane_of_the_letter() -> None:
    async def play(it: Driver) -> None:
        await it.press("ctrl+o")
        await it.pilot.pause()
        row = next(row for row in it.rows if "] events" in row)
        letter = row[row.index("] events") - 1]
        await it.press(letter)
        assert it.app.focused is not None
        assert it.app.focused.id == "events"
        assert "[" + letter + "]" not in it.text

    drive(bringup(), play)


def test_a_pane_that_raises_is_replaced_by_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def update(self: BootPane, view: View) -> None:  # noqa: ARG001
        raise RuntimeError("no luck")

    monkeypatch.setattr(BootPane, "update", update)

    async def play(it: Driver) -> None:
        await it.press("3")
        assert "this pane failed: RuntimeError: no luck" in it.text
        await it.press("s")
        assert it.view.now.now == 1
        await it.press("1")
        assert "local APICs" in it.text

    drive(bringup(), play)
