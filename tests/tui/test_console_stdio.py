"""`lapis exec --console stdio`: on pipes, and on a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rigs import recordings

from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 20.0
"""For what comes in a moment, on a machine that is busy."""
UPPER = bytes.fromhex("bafd03 ec a801 74fb baf803 ec 3c1b 7405 34 20 ee ebeb f4")
"""A guest that prints what it is typed with bit 5 flipped, and halts at ESC."""
PROGRAM = [sys.executable, "-m", "lapis_tui", "exec"]


@pytest.fixture
def guest(tmp_path: Path) -> str:
    path = tmp_path / "flip.bin"
    path.write_bytes(UPPER)
    return str(path)


def run(*words: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, *words], input=typed, capture_output=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip


def test_a_pipe_is_typed_and_what_comes_is_printed(guest: str, tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    words = ("--cpus", "1", "--console", "stdio", "--record", str(path))
    done = run(guest, *words, typed=b"hello\x1b")
    assert (done.returncode, done.stdout) == (0, b"HELLO")
    assert b"stopped (halted)" in done.stderr
    assert recordings.verify(path).divergence is None


def test_the_end_of_a_line_is_enter(guest: str) -> None:
    done = run(guest, "--cpus", "1", "--console", "stdio", typed=b"a\n\x1b")
    assert done.stdout == b"A-"  # CR with bit 5 flipped


def test_it_ends_where_the_machine_stops(guest: str) -> None:
    done = run("ap-bringup", "-c", "step", "--console", "stdio")
    assert done.returncode == 0
    assert b"stopped (exit): read 4 bytes at 0xd0000000" in done.stderr
    done = run(guest, "--cpus", "1", "-c", "break 0x10000", "--console", "stdio")
    assert b"stopped (breakpoint)" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--console", "tty"), "console 'tty': stdio is expected"),
        (("--console", "stdio", "--json"), "--console stdio and --json exclude each"),
        (("--console", "stdio", "--script", "-"), "both read standard input"),
        ((), "there is nothing to do: give -c CMD, --script FILE or --console stdio"),
    ],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exec", "ap-bringup", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_on_a_terminal_keys_go_to_the_guest_until_it_is_left(guest: str) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [*PROGRAM, guest, "--cpus", "1", "--console", "stdio"],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        ) as program:  # fmt: skip
            try:
                said = until(ours, lambda text: b"Ctrl-] ends it" in text)
                os.write(ours, b"ab\x03")
                said += until(ours, lambda text: b"AB#" in text)  # Ctrl-C, flipped
                os.write(ours, b"\x1d")
                assert program.wait(SECONDS) == 0
            finally:
                program.kill()
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"ab" not in said  # nothing was echoed


def until(number: int, there: Callable[[bytes], bool]) -> bytes:
    """Read until what is wanted is there."""
    said = b""
    while not there(said):
        ready, _, _ = select.select([number], [], [], SECONDS)
        assert ready, said
        said += os.read(number, 4096)
    return said
