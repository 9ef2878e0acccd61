"""Lines of a console, and signals that come just before one is waited for."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import lapis
from lapis_tui.console.editor import Editor
from lapis_tui.console.interrupts import Interrupts
from lapis_tui.console.lines import LONGEST, DescriptorLines, Lines, standard
from lapis_tui.console.shell import Shell
from lapis_tui.ending import EndedError, Ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a pipe; where one writes to it."""
    read, write = os.pipe()
    with os.fdopen(read, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield write
    os.close(write)


def test_a_signal_that_another_thread_takes_wakes_who_waits(typing: int) -> None:
    # No system call of the main thread is interrupted by it, as by one that comes right
    # before the call: only the byte that comes with each signal is there to see.
    def handle(_number: int, _frame: FrameType | None) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGUSR1, handle)

    def send() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    thread = threading.Thread(target=send)
    try:
        with standard() as lines, pytest.raises(InterruptedError):
            _begun(thread, lines)
        os.write(typing, b"still there\n")
        with standard() as lines:
            assert lines.next() == "still there\n"
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()


def _begun(thread: threading.Thread, lines: Lines) -> str:
    thread.start()
    return lines.next()


def test_lines_are_cut_where_they_end() -> None:
    read, write = os.pipe()
    woken, never = os.pipe()
    lines = DescriptorLines(read, woken, "utf-8", "strict")
    os.write(write, "one\n\ntwo \N{GREEK SMALL LETTER MU}"[:-1].encode() + b"\xce")
    assert [lines.next(), lines.next()] == ["one\n", "\n"]
    os.write(write, b"\xbc\nno newline")
    assert lines.next() == "two \N{GREEK SMALL LETTER MU}\n"
    os.close(write)
    assert [lines.next(), lines.next()] == ["no newline", ""]
    for each in (read, woken, never):
        os.close(each)


def test_a_line_without_end_comes_in_pieces() -> None:
    read, write = os.pipe()
    woken, never = os.pipe()
    lines = DescriptorLines(read, woken, "utf-8", "strict")
    text = "x" * (LONGEST + 5) + "\nnext\n"
    writer = threading.Thread(target=os.write, args=(write, text.encode()))
    writer.start()
    assert [len(lines.next()), lines.next(), lines.next()] == [
        LONGEST, "xxxxx\n", "next\n",
    ]  # fmt: skip
    writer.join()
    for each in (read, write, woken, never):
        os.close(each)


class Late(Interrupts):
    """The signal comes when a line is waited for, and the prompt does not run yet."""

    @contextmanager
    def waiting(self) -> Iterator[None]:
        with super().waiting():
            self.ending.ask(signal.SIGTERM)
            assert self.wake is not None
            self.wake()
            yield


def test_a_prompt_that_begins_after_the_signal_ends() -> None:
    with (
        create_pipe_input() as given,
        create_app_session(input=given, output=DummyOutput()),
        lapis.open("ap-bringup") as session,
    ):
        editor = Editor(None, has_colours=True)
        interrupts = Late(Ending())
        shell = Shell(session._live, editor.face, interrupts)
        with pytest.raises(EndedError):
            editor.serve(shell, interrupts)


def test_an_end_that_was_asked_for_is_seen_before_a_line_is_waited_for() -> None:
    interrupts = Interrupts(Ending(signal.SIGTERM))
    with pytest.raises(EndedError), interrupts.waiting():
        pytest.fail("a line was waited for")
    assert not interrupts.is_waiting
