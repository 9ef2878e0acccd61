"""Pieces, copies and dumps of recordings, and the files that they go to."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rigs.session_files import (
    ANSWERED,
    DEVICES,
    GUESTS,
    Taped,
    digest,
    verified,
    written,
)

from lapis_sessions import files
from lapis_sessions.errors import RecordingError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.edit import annotate, cut, merge, pack
from lapis_sessions.recording.export import dump
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.reader import RecordedBranch
from lapis_sessions.recording.format.schema import Annotation
from lapis_sessions.recording.play.player import Player
from lapis_sessions.recording.start import start_recording

# Cutting, packing, annotating.


def test_a_piece_ends_where_it_should_and_replays(taped: Taped, tmp_path: Path) -> None:
    whole = taped()
    branch = cut.cut(whole, cut.piece("start:15000"), DEVICES)
    piece = written(tmp_path / "p.lapis", whole.recording.header, branch)
    assert [(row.verb, row.retired) for row in branch.acts] == [("run", 15000)]
    verdict = verified(piece)
    player = Player(whole, DEVICES)
    player.to_count(15000)
    assert verdict.digest == digest(player.session)
    assert verdict.hashes == 1


@pytest.mark.parametrize("end", ["act1", "act2", "act3", "#5", "#26", "end", "28000"])
def test_a_piece_up_to_any_place_proves_itself(
    taped: Taped, tmp_path: Path, end: str
) -> None:
    whole = taped()
    branch = cut.cut(whole, cut.piece(f":{end}"), DEVICES)
    verified(written(tmp_path / "p.lapis", whole.recording.header, branch))
    if end.startswith("#"):
        assert branch.acts[-1].seq > int(end[1:])
        assert branch.acts[-1].seq < whole.branch.acts[-1].seq
    if end == "end":
        assert branch.acts[-1] == whole.branch.acts[-1]


def test_a_piece_keeps_the_acts_before_it_and_drops_what_was_noted_there(
    taped: Taped,
) -> None:
    lines = ["run 1000", 'annotate "early"', "run 1000", 'annotate "late"', "run 9"]
    whole = taped(lines)
    branch = cut.cut(whole, cut.piece("1500:2000"), DEVICES)
    texts = [(note.retired, note.text) for note in branch.notes]
    assert texts == [(1500, "the piece begins here"), (2000, "late")]
    assert [row.retired for row in branch.acts] == [1000, 2000]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("20", "is no piece: write A:B"),
        ("0:99999999", "cut 99999999: main ends with instruction"),
        ("0:#9999", "cut #9999: main ends with event"),
        ("0:act99", "cut act99: main ends with act"),
        ("2000:1000", "ends before it begins"),
        ("x:y", "is not a number"),
        ("0:#x", "is not a number"),
    ],
)
def test_a_piece_that_cannot_be_is_refused(taped: Taped, text: str, why: str) -> None:
    with pytest.raises(Exception, match=why) as caught:
        cut.cut(taped(), cut.piece(text), DEVICES)
    assert "\n" not in str(caught.value)


def test_packing_takes_the_image_in_and_joins_runs(tmp_path: Path) -> None:
    guest = tmp_path / "spin.bin"
    guest.write_bytes((GUESTS / "spin.bin").read_bytes())
    session = open_session(SessionOptions(str(guest)), DEVICES)
    path = str(tmp_path / "a.lapis")
    writer = start_recording(session, path, embed=False)
    for _ in range(3):
        session.execute("run 100")
        writer.flush()
    session.close()
    recording = reader.read(path)
    assert recording.header.image.data is None
    packed = tmp_path / "packed.lapis"
    files.write(str(packed), pack.pack(recording))
    guest.unlink()
    again = reader.read(str(packed))
    assert again.header.image.data == (GUESTS / "spin.bin").read_bytes()
    assert [row.retired for row in again.branches[0].acts] == [300]
    assert verified(again).hashes == 1
    with pytest.raises(Exception, match="there is no such file"):
        b"".join(pack.pack(recording))


def test_packing_keeps_every_branch_and_every_hash(
    taped: Taped, tmp_path: Path
) -> None:
    lines = [*ANSWERED, "goto 15000", "nmi 0", "run 100", 'annotate "here"', "run 100"]
    recording = taped(lines).recording
    path = tmp_path / "packed.lapis"
    files.write(str(path), pack.pack(recording))
    again = reader.read(str(path))
    assert [(b.name, b.parent) for b in again.branches] == [
        ("main", ""), ("branch-1", "main"),
    ]  # fmt: skip
    assert again.complete
    assert verified(again).digest == verified(recording).digest
    assert [note.text for note in again.last.notes] == ["here"]
    files.write(str(path), pack.pack(again), force=True)
    assert reader.read(str(path)).branches == again.branches


def test_packing_keeps_which_branch_was_gone_on_with(
    taped: Taped, tmp_path: Path
) -> None:
    lines = [*ANSWERED, "goto 15000", "nmi 0", "run 100", "branch main", "nmi 0"]
    recording = taped(lines).recording
    assert recording.last.name == "main"
    path = tmp_path / "packed.lapis"
    files.write(str(path), pack.pack(recording))
    again = reader.read(str(path))
    assert again.last.name == "main"
    assert [branch.name for branch in again.branches] == ["main", "branch-1"]
    verified(again)


def test_runs_that_something_ended_are_not_joined(taped: Taped) -> None:
    branch = taped(["run 40000", "run 1", "run 1"]).branch
    assert [row.reason for row in branch.acts] == ["exit"] * 3
    assert merge.merged(branch).acts == branch.acts


def test_joined_runs_stay_apart_where_something_is_noted(taped: Taped) -> None:
    branch = taped(["run 10", "run 10", "run 10"]).branch
    assert [row.retired for row in merge.merged(branch).acts] == [30]
    rows = [
        msgspec.structs.replace(branch.acts[0], retired=r, seq=0, now=r)
        for r in (10, 20, 30)
    ]
    apart = RecordedBranch("main", "", rows, notes=[Annotation(2, 20, "here")])
    assert [row.retired for row in merge.merged(apart).acts] == [20, 30]
    assert merge.merged(apart).notes == [Annotation(1, 20, "here")]
    apart.notes = [Annotation(4, 20, "nowhere")]
    with pytest.raises(RecordingError, match="noted after act 4"):
        merge.merged(apart)


@pytest.mark.parametrize(
    ("at", "acts", "retired"),
    [
        ("0", 0, 0),
        ("start", 0, 0),
        ("12000", 0, 12000),
        ("28838", 1, 28838),
        ("act2", 2, 28839),
        ("29000", 2, 29000),
        ("end", 3, 29360),
    ],
)
def test_an_annotation_goes_where_it_belongs(
    taped: Taped, tmp_path: Path, at: str, acts: int, retired: int
) -> None:
    """28,838 instructions is where the guest of two vCPUs asks its device."""
    one = taped(["run 5000000", "answer 0x1234", "run 5000000"])
    new = annotate.annotated(one, at, Annotation(0, 0, "text", "ask?", "so"))
    assert new[0].notes == [Annotation(acts, retired, "text", "ask?", "so")]
    assert not one.branch.notes
    verified(written(tmp_path / "n.lapis", one.recording.header, *new))


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("99999999", "ends with instruction"),
        ("act9", "ends with act"),
        ("#3", "is at an instruction count or actN"),
        ("soon", "is not a number"),
    ],
)
def test_an_annotation_nowhere_is_refused(taped: Taped, at: str, why: str) -> None:
    with pytest.raises(Exception, match=why):
        annotate.annotated(taped(), at, Annotation(0, 0, "text"))


# Dumping.


def test_a_dump_holds_every_act_and_with_events_every_event(taped: Taped) -> None:
    recording = taped().recording
    rows = list(dump.with_events(recording, DEVICES))
    assert [row for row in rows if row["type"] != "event"] == list(dump.rows(recording))
    assert json.loads(json.dumps(rows)) == rows
    acts = [row for row in rows if row["type"] == "act"]
    assert len(acts) == len(recording.branches[0].acts)
    events = [row["seq"] for row in rows if row["type"] == "event"]
    assert events == list(range(acts[-1]["seq"]))
    order = [row.get("seq", -1) for row in rows if row["type"] in {"act", "event"}]
    answer = next(i for i, row in enumerate(rows) if row.get("verb") == "answer")
    assert rows[answer - 1]["kind"] == "answer"
    assert order == sorted(order)
    assert all("\n" not in dump.text(row) for row in rows)


# Files.


def test_nothing_is_left_of_a_file_that_could_not_be_finished(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"begun"
        raise RecordingError("no more")

    path = tmp_path / "out"
    with pytest.raises(RecordingError, match="no more"):
        files.write(str(path), pieces())
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"mine")
    with pytest.raises(RecordingError, match="no more"):
        files.write(str(path), pieces(), force=True)
    with pytest.raises(RecordingError, match="is there already; --force replaces it"):
        files.write(str(path), [b"other"])
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"mine"]
    assert files.write(str(path), [b"other"], force=True) == 5


def test_a_file_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "such", tmp_path):
        with pytest.raises(RecordingError) as caught:
            files.write(str(path), [b"x"])
        assert repr(str(path)) in str(caught.value)
    for name in ("", "a\0b", "a\ud800b"):
        with pytest.raises(RecordingError, match="is not the name of a file"):
            files.write(name, [b"x"])
