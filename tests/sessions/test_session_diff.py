"""Where two recordings, two branches or two profiles first differ."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rigs.session_files import (
    ANSWERED,
    DEVICES,
    Taped,
    written,
)

from lapis_sessions.errors import RecordingError
from lapis_sessions.plain import plain
from lapis_sessions.recording.compare import diff, fields
from lapis_sessions.recording.compare import view as views_diff
from lapis_sessions.recording.compare.diff import Side
from lapis_sessions.recording.format.reader import RecordedBranch
from lapis_sessions.recording.play import named
from lapis_sessions.recording.play.named import Named
from lapis_sessions.session import Session


def test_a_recording_is_equal_to_itself_and_to_another_of_the_same_acts(
    taped: Taped,
) -> None:
    one, other = taped(), taped(name="b.lapis")
    for side in (one, other):
        found = diff.compare(Side(one), Side(side), DEVICES)
        assert found.is_equal
        assert found.digests[0] == found.digests[1]


def flipped(one: Named, path: Path) -> Named:
    """Return a copy in which the answer is 0x1235, all else as it was."""
    rows = list(one.branch.acts)
    where = next(i for i, row in enumerate(rows) if row.verb == "answer")
    assert rows[where].args["value"] == 0x1234
    args = {**rows[where].args, "value": 0x1235}
    rows[where] = msgspec.structs.replace(rows[where], args=args)
    copy = RecordedBranch("main", "", rows)
    recording = written(path, one.recording.header, copy)
    return Named(recording, recording.branches[0])


def test_one_flipped_answer_is_named_exactly(taped: Taped, tmp_path: Path) -> None:
    one = taped()
    other = flipped(one, tmp_path / "flipped.lapis")
    found = diff.compare(Side(one), Side(other), DEVICES)
    assert not found.is_equal
    assert not found.header
    assert found.acts is not None
    assert found.acts.a is not None
    assert found.acts.b is not None
    assert found.acts.a.row.args["value"] == 0x1234
    assert found.acts.b.row.args["value"] == 0x1235
    number = found.acts.b.number
    assert other.branch.acts[number - 1].verb == "answer"
    assert found.events is not None
    view = plain(views_diff.comparison(found))
    assert view["event"]["a"]["kind"] == view["event"]["b"]["kind"] == "answer"
    assert view["event"]["a"]["text"].endswith("= 0x1234")
    assert view["event"]["b"]["text"].endswith("= 0x1235")
    # The exit that was answered is the last that both have in common, and the value
    # goes to EAX: nothing else is different yet.
    assert view["event"]["before"][-1]["kind"] == "exit"
    assert view["fields"] == [{"field": "vcpu0.rax", "a": "0x1234", "b": "0x1235"}]
    text = views_diff.text(views_diff.comparison(found))
    assert "answer number=0 value=0x1234" in text
    assert "1 field differs right after it" in text


def test_what_was_done_longer_differs_where_the_other_ends(taped: Taped) -> None:
    one = taped()
    other = taped([*ANSWERED, "nmi 0"], name="b.lapis")
    found = diff.compare(Side(one), Side(other), DEVICES)
    assert found.acts is not None
    assert found.acts.a is None
    assert found.acts.b is not None
    assert found.acts.b.row.verb == "inject_nmi"
    assert found.events is not None
    assert found.events.a is None
    assert found.events.b is not None
    assert found.events.b.event.kind == "nmi"
    assert plain(views_diff.comparison(found))["event"]["differs"] == "a has ended"


def test_of_a_fork_within_a_run_the_act_that_forked_is_named(taped: Taped) -> None:
    lines = [*ANSWERED, "goto 15000", "nmi 0", "run 100"]
    first = taped(lines)
    assert [branch.name for branch in first.recording.branches] == ["main", "branch-1"]
    other = named.find(f"{first.recording.name}@branch-1")
    found = diff.compare(Side(first), Side(other), DEVICES)
    assert found.acts is not None
    assert found.acts.a is not None
    assert found.acts.b is not None
    assert found.acts.a.row.verb == "run"
    assert found.acts.b.row.verb == "inject_nmi"
    assert found.acts.b.row.retired == 15000
    assert found.events is not None
    assert found.events.b is not None
    assert found.events.b.event.kind == "nmi"
    assert found.events.b.at == 15000


def test_a_run_cut_in_pieces_is_no_difference(taped: Taped) -> None:
    whole, pieces = taped(["run 20000"]), taped(["run 7"] * 3, name="b.lapis")
    found = diff.compare(Side(whole), Side(pieces), DEVICES)
    assert found.acts is not None
    assert found.acts.b is None
    same = taped(["run 10000", "run 9999", "run 1"], name="c.lapis")
    assert diff.compare(Side(whole), Side(same), DEVICES).is_equal


def test_another_machine_is_told_by_field_and_by_event(taped: Taped) -> None:
    one, other = taped(cpus=2), taped(cpus=3, name="b.lapis")
    found = diff.compare(Side(one), Side(other), DEVICES)
    assert ("cpus", "2", "3") in found.header
    assert found.events is not None
    assert found.events.a is not None
    assert (
        found.events.a.event.kind == "ipi"
    )  # INIT to all but self: it reaches one vCPU more
    assert not [row for row in found.fields if row in found.beginning]


def test_the_init_that_13253_lost_is_where_two_profiles_part(taped: Taped) -> None:
    one = taped(profile="illumos")
    sides = Side(one, "illumos-pre-13253"), Side(one, "illumos")
    found = diff.compare(*sides, DEVICES)
    assert not found.is_equal
    assert found.acts is None
    view = plain(views_diff.comparison(found))
    assert view["event"]["a"]["icr"] == view["event"]["b"]["icr"] == 0xC4500
    assert view["event"]["a"]["targets"] == []
    assert view["event"]["b"]["targets"] == [1]
    changed = {row["field"]: (row["a"], row["b"]) for row in view["fields"]}
    assert changed["vcpu1.run_state"] == ("(at reset)", "0x4000")
    assert diff.compare(sides[1], sides[1], DEVICES).is_equal


def test_memory_differs_by_the_word(opened: Callable[..., Session]) -> None:
    one, other = opened().machine, opened().machine
    assert fields.compare(one, other)[0] == []
    other.vm.memory.write(0x5008, bytes([1, 2, 3]))
    other.vm.memory.write(0x5FFF, bytes([9]))
    found, digests = fields.compare(one, other)
    assert digests[0] != digests[1]
    zero = "00 00 00 00 00 00 00 00"
    assert found == [
        ("memory 0x5008", zero, "01 02 03 00 00 00 00 00"),
        ("memory 0x5ff8", zero, "00 00 00 00 00 00 00 09"),
    ]
    other.vm.memory.write(0x6000, bytes([7]) * 0x1000)
    found, _ = fields.compare(one, other)
    assert len(found) == 2 + 8 + 1
    assert found[-1] == ("memory 0x6000 to 0x6fff", "504 words more", "differ")


def test_a_branch_that_is_not_there_is_refused(taped: Taped) -> None:
    one = taped()
    with pytest.raises(RecordingError, match="has no branch 'nope': main"):
        named.find(f"{one.recording.name}@nope")
