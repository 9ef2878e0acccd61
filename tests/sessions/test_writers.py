"""Who writes a file: none shares a draft, none replaces what another wrote."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rigs import recordings

from lapis_plugins.host import discover
from lapis_sessions import files
from lapis_sessions.errors import RecordingError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from lapis_sessions.session import Session


def begun(path: Path, acts: int, *, force: bool = True) -> Session:
    """Record so many acts, and leave the recording open."""
    session = open_session(
        SessionOptions("ap-bringup", cpus=2, memory="4M"), discover().extensions
    )
    start_recording(session, str(path), force=force)
    for number in range(acts):
        assert session.execute(f"quantum {100 + number}").ok
    return session


def acts(path: Path | str) -> int:
    recording = reader.read(str(path))
    assert recording.state == "whole"
    assert recordings.verify(Path(path)).divergence is None
    return recording.acts


def refusal(session: Session) -> str:
    with pytest.raises(RecordingError) as caught:
        session.close()
    return str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


# Several at once.


def test_three_forced_writers_have_a_file_each_and_the_last_two_are_told(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.lapis"
    path.write_bytes(b"to be replaced")
    first, second, third = (begun(path, count) for count in (3, 4, 5))
    second.close()
    for late, kept in ((first, "p.lapis.partial"), (third, "p.lapis.partial-3")):
        text = f"{str(path)!r} was replaced by another writer meanwhile; yours is kept "
        assert refusal(late) == f"{text}as {str(tmp_path / kept)!r}"
    assert names(tmp_path) == ["p.lapis", "p.lapis.partial", "p.lapis.partial-3"]
    assert [acts(tmp_path / name) for name in names(tmp_path)] == [4, 3, 5]


def test_one_whose_name_was_free_replaces_nothing_that_came_meanwhile(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.lapis"
    forced, other = begun(path, 3), begun(path, 4, force=False)
    other.close()
    assert "was written by another writer meanwhile; yours is kept" in refusal(forced)
    assert (acts(path), acts(tmp_path / "p.lapis.partial")) == (4, 3)


def test_what_a_kill_left_is_told_and_never_touched(tmp_path: Path) -> None:
    path, left = tmp_path / "p.lapis", tmp_path / "p.lapis.partial"
    killed = begun(path, 3)
    before = left.read_bytes()
    for force in (False, True):
        session = begun(path, 2, force=force)
        (notice,) = session.notices
        assert repr(str(left)) in notice
        assert repr(f"{left}-2") in notice
        session.close()
        assert (left.read_bytes(), acts(path)) == (before, 2)
    assert reader.read(str(left)).state == "cut off"
    assert "yours is kept as" in refusal(killed)  # or it is only slow


def test_a_file_is_replaced_only_as_it_was_when_one_looked(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    place = files.check(str(path), force=True)
    assert files.write(str(path), [b"from ", b"another"], force=True) == 12
    with pytest.raises(
        RecordingError, match=r"replaced by another.*kept as '.*out\.new'"
    ):
        files.write(place, [b"mine"])
    assert path.read_bytes() == b"from another"
    assert (tmp_path / "out.new").read_bytes() == b"mine"
    assert files.write(str(path), [b"again"], force=True) == 5
    assert names(tmp_path) == ["out", "out.new"]


def test_who_cannot_have_the_lock_of_what_is_replaced_keeps_his_own(
    tmp_path: Path,
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RecordingError, match="kept as"):
            files.write(str(path), [b"mine"], force=True)
    assert path.read_bytes() == b"old"


# What is no file.


def test_force_replaces_regular_files_only(tmp_path: Path) -> None:
    fifo, sock, link = tmp_path / "fifo", tmp_path / "sock", tmp_path / "link"
    folder = tmp_path / "folder"
    os.mkfifo(fifo)
    folder.mkdir()
    link.symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sock))
        for path, kind in (
            (Path("/dev/null"), "a device"), (link, "a device"), (fifo, "a FIFO"),
            (sock, "a socket"), (folder, "a directory"),
        ):  # fmt: skip
            before = path.stat()
            for force in (False, True):
                with pytest.raises(RecordingError) as caught:
                    begun(path, 1, force=force)
                expected = f"{str(path)!r} is {kind}: only a file can be replaced"
                assert str(caught.value) == expected
                with pytest.raises(RecordingError, match=kind):
                    files.write(str(path), [b"x"], force=force)
            assert os.path.samestat(before, path.stat())
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert names(tmp_path) == ["fifo", "folder", "link", "sock"]


def test_what_became_a_device_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "p.lapis"
    path.write_bytes(b"old")
    session = begun(path, 2)
    path.unlink()
    path.symlink_to("/dev/null")
    assert "yours is kept as" in refusal(session)
    assert path.is_symlink()
    assert acts(tmp_path / "p.lapis.partial") == 2


def test_a_link_to_a_file_stays_and_the_file_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with pytest.raises(RecordingError, match="is there already"):
        begun(link, 1, force=False)
    session = begun(link, 3)
    assert names(tmp_path) == ["link", "real", "real.partial"]
    session.close()
    assert (link.is_symlink(), acts(real)) == (True, 3)
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match="is a symbolic link to nothing"):
        begun(link, 1)
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(RecordingError, match="Too many levels of symbolic links"):
        begun(link, 1)


@pytest.mark.parametrize("name", ["a" * 250, "a" * 300, "no/such", "p\0q", ""])
def test_a_name_that_cannot_be_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = f"{tmp_path}/{name}" if name else ""
    session = open_session(SessionOptions("ap-bringup"), discover().extensions)
    with pytest.raises(RecordingError) as caught:
        start_recording(session, path)
    assert name[-50:].replace("\0", r"\x00") in str(caught.value)
    assert names(tmp_path) == []


# What happens to a directory or a disk meanwhile.


def test_a_recording_outlives_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, room = tmp_path / "folder", tmp_path / "room"
    folder.mkdir()
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    session = begun(folder / "p.lapis", 3)
    shutil.rmtree(folder)
    assert session.execute("quantum 7").ok
    text = refusal(session)
    kept = room / "p.lapis.rescued"
    assert text == (
        f"{str(folder / 'p.lapis')!r} cannot be closed: its directory was removed; it "
        f"is kept as {str(kept)!r}"
    )
    assert acts(kept) == 4


def test_a_draft_that_somebody_removed_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "p.lapis"
    session = begun(path, 3)
    (tmp_path / "p.lapis.partial").unlink()
    (tmp_path / "p.lapis.partial").write_bytes(b"not ours")
    session.close()
    assert names(tmp_path) == ["p.lapis", "p.lapis.partial"]
    assert (tmp_path / "p.lapis.partial").read_bytes() == b"not ours"
    assert acts(path) == 3


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES]
)
def test_what_cannot_take_its_name_stays_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    session = begun(tmp_path / "p.lapis", 3)
    monkeypatch.setattr(os, "link", fails)
    monkeypatch.setattr(os, "open", fails)
    text = refusal(session)
    monkeypatch.undo()
    kept = tmp_path / "p.lapis.partial"
    assert f"cannot be closed: {os.strerror(number)}; it stays in {str(kept)!r}" in text
    assert acts(kept) == 3


def test_a_file_system_without_links_has_recordings_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    session = begun(tmp_path / "p.lapis", 3)
    session.close()
    assert (names(tmp_path), acts(tmp_path / "p.lapis")) == (["p.lapis"], 3)
    late = begun(tmp_path / "q.lapis", 2)
    (tmp_path / "q.lapis").write_bytes(b"another's")
    assert "yours is kept as" in refusal(late)
    assert (tmp_path / "q.lapis").read_bytes() == b"another's"


def test_the_wall_clock_may_jump_while_one_records(tmp_path: Path) -> None:
    path = tmp_path / "p.lapis"
    path.write_bytes(b"old")
    os.utime(path, (1 << 33, 1 << 33))
    begun(path, 3).close()
    os.utime(path, (1, 1))
    late = begun(path, 4)
    begun(path, 5).close()
    os.utime(path, (1, 1))  # as old as the one that it replaced
    assert "was replaced by another writer" in refusal(late)
    assert acts(path) == 5
