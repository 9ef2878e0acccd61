"""Ends that come from outside: signals, and terminals that go away.

The first signal asks: whoever works comes to an end, closes what is open and restores
the terminal, and then the process dies of that signal, as the shell expects. A second
one does not wait. A hang-up is sent twice when a terminal is closed, by the shell and
by the system, and asks only once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_sessions.errors import LeftError, RecordingError
from lapis_tui import output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

    from lapis_sessions.session import Session
    from lapis_sessions.timeline.way import Way

NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
SIGNALS: Final = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
"""Those that ask for an end, as far as the system has them."""
HANG_UP: Final[int] = getattr(signal, "SIGHUP", signal.SIGTERM)
SLICE: Final = 10_000
"""Instructions between two looks for an end: they take a second where each one exits on
a slow machine. By count and not by time, so that not even what is noticed between two
slices differs from one run to the next."""
BY_SIGNAL: Final = 128
"""A status above this says which signal it was."""


class EndedError(Exception):
    """A signal broke off what can be left at any time."""

    def __init__(self, ending: Ending) -> None:
        """Tell which end was asked for."""
        super().__init__(f"{named(ending.number)}: broken off")
        self.ending = ending


@dataclass(slots=True)
class Ending:
    """Whether an end was asked for, and by what."""

    number: int = 0
    """The signal, 0 while there was none."""
    last: Callable[[], None] | None = None
    """Done in haste when a second signal comes."""

    @property
    def asked(self) -> bool:
        """Whether no more is wanted."""
        return self.number != 0

    @property
    def status(self) -> int:
        """The exit status, once it was asked for."""
        return BY_SIGNAL + self.number

    def pace(self, left: int) -> int:
        """Return the size of the next slice, 0 when the run is to be broken off."""
        return 0 if self.asked else min(left, SLICE)

    def watch(self, way: Way) -> bool:
        """Tell that a way goes on; raise `LeftError` when it is to be broken off."""
        if self.asked:
            raise LeftError(
                f"broken off at instruction {way.at}; the machine is left on the way"
            )
        return True

    def ask(self, number: int) -> None:
        """Ask for the end, as signal `number` does."""
        self.number = self.number or number

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        if not self.asked:
            self.ask(number)
            if self.last is None:  # what the system does needs no bytecode to end
                for each in SIGNALS:
                    signal.signal(each, signal.SIG_DFL)
            if HANG_UP in SIGNALS:
                signal.signal(HANG_UP, signal.SIG_IGN)
            return
        if self.last is not None:
            self.last()
        die(number)


@contextmanager
def listening() -> Iterator[Ending]:
    """Turn signals into an `Ending` for a while; those that are ignored stay so."""
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler not in {signal.SIG_IGN, None}:
            signal.signal(number, ending.handle)
    try:
        yield ending
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def until_asked(pieces: Iterable[bytes], ending: Ending) -> Iterator[bytes]:
    """Yield `pieces` until an end is asked for; raise `EndedError` then.

    It is looked at between two pieces: what a signal raises while the processor calls
    back is lost there.
    """
    for piece in pieces:
        if ending.asked:
            raise EndedError(ending)
        yield piece


@contextmanager
def closing(session: Session, ending: Ending) -> Iterator[None]:
    """Close the recording of `session` whatever happens; say where it is.

    Raises `RecordingError` when it cannot be closed and the end was not asked for.
    """
    intact = True
    try:
        yield
    except Exception as error:
        intact = isinstance(error, LapisError)  # else it is a fault of ours
        raise
    finally:
        writer = session.writer
        try:
            session.close(intact=intact)
        except RecordingError as error:
            if not ending.asked:
                raise
            tell(str(error))
        else:
            if ending.asked and writer is not None:
                tell(f"{named(ending.number)}: recorded to {str(writer.path)!r}")


def named(number: int) -> str:
    """Return the name of a signal."""
    return signal.Signals(number).name


def tell(sentence: str) -> None:
    """Say it on standard error, if that is still there."""
    with suppress(OSError, ValueError):
        output.tell(sentence)


def leave(status: int) -> int:
    """Return `status`, or die of the signal that it says."""
    number = status - BY_SIGNAL
    if number in SIGNALS:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        die(number)
    return status


def die(number: int) -> None:
    """End as if nobody had handled the signal."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
