"""Standard output and standard error of the program, when they do not take it all.

What a terminal or a file cannot show is written as an escape. Output that nobody takes
ends the program as a shell expects; what is told on standard error is lost quietly.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager, suppress
from io import TextIOBase, TextIOWrapper
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

ESCAPING: Final = "backslashreplace"
STANDARD: Final = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)
"""How descriptors 0 to 2 are filled when they are closed: nothing can be written to 1,
as if it still were, and what is written to 2 goes nowhere."""

STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


class OutputError(Exception):
    """Standard output does not take what is written; nobody of ours catches it."""

    def __init__(self, error: OSError) -> None:
        """Keep what the system said."""
        super().__init__(error.strerror)
        self.is_closed = error.errno in {errno.EPIPE, errno.ECONNRESET}
        """Whether its reader went away, having what it wanted."""


class _Stream(TextIOBase):
    """A stream before the one that there is.

    It has no `buffer`, by which click would go round it where the encoding is ASCII.
    """

    def __init__(self, behind: TextIO) -> None:
        super().__init__()
        self._behind = behind

    @property
    def encoding(self) -> str:  # type: ignore[override]  # none sets it
        return self._behind.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # the same
        return self._behind.errors

    def isatty(self) -> bool:
        return self._behind.isatty()

    def fileno(self) -> int:
        return self._behind.fileno()

    def writable(self) -> bool:
        return True


class _Output(_Stream):
    """Standard output whose errors are told from those of every other file."""

    def write(self, text: str) -> int:
        try:
            return self._behind.write(text)
        except OSError as error:
            raise OutputError(error) from None

    def flush(self) -> None:
        try:
            self._behind.flush()
        except OSError as error:
            raise OutputError(error) from None


class _Told(_Stream):
    """Standard error, whose loss is no reason to end what is being done."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._behind.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._behind.flush()


def fill() -> None:
    """Open what the caller closed of the standard descriptors.

    Else a file that is opened later would be one of them, and be written to by all.
    """
    for number, flags in enumerate(STANDARD):
        try:
            os.fstat(number)
        except OSError:
            # The lowest that is free, which is this one.
            os.set_inheritable(os.open(os.devnull, flags), True)  # noqa: FBT003
    for number, (name, mode) in enumerate(STREAMS):
        if getattr(sys, name) is None:
            stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)


@contextmanager
def told() -> Iterator[None]:
    """Have standard error lose what it does not take, as long as this lasts."""
    if sys.stderr is None:
        yield
        return
    with _replaced("stderr", _Told):
        yield


@contextmanager
def output() -> Iterator[None]:
    """Have standard output raise `OutputError`, at the end at the latest."""
    if sys.stdout is None:
        yield
        return
    with _replaced("stdout", _Output):
        yield
        sys.stdout.flush()


@contextmanager
def _replaced(name: str, kind: type[_Stream]) -> Iterator[None]:
    before = getattr(sys, name)
    errors = before.errors
    if isinstance(before, TextIOWrapper):
        before.reconfigure(errors=ESCAPING)
    setattr(sys, name, kind(before))
    try:
        yield
    finally:
        setattr(sys, name, before)
        _empty(before)
        if isinstance(before, TextIOWrapper):
            before.reconfigure(errors=errors)


def _empty(stream: TextIO) -> None:
    """Leave nothing in a stream that would fail again at the exit of Python."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()
