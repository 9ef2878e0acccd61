"""Lessons: a replayed scenario asks, knows every right answer and why, and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.screens import Driver, drive, look

from lapis_plugins.host import discover
from lapis_sessions.gallery import catalog, lesson
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording
from lapis_tui.blocks.lines import plain
from lapis_tui.panes import notes

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.gallery.catalog import Scenario, Tape
    from lapis_sessions.session import Session

EXTENSIONS = discover().extensions
KNOWN = EXTENSIONS.scenarios
TAPES = [
    pytest.param(scenario, tape, id=f"{scenario.name}-{tape.name}")
    for scenario in catalog.everything(KNOWN)
    for tape in scenario.tapes
]


def replayed(path: Path) -> Session:
    """Return a recording as `lapis replay` opens it."""
    session = replaying.session_of(reader.read(str(path)), EXTENSIONS)
    found = lesson.of_file(str(path), KNOWN)
    assert found is not None
    lesson.teach(session, found[1])
    session.read_only = True
    return session


def test_of_files_only_those_of_scenarios_have_a_lesson(tmp_path: Path) -> None:
    scenario = catalog.find("illumos-13253", KNOWN)
    tape = scenario.tape("between")
    assert lesson.of_file(str(scenario.path(tape)), KNOWN) == (scenario, tape)
    assert lesson.of_file(str(tmp_path / scenario.path(tape).name), KNOWN) is None
    assert lesson.of_file(str(scenario.path(tape).parent / "x.lapis"), KNOWN) is None


@pytest.mark.parametrize(("scenario", "tape"), TAPES)
def test_every_question_is_landed_on_with_all_that_its_scenario_knows(
    scenario: Scenario, tape: Tape
) -> None:
    session = replayed(scenario.path(tape))
    session.read_only = False
    asked = [point for point in tape.points if point.ask]
    met = []
    for name, branch in session.timeline.branches.items():
        for number, note in enumerate(branch.notes, 1):
            view = look(session, f"branch {name}", f"goto note {number}")
            assert view.now.history.here.retired == note.retired
            at = notes.here(view)
            assert at >= number  # of several at one point the last is shown
            assert view.now.history.notes[at - 1][:2] == note[:2]
            if note.ask:
                met.append((note.text, note.accept, note.because))
            if at == number and note.ask:
                shown = plain(notes.render(view, {at: note.answer}, (200, 30)))
                assert note.ask in shown
                assert f"= {note.answer} (right)" in shown
    assert sorted(met) == sorted((p.text, tuple(p.accept), p.because) for p in asked)


def test_an_accepted_answer_is_right_and_it_is_told_why_and_counted() -> None:
    scenario = catalog.find("ap-bringup", KNOWN)
    first = scenario.tape().points[0]
    assert "waiting" in first.accept
    assert first.answer != "waiting"

    async def play(it: Driver) -> None:
        await it.press("7")
        await it.go("notes")
        assert "notes, 3 questions" in it.text
        assert it.rows[-1].startswith(" ] next  y answer")
        await it.press("enter", "y")
        await it.type("waiting")
        await it.press("enter")
        text = " ".join(it.text.replace("│", " ").split())
        assert "notes, 1 of 1 right, 2 to come" in it.text
        assert f"{first.answer} (right)" in text
        assert first.because in text
        await it.press("y", *"halted", "enter")  # the first answer counts
        assert "notes, 1 of 1 right, 2 to come" in it.text
        await it.press("enter", "y")
        await it.type("0x9000")
        await it.press("enter")
        assert "0x8000 (no: you said 0x9000)" in it.text
        await it.press("enter", "y", *"isr", "enter")
        assert "notes, 2 of 3 right: that was all" in it.text

    drive(replayed(scenario.path(scenario.tape())), play, (200, 60))


@pytest.mark.parametrize("name", ["ap-bringup", "three-answers"])
def test_notes_go_on_into_a_new_recording(name: str, tmp_path: Path) -> None:
    scenario = catalog.find(name, KNOWN)
    path, new = scenario.path(scenario.tape()), tmp_path / "new.lapis"
    session = replayed(path)
    session.read_only = False
    session.timeline.switch("main")
    start_recording(session, str(new))
    assert session.execute("annotate more --ask why --answer because").ok
    assert session.execute("fork").ok
    assert session.execute("nmi 0").ok
    session.close()
    before, after = reader.read(str(path)), reader.read(str(new))
    was = {b.name: [n.text for n in b.notes] for b in before.branches}
    now = {b.name: [n.text for n in b.notes] for b in after.branches}
    assert now["main"] == [*was["main"], "more"]
    (forked,) = set(now) - set(was)
    assert now[forked] == []  # those before the fork are of main
    assert {b: texts for b, texts in now.items() if b not in {"main", forked}} == {
        b: texts for b, texts in was.items() if b != "main"
    }
    again = replaying.session_of(after, EXTENSIONS)
    assert replaying.verify(again, after).divergence is None
    for branch in before.branches:
        found = again.timeline.branches[branch.name].notes[: len(branch.notes)]
        assert [(n.retired, n.ask, n.answer) for n in found] == [
            (n.retired, n.ask, n.answer) for n in branch.notes
        ]
