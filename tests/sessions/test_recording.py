"""Recordings: what is in the file, what is refused, and that it does the same again."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from rigs import machines, recordings

from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import reader, schema
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], Any]
    Refused = Callable[[Session, str], str]

SCHEMA = "882266a0c7979073c38cdd1ff5c2fd42c5d9821f5fbfa8cfde316eec353f5f95"
"""Of format 8. A change here is a change of format: raise FORMAT, and READER if those
who know this one cannot read it."""
SEABIOS = Path("/usr/share/seabios/bios.bin")
MAGIC = bytes.fromhex("89 4c 41 50 49 53 0d 0a")
START = 12
"""Bytes before the first chunk."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "four.lapis"
    recordings.record(path)
    return path


def error_of(path: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        reader.read(str(path))
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text.replace(repr(str(path)), "FILE")


def chunk(kind: bytes, body: bytes, codec: int = 0) -> bytes:
    """A chunk by the book: lengths little-endian at both ends, CRC-32 of the front."""
    head = struct.pack("<I4sB", len(body), kind, codec)
    crc = zlib.crc32(head + body)
    return head + body + struct.pack("<II", crc, len(body))


def pieces(data: bytes) -> list[tuple[bytes, int, int]]:
    """(type, begin, end) of every chunk, by the lengths alone."""
    found, at = [], START
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        end = at + 9 + length + 8
        assert struct.unpack_from("<I", data, end - 4) == (length,)
        found.append((data[at + 4 : at + 8], at, end))
        at = end
    return found


# The format.


def test_the_schema_is_the_one_that_was_agreed_on() -> None:
    assert (schema.FORMAT, schema.READER) == (8, 8)
    assert schema.schema_hash() == SCHEMA, schema.schema_text()


def test_a_file_is_a_header_chunks_with_their_length_at_both_ends_and_a_trailer(
    made: Path,
) -> None:
    data = made.read_bytes()
    assert data[:8] == MAGIC
    assert struct.unpack_from("<HH", data, 8) == (8, 8)
    kinds = [kind for kind, _, _ in pieces(data)]
    assert (kinds[0], kinds[-1], kinds[-2]) == (b"HEAD", b"DONE", b"CKPT")
    assert b"ACTS" in kinds
    for _, begin, end in pieces(data):
        (crc,) = struct.unpack_from("<I", data, end - 8)
        assert crc == zlib.crc32(data[begin : end - 8])


def test_only_the_outside_is_recorded(made: Path) -> None:
    """What the guest did is not there: a run of thousands is one act."""
    recording = reader.read(str(made))
    verbs = [row.verb for row in recording.branches[0].acts]
    assert verbs == [
        "run", "inject_nmi", "run", "step", "step", "run", "answer", "run", "send_ipi",
        "set_quantum", "run", "set_pin", "set_schedule", "run", "send_ipi", "run",
    ]  # fmt: skip
    assert recording.complete
    assert recording.lost == 0
    assert recording.header.image.data == machines.AP_BRINGUP.read_bytes()
    assert recording.header.cpus == 4


# Replays.


@pytest.mark.parametrize("times", [20])
def test_it_comes_to_the_same_hashes_again_and_again(made: Path, times: int) -> None:
    """tests/recording/again.py does it a hundred times."""
    found = {recordings.verify(made) for _ in range(times)}
    assert len(found) == 1
    (verdict,) = found
    assert verdict.divergence is None
    assert verdict.hashes >= 1


def test_it_comes_to_what_the_recorded_session_came_to(tmp_path: Path) -> None:
    session = recordings.record(tmp_path / "x.lapis")
    digest = Digester(session.machine).digest()
    assert recordings.verify(tmp_path / "x.lapis").digest == digest


def test_a_fresh_process_in_another_directory_agrees(
    made: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "lapis_tui", "replay", str(made), "--verify"]
    out = subprocess.run(
        [*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    view = json.loads(out.stdout)
    assert view["divergence"] is None
    assert view["digest"] == recordings.verify(made).digest


@pytest.mark.skipif(not SEABIOS.exists(), reason=f"{SEABIOS} is not installed")
def test_seabios_replays_alike(tmp_path: Path) -> None:
    path = tmp_path / "bios.lapis"
    session = recordings.record(
        path, ("run 150000", "nmi 1", "run 20000"), "",
        firmware=str(SEABIOS), cpus=2, memory="64M",
    )  # fmt: skip
    digest = Digester(session.machine).digest()
    verdict = recordings.verify(path)
    assert verdict.divergence is None
    assert verdict.digest == digest


def test_replay_stops_anywhere_and_goes_on_as_live(made: Path, done: Done) -> None:
    recording = reader.read(str(made))
    session = replaying.session_of(recording, discover().extensions)
    done(session, "goto 12000")
    assert done(session, "run 10")["retired"] == 10
    assert session.timeline.branch.name == "main"
    done(session, "nmi 3")
    assert done(session, "step")["retired"] == 1
    assert session.timeline.branch.name == "branch-1"
    done(session, "why vcpu 2")
    done(session, "branch main")
    assert Digester(session.machine).digest() == recordings.verify(made).digest


# Branches.


def test_forks_are_recorded_and_replayed(
    opened: Opened, done: Done, tmp_path: Path
) -> None:
    path = tmp_path / "forks.lapis"
    session = opened(cpus=2, memory="4M")
    done(session, f"record start {path}")
    digests = {}
    for line in (
        "run", "goto 1000", "nmi 1", "run 70", "branch main", "answer 7", "run",
        "branch branch-1", "run 30", "goto 500", "quantum 9", "step",
    ):  # fmt: skip
        done(session, line)
        branch = session.timeline.branch
        if session.timeline.at_end:
            digests[branch.name] = Digester(session.machine).digest()
    done(session, "record stop")
    recording = reader.read(str(path))
    assert [(b.name, b.parent) for b in recording.branches] == [
        ("main", ""), ("branch-1", "main"), ("branch-2", "branch-1"),
    ]  # fmt: skip
    assert [row.verb for row in recording.branches[0].acts] == ["run", "answer", "run"]
    again = replaying.session_of(recording, discover().extensions)
    assert replaying.verify(again, recording).divergence is None
    for name, digest in digests.items():
        done(again, f"branch {name}")
        assert Digester(again.machine).digest() == digest


def test_a_recording_begun_late_has_all_branches_from_the_beginning(
    opened: Opened, done: Done, tmp_path: Path
) -> None:
    session = opened(cpus=2, memory="4M")
    for line in (
        "run 2000", "goto 1000", "nmi 1", "run 70", "goto 500", "quantum 9", "step",
    ):  # fmt: skip
        done(session, line)
    done(session, f"record start {tmp_path / 'late.lapis'}")
    done(session, "run 10")
    done(session, "branch main")
    done(session, "step")
    session.close()
    recording = reader.read(str(tmp_path / "late.lapis"))
    assert [b.acts[-1].retired for b in recording.branches] == [2001, 1070, 511]
    assert recordings.verify(tmp_path / "late.lapis").divergence is None


# Divergence.


def rewritten(data: bytes, change: Callable[[bytes, Any], Any]) -> bytes:
    """The file with the body of every chunk passed through `change`."""
    out = data[:START]
    for kind, begin, end in pieces(data):
        body = data[begin + 9 : end - 8]
        if data[begin + 8]:
            body = zlib.decompress(body)
        value = change(kind, msgspec.msgpack.decode(body))
        if value is not None:
            out += chunk(kind, msgspec.msgpack.encode(value))
    return out


def test_one_flipped_answer_is_found_at_its_act(made: Path, tmp_path: Path) -> None:
    def flip(kind: bytes, value: Any) -> Any:
        if kind == b"ACTS":
            for row in value:
                if row[0] == "answer":
                    row[1]["value"] ^= 1
        return value

    path = tmp_path / "flipped.lapis"
    path.write_bytes(rewritten(made.read_bytes(), flip))
    divergence = recordings.verify(path).divergence
    assert divergence is not None
    assert divergence.recorded != divergence.replayed
    acts = [row.verb for row in reader.read(str(path)).branches[0].acts]
    assert divergence.acts > acts.index("answer")


def test_the_first_field_that_differs_is_named_with_both_values(
    made: Path, tmp_path: Path
) -> None:
    def bend(kind: bytes, value: Any) -> Any:
        if kind == b"CKPT":
            value[2] = "0" * 32
            value[3]["vcpu3.apic.tpr"] = "0x50"
        return value

    path = tmp_path / "bent.lapis"
    path.write_bytes(rewritten(made.read_bytes(), bend))
    divergence = recordings.verify(path).divergence
    assert divergence is not None
    found = divergence.field, divergence.recorded, divergence.replayed
    assert found == ("vcpu3.apic.tpr", "0x50", "(at reset)")
    assert "vcpu3.apic.tpr was 0x50 and is (at reset); the event before it is" in (
        divergence.text
    )


def test_acts_that_come_to_another_place_are_found(made: Path, tmp_path: Path) -> None:
    def bend(kind: bytes, value: Any) -> Any:
        if kind == b"ACTS":
            for row in value:  # in as many chunks as the time it took has made
                row[2] += 100_000
        return value

    path = tmp_path / "longer.lapis"
    path.write_bytes(rewritten(made.read_bytes(), bend))
    divergence = recordings.verify(path).divergence
    assert divergence is not None
    assert (divergence.field, divergence.branch) == ("position", "main")


# Files that are not whole, or not ours.


def test_what_is_no_recording_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data, sentence in (
        (b"", "FILE is empty"),
        (b"\x7fELF" + bytes(60), "FILE is not a recording of Lapis"),
        (MAGIC[:5], "FILE has 5 bytes: its header is cut off"),
        (MAGIC + b"\1\0\1", "FILE has 11 bytes: its header is cut off"),
        (MAGIC + b"\1\0\1\0", "FILE ends before its header: nothing can be replayed"),
        (MAGIC + b"\x0a\0\x09\0" + bytes(40), ("FILE is of format 10 and needs a "
         "reader of format 9; this one knows 8: a newer Lapis reads it")),
        (MAGIC + b"\1\0\1\0" + chunk(b"ACTS", b"\x90"), ("FILE: it begins with chunk "
         "ACTS and not with HEAD")),
    ):  # fmt: skip
        path.write_bytes(data)
        assert error_of(path) == sentence
    assert "cannot be read: No such file" in error_of(tmp_path / "none.lapis")
    assert "cannot be read: Is a directory" in error_of(tmp_path)


def test_a_newer_format_that_this_reader_understands_is_read(
    made: Path, tmp_path: Path
) -> None:
    def newer(kind: bytes, value: Any) -> Any:
        if kind == b"HEAD":
            assert value[12:14] == [8, 8]
            value[12] = 9
        return value

    data = bytearray(rewritten(made.read_bytes(), newer))
    data[8] = 9
    (tmp_path / "new.lapis").write_bytes(data)
    assert reader.read(str(tmp_path / "new.lapis")).complete


def test_an_unknown_chunk_is_refused_by_name_or_skipped(
    made: Path, tmp_path: Path
) -> None:
    data, path = made.read_bytes(), tmp_path / "x.lapis"
    _, _, end = pieces(data)[0]
    path.write_bytes(data[:end] + chunk(b"WARP", b"x") + data[end:])
    assert error_of(path) == (
        f"FILE: chunk WARP at byte {end} is of a kind that this version of Lapis does "
        f"not know and must not skip"
    )
    begin = pieces(data)[-1][1]
    path.write_bytes(data[:begin] + chunk(b"warp", b"x"))
    assert reader.read(str(path)).skipped == ["warp"]
    assert recordings.verify(path).divergence is None


def test_cut_anywhere_it_is_read_to_its_last_whole_chunk(
    made: Path, tmp_path: Path
) -> None:
    data, path = made.read_bytes(), tmp_path / "cut.lapis"
    ends = [end for _, _, end in pieces(data)]
    whole = reader.read(str(made)).branches[0].acts
    for size in range(ends[0], len(data), 97):
        path.write_bytes(data[:size])
        recording = reader.read(str(path))
        count = sum(end <= size for end in ends)
        assert recording.chunks == count
        assert recording.lost == size - ends[count - 1]
        assert not recording.complete
        acts = recording.branches[0].acts
        assert acts == whole[: len(acts)]
    path.write_bytes(data[: ends[0] - 1])
    assert error_of(path) == "FILE ends before its header: nothing can be replayed"


def test_a_chunk_that_is_damaged_ends_what_is_read(made: Path, tmp_path: Path) -> None:
    data, path = bytearray(made.read_bytes()), tmp_path / "bad.lapis"
    begin = pieces(bytes(data))[-1][1]
    data[begin + 10] ^= 0x40
    path.write_bytes(data)
    recording = reader.read(str(path))
    assert (recording.complete, recording.lost) == (False, len(data) - begin)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([["fly", {}, 0, 0, 0, ""]], "there is no act 'fly'"),
        ([["answer", {"number": "a", "value": 1}, 0, 0, 0, ""]],
         "act answer: number is 'a' and must be int"),
        ([["answer", {"number": 0}, 0, 0, 0, ""]], "act answer: it needs value"),
        ([["run", {"limit": 5}, 5, 0, 5, "budget"]],
         "act run: limit is told by where it ended"),
        ([["run", {}, 5, 0, 5, ""]], "act run with reason ''"),
        ([["run", {}, 5, 0, 5, "budget"], ["inject_nmi", {"number": 0}, 4, 0, 5, ""]],
         "act inject_nmi ends at instruction 4, event 0: before it began"),
        ([["run", {}, 5, 0, 5]], "of at least length 6, got 5"),
        ([["run", {}, 5, 0, 5, "budget", 1]], "of at most length 6, got 7"),
        ([["run", [], 5, 0, 5, "budget"]], "Expected `object`, got `array`"),
        ([["run", {}, "5", 0, 5, "budget"]], "Expected `int`, got `str`"),
        (7, "Expected `array`, got `int`"),
    ],
)  # fmt: skip
def test_acts_that_cannot_be_are_refused(
    made: Path, tmp_path: Path, rows: Any, sentence: str
) -> None:
    data, path = made.read_bytes(), tmp_path / "acts.lapis"
    end = pieces(data)[0][2]
    path.write_bytes(data[:end] + chunk(b"ACTS", msgspec.msgpack.encode(rows)))
    assert sentence in error_of(path)


def test_chunks_that_contradict_each_other_are_refused(
    made: Path, tmp_path: Path
) -> None:
    data, path = made.read_bytes(), tmp_path / "odd.lapis"
    end = pieces(data)[0][2]
    for kind, body, sentence in (
        (b"HEAD", [], "is a second one"),
        (b"DONE", [9, 1], "counts 9 acts in 1 chunks; there are 0 in 1"),
        (b"FORK", ["main", "main", []], "branch 'main' of 'main': there are main"),
        (b"FORK", ["b", "x", []], "branch 'b' of 'x': there are main"),
        (b"TURN", ["b"], "it goes on with branch 'b': there are main"),
    ):
        path.write_bytes(data[:end] + chunk(kind, msgspec.msgpack.encode(body)))
        text = error_of(path)
        if kind == b"HEAD":
            assert f"chunk HEAD at byte {end} is a second one" in text
        else:
            assert sentence in text


def test_bodies_that_explode_are_refused(made: Path, tmp_path: Path) -> None:
    data, path = made.read_bytes(), tmp_path / "bomb.lapis"
    end = pieces(data)[0][2]
    bomb = zlib.compress(b"\x90" * (200 << 20), 9)
    for kind, most in ((b"ACTS", 4 << 20), (b"note", 1 << 20), (b"FORK", 4 << 20)):
        path.write_bytes(data[:end] + chunk(kind, bomb, 1))
        assert f"expands to more than {most} bytes" in error_of(path)
    path.write_bytes(data[:end] + chunk(b"CKPT", bomb, 1))
    assert "expands to more than" in error_of(path)
    path.write_bytes(data[:end] + chunk(b"ACTS", b"\x90" * (5 << 20)))
    assert "4194304 is the most" in error_of(path)
    path.write_bytes(data[:end] + chunk(b"ACTS", b"\x91" * (1 << 20)))
    assert "is not what it should be" in error_of(path)
    path.write_bytes(data[:end] + chunk(b"ACTS", b"x", 7))
    assert "is packed in an unknown way (7)" in error_of(path)
    path.write_bytes(data[:end] + chunk(b"ACTS", b"x", 1))
    assert "cannot be expanded" in error_of(path)


def test_a_hash_of_an_act_that_is_not_there_is_refused(
    made: Path, tmp_path: Path
) -> None:
    data, path = made.read_bytes(), tmp_path / "hash.lapis"
    end = pieces(data)[0][2]
    body = msgspec.msgpack.encode([5, 100, "00"])
    path.write_bytes(data[:end] + chunk(b"hash", body))
    assert error_of(path) == (
        f"FILE: chunk hash at byte {end}: a hash is of act 5; main has 0"
    )


# What it is made of.


def bent_header(made: Path, path: Path, bend: Callable[[list[Any]], None]) -> str:
    def change(kind: bytes, value: Any) -> Any:
        if kind == b"HEAD":
            bend(value)
        return value

    path.write_bytes(rewritten(made.read_bytes(), change))
    recording = reader.read(str(path))
    with pytest.raises(RecordingError) as caught:
        replaying.session_of(recording, discover().extensions)
    return str(caught.value)


def test_another_machine_is_refused_with_what_differs(
    made: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.lapis"

    def switch(head: list[Any]) -> None:
        head[5]["max_vcpus"] = "3"

    def devices(head: list[Any]) -> None:
        head[11].append("toaster")

    def image(head: list[Any]) -> None:
        head[10][4] += b"x"

    sentence = "switch max_vcpus is '3' and must be of type int"
    assert bent_header(made, path, switch) == sentence
    text = bent_header(made, path, devices)
    assert text.startswith(
        "it was recorded with the device 'toaster', which no plug-in"
    )
    text = bent_header(made, path, image)
    assert "image 'ap-bringup' is not the one that was recorded: its SHA-256" in text


def test_by_reference_the_image_is_read_from_its_file_and_must_be_the_same(
    tmp_path: Path,
) -> None:
    guest, path = tmp_path / "mine.bin", tmp_path / "ref.lapis"
    code = (machines.GUESTS / "fabric-tpr.bin").read_bytes()
    guest.write_bytes(code)
    recordings.record(path, ("run",), str(guest), embed=False, cpus=1)
    assert len(path.read_bytes()) < len(code) + 8192
    assert reader.read(str(path)).header.image.data is None
    assert recordings.verify(path).divergence is None
    guest.write_bytes(code + b"\x90")
    with pytest.raises(RecordingError, match="is not the one that was recorded"):
        recordings.verify(path)
    guest.unlink()
    with pytest.raises(Exception, match="no such file"):
        recordings.verify(path)


# Writing.


def test_it_is_partial_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    session = recordings.record(path, ("run 5000",), close=False)
    partial = tmp_path / "x.lapis.partial"
    assert not path.exists()
    head = reader.read(str(partial))
    assert (head.header.cpus, head.complete) == (4, False)
    session.close()
    assert path.exists()
    assert not partial.exists()
    assert reader.read(str(path)).complete


def test_nothing_is_overwritten_without_force(
    opened: Opened, done: Done, refused: Refused, tmp_path: Path
) -> None:
    path = tmp_path / "x.lapis"
    path.write_bytes(b"precious")
    session = opened(memory="4M")
    text = refused(session, f"record start {path}")
    assert text == f"{str(path)!r} is there already; --force replaces it"
    done(session, f"record start {path} --force")
    assert path.read_bytes() == b"precious"  # until it is closed
    assert "is being recorded" in refused(session, f"record start {path}")
    done(session, "record stop")
    assert path.read_bytes().startswith(MAGIC)
    assert "is a directory" in refused(session, f"record start {tmp_path} --force")
    assert "No such file" in refused(session, f"record start {tmp_path / 'a' / 'b'}")


def test_what_came_to_be_there_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    session = recordings.record(path, ("run 5000",), close=False)
    path.write_bytes(b"precious")
    with pytest.raises(
        RecordingError, match=r"meanwhile; yours is kept as '.*partial'"
    ):
        session.close()
    assert path.read_bytes() == b"precious"
    assert recordings.verify(tmp_path / "x.lapis.partial").divergence is None


class FullDisk:
    """A file on a disk that is full after so many bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: memoryview) -> int:
        if self._room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fits = min(self._room, len(data))
        self._room -= fits
        return int(self._file.write(data[:fits]))

    def fileno(self) -> int:
        return int(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def test_a_full_disk_ends_the_recording_and_not_the_machine(
    opened: Opened, done: Done, tmp_path: Path
) -> None:
    path = tmp_path / "x.lapis"
    session = opened(cpus=2, memory="4M")
    writer = start_recording(session, str(path))
    draft = writer._file._draft
    draft.file = FullDisk(draft.file, 600)  # type: ignore[assignment] # stands in
    for count in range(200):
        done(session, "run 10")
        done(session, f"quantum {1000 + count % 2}")
        writer.flush()
    assert session.timeline.spot.at.retired == 2000
    assert len(session.notices) == 1
    assert "stopped: No space left on device" in session.notices[0]
    assert not done(session, "record")["recording"]
    with pytest.raises(RecordingError, match="No space left on device"):
        session.close()
    partial = tmp_path / "x.lapis.partial"
    assert not path.exists()
    assert 0 < reader.read(str(partial)).acts < 400
    assert recordings.verify(partial).divergence is None


def test_a_full_disk_at_the_header_leaves_no_file(
    opened: Opened, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    session = opened(memory="4M")
    text = refused(session, f"record start {tmp_path / 'x.lapis'}")
    assert "cannot be written: No space left on device" in text
    assert list(tmp_path.iterdir()) == []


def test_annotations_belong_to_their_place(
    opened: Opened, done: Done, refused: Refused, tmp_path: Path
) -> None:
    path = tmp_path / "notes.lapis"
    session = opened(memory="4M")
    assert "nothing is being recorded" in refused(session, "annotate hello")
    done(session, f"record start {path}")
    done(session, "run 100")
    done(session, "annotate 'the BSP starts' --ask 'who is next?' --answer nobody")
    done(session, "run 100")
    done(session, "goto 50")
    assert "goto end" in refused(session, "annotate no")
    session.close()
    (note,) = reader.read(str(path)).branches[0].notes
    assert (note.acts, note.retired, note.text) == (1, 100, "the BSP starts")
    assert (note.ask, note.answer) == ("who is next?", "nobody")
