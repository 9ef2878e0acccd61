"""The scenario gallery: what it asserts holds, and would be seen if it did not.

Where a recording is not what its scenario makes now, the engine, a guest or the text
has changed: `python tests/sessions/build_gallery.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rigs.session_files import DEVICES

from lapis_engine.errors import LapisError
from lapis_sessions import files
from lapis_sessions.gallery import catalog, check, recipe, render, walk
from lapis_sessions.gallery.catalog import Expectation, Point, Scenario, ScenarioError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.edit.compose import compose
from lapis_sessions.recording.format import reader, writer
from lapis_sessions.recording.format.reader import Recording
from lapis_sessions.timeline import again as slices

NAMES = [
    "ap-bringup", "freebsd-13.1", "illumos-12936", "illumos-12960", "illumos-12989",
    "illumos-13139", "illumos-13253", "illumos-13645", "level-without-eoi", "lost-sipi",
    "priority-inversion", "rep-to-lapic", "three-answers",
]  # fmt: skip
REPLAYED = {"illumos-13253", "three-answers"}
"""More than one recording, and more than one branch."""
REBUILD = "python tests/sessions/build_gallery.py"
SMALL = 16 << 10
"""Bytes of a recording at most."""

KNOWN = DEVICES.scenarios
each = pytest.mark.parametrize("name", NAMES)


def changed(
    scenario: Scenario, change: Callable[[Point], Point], tapes: slice = slice(None)
) -> Scenario:
    """The scenario with other points; `tapes` says of which recordings it has any."""
    found = [
        msgspec.structs.replace(tape, points=[change(point) for point in tape.points])
        for tape in scenario.tapes[tapes]
    ]
    return msgspec.structs.replace(scenario, tapes=found)


def other(expectation: Expectation) -> Expectation:
    """What does not hold where the expectation does."""
    wrong: Any = expectation.value
    if isinstance(wrong, bool):
        wrong = not wrong
    elif isinstance(wrong, int):
        wrong += 1
    elif isinstance(wrong, str):
        wrong += "?"
    else:
        wrong = [*wrong, 0xFF]
    return msgspec.structs.replace(expectation, value=wrong)


def test_the_gallery_has_these_scenarios() -> None:
    assert list(KNOWN) == NAMES
    assert [scenario.name for scenario in catalog.everything(KNOWN)] == NAMES


@each
def test_a_scenario_replays_and_all_that_it_asserts_holds(name: str) -> None:
    scenario = catalog.find(name, KNOWN)
    report = check.check(scenario, DEVICES)
    assert report.failures == []
    points = [point for tape in scenario.tapes for point in tape.points]
    assert report.held == sum(len(point.expect) for point in points)
    assert report.hashes >= len(scenario.tapes)
    assert all(point.expect for point in points)
    assert scenario.questions


@each
def test_every_assertion_can_fail(name: str) -> None:
    scenario = catalog.find(name, KNOWN)

    def spoil(point: Point) -> Point:
        return msgspec.structs.replace(point, expect=[other(e) for e in point.expect])

    report = check.check(changed(scenario, spoil), DEVICES)
    wanted = [
        (f"{tape.name}, point {number}: {expectation.command}: ", expectation.what)
        for tape in scenario.tapes
        for number, point in enumerate(tape.points, 1)
        for expectation in point.expect
    ]
    assert report.held == 0
    assert len(report.failures) == len(wanted)
    for failure, (where, what) in zip(report.failures, wanted, strict=True):
        assert failure.startswith(f"{where}{what} is ")
        assert " and not " in failure


def contents(recording: Recording) -> object:
    """All that is in it, apart from the versions of who wrote it."""
    head = msgspec.structs.replace(recording.header, lapis="", unicorn="")
    return head, recording.branches, recording.last.name, recording.complete


@each
def test_a_recording_is_what_its_scenario_makes(name: str, tmp_path: Path) -> None:
    scenario = catalog.find(name, KNOWN)
    for made in recipe.make(scenario, DEVICES, tmp_path):
        kept = catalog.home() / made.name
        assert kept.stat().st_size < SMALL
        same = contents(reader.read(str(made))) == contents(reader.read(str(kept)))
        assert same, f"{made.name} is out of date; run {REBUILD} {name}"


def test_no_recording_is_left_over_from_another_scenario() -> None:
    wanted = {s.path(tape) for s in catalog.everything(KNOWN) for tape in s.tapes}
    assert set(catalog.home().glob("*.lapis")) == wanted


def test_making_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in REPLAYED:
        scenario = catalog.find(name, KNOWN)
        first = [path.read_bytes() for path in recipe.make(scenario, DEVICES, tmp_path)]
        again = recipe.make(scenario, DEVICES, tmp_path)
        assert [path.read_bytes() for path in again] == first


@pytest.mark.parametrize("name", ["ap-bringup", "illumos-13645", "three-answers"])
def test_how_fast_it_is_made_changes_no_byte(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = catalog.find(name, KNOWN)
    first = [path.read_bytes() for path in recipe.make(scenario, DEVICES, tmp_path)]
    # A machine so slow that every slice is the shortest, and is hashed and written.
    monkeypatch.setattr(slices, "QUICK", 0.0)
    monkeypatch.setattr(slices, "SLOW", 0.0)
    monkeypatch.setattr(slices, "LEAST", 10)
    monkeypatch.setattr(writer, "SECONDS", -1.0)
    monkeypatch.setattr(writer, "PATIENCE", 0)
    again = recipe.make(scenario, DEVICES, tmp_path)
    assert [path.read_bytes() for path in again] == first


def test_another_answer_in_a_copy_is_a_divergence(tmp_path: Path) -> None:
    scenario = catalog.find("three-answers", KNOWN)
    tape = scenario.tapes[0]
    recording = reader.read(str(scenario.path(tape)))
    branch = recording.branches[1]
    rows = [
        msgspec.structs.replace(row, args=row.args | {"value": 1})
        if row.verb == "answer" else row
        for row in branch.acts
    ]  # fmt: skip
    branches = [*recording.branches]
    branches[1] = replace(branch, acts=rows)
    files.write(str(scenario.path(tape, tmp_path)), compose(recording.header, branches))
    failures = check.check(scenario, DEVICES, tmp_path).failures
    assert failures[0].startswith("branches: branch-1 diverges after act ")
    assert failures[0].endswith(REBUILD)


def test_another_text_than_that_of_the_recording_is_refused(tmp_path: Path) -> None:
    scenario = catalog.find("lost-sipi", KNOWN)

    def reword(point: Point) -> Point:
        return msgspec.structs.replace(point, text=f"{point.text} Or so.")

    failures = check.check(changed(scenario, reword), DEVICES).failures
    assert failures == [
        f"sdm: lost-sipi: lost-sipi-sdm.lapis was made from another text: {REBUILD}"
    ]
    missing = check.check(scenario, DEVICES, tmp_path).failures
    assert "lost-sipi-sdm.lapis is missing" in missing[0]


def test_a_command_that_would_move_the_machine_is_not_done() -> None:
    scenario = catalog.find("lost-sipi", KNOWN)

    def meddle(point: Point) -> Point:
        expectation = Expectation(command="step", what="result", value=0)
        return msgspec.structs.replace(point, show=["run"], expect=[expectation])

    report = check.check(changed(scenario, meddle), DEVICES)
    assert report.held == 0
    assert report.failures[:2] == [
        "sdm, point 1: run: run changes the machine, and a point is only looked at",
        "sdm, point 1: step: step changes the machine, and a point is only looked at",
    ]
    assert len(report.failures) == 2 * 3


def test_what_cannot_be_asked_is_a_failure_and_not_an_error() -> None:
    session = open_session(SessionOptions(), DEVICES)
    rows = [
        ("apic 9", "result", 0, "vCPU 9"),
        ("apic 0", "result.tpi", 0, "there is no .tpi"),
        ("apic 0", "open('x')", 0, "there is no function 'open'"),
        ("apic 0", "result.tpr", False, "result.tpr is 0 and not False"),
        ("apic 0", "result.tpr == 0", 1, "is True and not 1"),
        ("apic 0", "result.tpr", 0, ""),
    ]
    for command, what, value, why in rows:
        expectation = Expectation(command=command, what=what, value=value)
        found = check.found(session, expectation)
        assert (why in found) if why else not found


@pytest.mark.parametrize(
    ("command", "branch", "why"),
    [
        ("ipi sipi 0x100", "main", "'ipi sipi 0x100'"),
        ("run 10", "branch-1", "is said to be of branch 'branch-1' and is of 'main'"),
    ],
)
def test_a_recipe_that_fails_says_where(
    command: str, branch: str, why: str, tmp_path: Path
) -> None:
    def spoil(point: Point) -> Point:
        return msgspec.structs.replace(point, do=[command], branch=branch)

    scenario = changed(catalog.find("lost-sipi", KNOWN), spoil)
    with pytest.raises(ScenarioError, match=r"^lost-sipi: ") as error:
        recipe.make(scenario, DEVICES, tmp_path)
    assert why in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("title = 1", "Expected `str`"),
        ("title =", "scenario 'x': "),
        ('wonder = "x"', "unknown field `wonder`"),
    ],
)
def test_a_file_that_is_no_scenario_is_told(
    text: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as error:
        catalog.read(path)
    assert why in str(error.value)


def test_an_unknown_scenario_is_told_with_the_nearest() -> None:
    with pytest.raises(LapisError, match="did you mean lost-sipi"):
        catalog.find("lost-sippy", KNOWN)
    with pytest.raises(LapisError, match=r"there are ap-bringup, freebsd-13\.1"):
        catalog.find("../x", KNOWN)


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("0x70", True), ("112", True), (" 0x70. ", True), ("0x71", False), ("", False),
        ("70", False), ("seventy", False),
    ],
)  # fmt: skip
def test_a_number_is_right_however_it_is_written(given: str, *, right: bool) -> None:
    point = Point(do=[], text="", ask="?", answer="0x70")
    assert walk.is_right(point, given) is right


def test_words_are_right_in_any_case_and_by_another_name() -> None:
    point = Point(do=[], text="", ask="?", answer="send again", accept=["once more"])
    assert [walk.is_right(point, t) for t in ("Send  again!", "Once more")] == [
        True
    ] * 2
    assert not walk.is_right(point, "again")
    said = render.answer(point, "again", right=False)
    assert said.strip() == "You said 'again'. It is send again."


def test_a_tour_stands_where_each_text_was_written() -> None:
    scenario = catalog.find("three-answers", KNOWN)
    visits = [
        (visit.point.branch, visit.session.timeline.branch.name,
         visit.session.execute("console").result)
        for visit in walk.tour(scenario, scenario.tapes[0], DEVICES)
    ]  # fmt: skip
    assert visits == [
        ("main", "main", ""), ("main", "main", "ready"),
        ("branch-1", "branch-1", "absent"), ("branch-2", "branch-2", ""),
    ]  # fmt: skip
