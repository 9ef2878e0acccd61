"""Event breakpoints: the machine stops right after an event that somebody waits for.

What a guest prints is no event of the history: it is watched as it is printed. They are
the debugger's, as breakpoints are: the guest never notices them, and a snapshot does
not hold them. Without any the history has no observer here.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, get_args

from lapis_engine.apic.regs import MODES
from lapis_engine.apic.state import MODES as APIC_MODES
from lapis_engine.cpu.fault import NMI_VECTOR
from lapis_engine.errors import EngineError
from lapis_engine.events import (
    ApicModeChanged,
    DebugHit,
    EngineFault,
    Event,
    ExceptionRaised,
    Exited,
    ExtIntDelivered,
    InitReceived,
    Interfered,
    IpiSent,
    Linted,
    ModeChanged,
    MsrAccessed,
    NmiDelivered,
    Rebooted,
    RunStateChanged,
    SipiReceived,
    TimerFired,
    VectorAccepted,
    VectorDelivered,
    VectorEnded,
)
from lapis_engine.explain.events import describe
from lapis_engine.vmm import exits
from lapis_engine.vmm.printing import Printing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapis_engine.events import Logged
    from lapis_engine.machine.stop import Stop

CONSOLE: Final = "console"
MOST_TEXT: Final = 1000
"""Bytes of a text that is waited for."""
_TOGETHER: Final[dict[str, tuple[type, ...]]] = {
    "ipi": (IpiSent,),
    "accept": (VectorAccepted,),
    "deliver": (VectorDelivered, NmiDelivered, ExtIntDelivered),
    "eoi": (VectorEnded,),
    "boot": (InitReceived, SipiReceived, RunStateChanged),
    "timer": (TimerFired,),
    "exit": (Exited,),
    "msr": (MsrAccessed,),
    "mode": (ModeChanged, ApicModeChanged),
    "exception": (ExceptionRaised,),
    "debug": (DebugHit,),
    "reset": (Rebooted,),
    "fault": (EngineFault,),
    "lint": (Linted,),
    "interfere": (Interfered,),
    CONSOLE: (),
}
EVENTS: Final = {
    **_TOGETHER,
    **{each.kind: (each,) for each in get_args(Event) if each.kind not in _TOGETHER},
    "any": get_args(Event),
}
"""What can be waited for, and the records that count as it: some kinds of events go
together, and each other kind goes by its own name."""


@dataclass(slots=True)
class Catch:
    """One event breakpoint; a condition that is None holds for every event."""

    number: int
    """From 1; 0 is one that is there for a single run (`Catches.looking_for`)."""
    event: str
    """A key of `EVENTS`."""
    vcpu: int | None = None
    """The vCPU that it happens to; of an IPI the sender."""
    vector: int | None = None
    mode: str | None = None
    """Delivery mode of an IPI, init or sipi of boot; the mode that is entered."""
    to: int | None = None
    """A target of an IPI, among others."""
    code: str | None = None
    """Of an exit."""
    msr: int | None = None
    text: bytes | None = None
    """What a console prints, in one piece; None is any byte."""
    port: str | None = None
    """The console."""
    once: bool = False
    """Gone after the first stop."""
    hits: int = 0
    """Stops that it caused."""
    when: Callable[[Event], bool] | None = None
    """Asked about an event that meets all else whether it is to stop."""
    condition: str | None = None
    """What `when` asks, as the user wrote it."""


CONDITIONS: Final[dict[str, frozenset[str]]] = {
    "vector": frozenset(
        {"ipi", "accept", "deliver", "eoi", "boot", "sipi", "timer", "exception"}
    ),
    "mode": frozenset({"ipi", "boot", "mode", "interfere"}),
    "to": frozenset({"ipi"}),
    "code": frozenset({"exit"}),
    "msr": frozenset({"msr"}),
    "text": frozenset({CONSOLE}),
    "port": frozenset({CONSOLE}),
    "vcpu": frozenset(EVENTS) - {CONSOLE},
    "condition": frozenset(EVENTS) - {CONSOLE},
}
"""Which events have what a condition is about."""
MODES_OF: Final[dict[str, tuple[str, ...]]] = {
    "ipi": MODES,
    "interfere": MODES,
    "boot": ("init", "sipi"),
    "mode": ("real", "protected", "compat", "long", *APIC_MODES),
}
CODES: Final = frozenset(kind.code for kind in get_args(exits.Exit))
"""Codes of exits."""


def vector(event: Event) -> int | None:
    """Return the vector that an event is about, or None when it has none."""
    if isinstance(event, IpiSent):
        return event.icr & 0xFF
    if isinstance(event, NmiDelivered):
        return NMI_VECTOR
    found = getattr(event, "vector", None)
    return found if isinstance(found, int) else None


def mode(event: Event) -> str | None:
    """Return the mode that an event is about, or None when it has none."""
    match event:
        case InitReceived():
            return "init"
        case SipiReceived():
            return "sipi"
        case ModeChanged() | ApicModeChanged():
            return event.after
        case IpiSent() | Interfered():
            return event.mode
        case _:
            return None


def matches(catch: Catch, event: Event) -> bool:
    """Tell whether `catch` waits for just this event."""
    if not isinstance(event, EVENTS[catch.event]):
        return False
    wanted: tuple[tuple[object, Callable[[], object]], ...] = (
        (catch.vcpu, lambda: event.vcpu),
        (catch.vector, lambda: vector(event)),
        (catch.mode, lambda: mode(event)),
        (catch.msr, lambda: getattr(event, "msr", None)),
        (catch.code, lambda: getattr(event, "code", None)),
    )
    if any(value is not None and value != find() for value, find in wanted):
        return False
    if catch.to is not None and catch.to not in getattr(event, "targets", ()):
        return False
    return catch.when is None or catch.when(event)


def last(catch: Catch) -> int | None:
    """Return the byte with which what `catch` waits for ends; None is any."""
    return catch.text[-1] if catch.text else None


def prints(catch: Catch, port: str, printed: bytearray, new: int) -> bool:
    """Tell whether a port has just printed what `catch` waits for.

    `new` bytes at the end of `printed` are what it did not see yet.
    """
    if catch.event != CONSOLE or catch.port not in {None, port}:
        return False
    if catch.text is None:
        return True
    return (
        printed.find(catch.text, max(len(printed) - new - len(catch.text) + 1, 0)) >= 0
    )


def _check(catch: Catch) -> None:
    """Raise `EngineError` for a condition that no event of this kind can meet."""
    event = catch.event
    for name, having in CONDITIONS.items():
        if getattr(catch, name) is not None and event not in having:
            known = ", ".join(sorted(having))
            raise EngineError(f"catch {event} has no {name}; these have: {known}")
    if catch.text is not None and not 1 <= len(catch.text) <= MOST_TEXT:
        raise EngineError(
            f"catch console: a text of {len(catch.text)} bytes: 1 to {MOST_TEXT}"
        )
    if catch.vector is not None and not 0 <= catch.vector <= 0xFF:
        raise EngineError(f"vector {catch.vector:#x}: vectors are 8 bits")
    modes = MODES_OF.get(event, ())
    if catch.mode is not None and catch.mode not in modes:
        raise EngineError(f"{event} has no mode {catch.mode!r}: {', '.join(modes)}")
    if catch.code is not None and catch.code not in CODES:
        known = ", ".join(sorted(CODES))
        raise EngineError(f"there is no exit {catch.code!r}: {known}")


class Catches:
    """The event breakpoints of one machine."""

    def __init__(
        self,
        observers: list[Callable[[Logged], None]],
        printing: list[Printing],
        stop: Callable[[], None],
    ) -> None:
        """Have none.

        `observers` are those of the history, `printing` those of what the guest prints;
        `stop` stops the machine.
        """
        self._observers = observers
        self._printing = printing
        self._mine: list[Printing] = []
        """Those of `printing` that are ours."""
        self._stop = stop
        self.items: list[Catch] = []
        """By number."""
        self._next = 1
        self._caught: tuple[Catch, Event | tuple[str, bytes]] | None = None
        """What was caught, and the event, or the port and the bytes that it printed."""
        self._more = 0

    def add(self, event: str, *, once: bool = False, **conditions: Any) -> Catch:
        """Wait for an event; conditions are fields of `Catch`. Raise `EngineError`."""
        if event not in EVENTS:
            raise EngineError(f"there is no event {event!r}: {', '.join(EVENTS)}")
        catch = Catch(self._next, event, once=once, **conditions)
        _check(catch)
        self._next += 1
        self.items.append(catch)
        self.attend()
        return catch

    def remove(self, number: int | None = None) -> None:
        """Take one away, or all; raise `EngineError` when there is no such one."""
        kept = [c for c in self.items if number is not None and c.number != number]
        if number is not None and len(kept) == len(self.items):
            known = ", ".join(str(catch.number) for catch in self.items) or "none"
            raise EngineError(f"there is no catch {number}; there are: {known}")
        self.items[:] = kept
        self.attend()

    @contextmanager
    def looking_for(self, catch: Catch) -> Iterator[None]:
        """Wait for one more event within, before all others; nothing stays of it.

        `catch` has the number 0, which no other has. Raises `EngineError`.
        """
        _check(catch)
        self.items.insert(0, catch)
        self.attend()
        try:
            yield
        finally:
            self.items.remove(catch)
            self.attend()

    def attend(self) -> None:
        """Observe while there is something to wait for: else it costs nothing."""
        self.rest()
        if any(catch.event != CONSOLE for catch in self.items):
            self._observers.append(self._observe)
        self._mine = [
            Printing(partial(self._see, catch), last(catch))
            for catch in self.items
            if catch.event == CONSOLE
        ]
        self._printing += self._mine

    def rest(self) -> None:
        """Wait for nothing, until `attend`."""
        if self._observe in self._observers:
            self._observers.remove(self._observe)
        for each in self._mine:
            self._printing.remove(each)
        self._mine = []

    def _observe(self, logged: Logged) -> None:
        for catch in self.items:
            if matches(catch, logged.event):
                self._catch(catch, logged.event)
                return

    def _see(self, catch: Catch, port: str, printed: bytearray, new: int) -> None:
        if prints(catch, port, printed, new):
            self._catch(catch, (port, bytes(printed[-new:])))

    def _catch(self, catch: Catch, what: Event | tuple[str, bytes]) -> None:
        if self._caught is None:
            self._caught = catch, what
        else:
            self._more += 1
        self._stop()

    def forget(self) -> None:
        """Forget what was caught before a run: the user's own acts stop nothing."""
        self._caught, self._more = None, 0

    @property
    def has_caught(self) -> bool:
        """Tell whether something was caught that nobody has been told of."""
        return self._caught is not None

    def told(self, stop: Stop) -> Stop:
        """Return `stop`, or the stop at what was caught in its place.

        The exit that the event came with, if any, stays in it.
        """
        if self._caught is None:
            return stop
        (catch, what), more = self._caught, self._more
        self.forget()
        catch.hits += 1
        if catch.once:
            self.remove(catch.number)
        tail = f" (and {more} more at once)" if more else ""
        if isinstance(what, tuple):
            said, who = _printed(catch, *what), -1
        else:
            said, who = describe(what), what.vcpu
        ours = f"catch {catch.number}, " if catch.number else ""
        text = f"{ours}{catch.event}: {said}{tail}"
        who = who if who >= 0 else stop.vcpu
        return replace(stop, reason="catch", vcpu=who, text=text, catch=catch.number)


def _printed(catch: Catch, port: str, new: bytes) -> str:
    text = (catch.text or new).decode("utf-8", "backslashreplace")
    return f"{port} printed {text!r}"
