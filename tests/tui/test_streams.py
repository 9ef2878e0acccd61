"""Standard output that is full, closed or cannot show it, as a shell meets it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from lapis_sessions.recording.format import reader
from lapis_tui.cli.main import main

RUN = ("exec", "ap-bringup", "-c", "run 100", "-c", "regs", "-c", "regs")
ENOSPC = b"lapis: standard output cannot be written: No space left on device\n"


def lapis(
    *arguments: str | bytes, stdout: int | IO[bytes] = subprocess.PIPE, **more: Any
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "lapis_tui", *arguments],
        stdout=stdout, stderr=subprocess.PIPE, check=False, **more,
    )  # fmt: skip


def unread() -> IO[bytes]:
    """Return the writing end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "wb")


def test_a_full_disk_is_one_sentence_and_the_recording_is_closed_whole(
    tmp_path: Path,
) -> None:
    path = tmp_path / "made.lapis"
    with Path("/dev/full").open("wb") as full:
        done = lapis(*RUN, "--record", str(path), "--json", stdout=full)
    assert done.returncode == 1
    assert done.stderr == b"> run 100\n" + ENOSPC
    recording = reader.read(str(path))
    assert recording.state == "whole"
    assert recording.acts == 1


def test_a_reader_that_went_away_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "made.lapis"
    with unread() as pipe:
        done = lapis(*RUN, "--record", str(path), stdout=pipe)
    assert done.returncode == 128 + 13  # SIGPIPE, as a shell tells it
    assert done.stderr == b"> run 100\n"
    assert reader.read(str(path)).state == "whole"


CLOSED = 'exec "$@" <&- >&- 2>&-'


def test_with_every_stream_closed_no_file_takes_the_place_of_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "made.lapis"
    program = [sys.executable, "-m", "lapis_tui", *RUN, "--record", str(path)]
    done = subprocess.run(["sh", "-c", CLOSED, "sh", *program], check=False)
    assert done.returncode == 1
    assert reader.read(str(path)).state == "whole"


def test_what_an_encoding_does_not_have_is_an_escape(tmp_path: Path) -> None:
    # A guest whose name is not UTF-8, on a terminal that has ASCII only.
    path = os.fsencode(tmp_path) + b"/odd\xff\xc3\xa9.bin"
    Path(os.fsdecode(path)).write_bytes(b"\xf4")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    recorded = os.fsencode(tmp_path) + b"/odd\xfe.lapis"
    done = lapis("exec", path, "-c", "record", "--record", recorded, env=env)
    assert (done.returncode, done.stderr) == (0, b"> record\n")
    assert b"odd\\udcfe.lapis" in done.stdout
    found = reader.read(os.fsdecode(recorded))
    assert found.state == "whole"
    assert found.header.image.name.endswith("odd\\udcffé.bin")


# The rest needs no process of its own.


def through(
    monkeypatch: pytest.MonkeyPatch, name: str, file: IO[bytes], *arguments: str
) -> int:
    given = os.dup(file.fileno())
    with os.fdopen(given, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, name, stream)
        return main(arguments)


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("profiles",), ("profiles", "--json"),
     ("plugins",), ("scenarios", "--json"), ("exec", "--help"), RUN],
)  # fmt: skip
def test_every_command_says_that_nothing_takes_its_output(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    with Path("/dev/full").open("wb") as full:
        assert through(monkeypatch, "stdout", full, *arguments) == 1
    told = capsys.readouterr().err.splitlines(keepends=True)
    assert told[-1].encode() == ENOSPC
    with unread() as pipe:
        assert through(monkeypatch, "stdout", pipe, *arguments) == 141
    assert "standard output" not in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 2])
def test_what_is_told_is_lost_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    arguments = RUN if status == 0 else ("exec", "nowhere", "-c", "where")
    with Path("/dev/full").open("wb") as full, unread() as pipe:
        for file in (full, pipe):
            assert through(monkeypatch, "stderr", file, *arguments) == status
    assert bool(capsys.readouterr().out) == (status == 0)


def test_streams_are_as_they_were_afterwards(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sys.stdout, sys.stderr, sys.stdout.errors, sys.stderr.errors
    assert main(["profiles"]) == 0
    assert (sys.stdout, sys.stderr, sys.stdout.errors, sys.stderr.errors) == before
    assert "sdm" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"#" * (1 << 20) + b"\n", "standard input has more than 1048576 bytes"),
     (b"\xff\n", "script '-' is not text in UTF-8")],
)  # fmt: skip
def test_a_script_on_standard_input_has_bounds(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    data: bytes,
    why: str,
) -> None:
    path = tmp_path / "script"
    path.write_bytes(data)
    with path.open(encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert main(["exec", "ap-bringup", "--script", "-"]) == 2
    assert why in capsys.readouterr().err
