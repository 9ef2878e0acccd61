"""The IOAPIC pin by pin: its entry, who holds it, whom it reaches, and what bars it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from lapis_engine.devices.ioapic import pins, regs
from lapis_engine.events import PinChanged
from lapis_engine.explain import explain
from lapis_engine.machine.log import KEPT
from lapis_engine.why import holders, ioapic_pins, recipients
from lapis_sessions.plain import FLAT
from lapis_sessions.views import why

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lapis_engine.devices.ioapic.pins import Pin
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.why.holders import Holders
    from lapis_engine.why.reason import Reason


@dataclass(frozen=True, slots=True)
class PinView:
    """A pin of the IOAPIC."""

    pin: int
    entry: int
    asserted: int
    """How many hold it."""
    text: str
    """The entry in words."""
    vector: int
    mode: str
    """fixed, lowest, smi, nmi, init, extint, reserved."""
    level: bool
    active_low: bool
    masked: bool
    remote_irr: bool
    busy: bool
    """Delivery status."""
    destination: str
    """Whom the entry names, in words."""
    reaches: tuple[int, ...]
    """vCPUs that have that destination now, ascending."""
    holders: tuple[str, ...]
    """Devices that hold it, as far as they tell; `asserted` counts all."""
    reasons: tuple[Reason, ...]
    """What stands in the way of a message now, the nearest to the pin first."""


@dataclass(frozen=True, slots=True)
class IoApicView:
    """The IOAPIC."""

    id: int
    version: int
    pins: tuple[PinView, ...]


def of(machine: Machine, held: Holders | None = None) -> IoApicView | None:
    """Return the IOAPIC, pin by pin; None where there is none.

    `held` is what `holders.holders` says of the machine, if somebody has asked already.
    """
    state = machine.vm.ioapic
    if state is None:
        return None
    held = held or holders.holders(machine)
    rows = tuple(
        _pin(machine, pin, tuple(held.pins.get(pin.number, ())))
        for pin in pins.peek(state)
    )
    return IoApicView(state.id >> regs.ID_BITS.lo, state.version, rows)


def _pin(machine: Machine, pin: Pin, names: tuple[str, ...]) -> PinView:
    way, entry = ioapic_pins.reach(machine, pin), pin.redirection
    return PinView(
        pin=pin.number,
        entry=pin.entry,
        asserted=pin.count,
        text=_words(pin.entry),
        vector=entry.vector,
        mode=entry.mode,
        level=entry.level,
        active_low=entry.active_low,
        masked=entry.masked,
        remote_irr=entry.remote_irr,
        busy=bool(pin.entry & regs.BUSY),
        destination=recipients.destination(ioapic_pins.message(entry)),
        reaches=way.vcpus,
        holders=names,
        reasons=way.reasons,
    )


@lru_cache(1024)
def _words(entry: int) -> str:
    """Return an entry in words: most of them stay as they are between pictures."""
    return explain("rte", entry).text


def rises(events: Iterable[Logged]) -> dict[int, int]:
    """Return how often each pin rose in `events`; those that did not are not there."""
    out: dict[int, int] = {}
    for logged in events:
        event = logged.event
        if isinstance(event, PinChanged) and event.asserted and event.count == 1:
            out[event.pin] = out.get(event.pin, 0) + 1
    return out


@dataclass(frozen=True, slots=True)
class PinDetail:
    """One pin, and what it did as far as events are kept."""

    view: PinView = field(metadata=FLAT)
    rose: int
    """How often, in the last events."""
    kept: int
    """Events that were looked at."""


def detail(machine: Machine, view: PinView) -> PinDetail:
    """Return one pin with what the last events say of it."""
    events = machine.log.last(KEPT)
    return PinDetail(view, rises(events).get(view.pin, 0), len(events))


def rose(count: int) -> str:
    """Return how often a pin rose, in words.

    >>> rose(0), rose(1), rose(2), rose(12)
    ('never rose', 'rose once', 'rose twice', 'rose 12 times')
    """
    often = ("once", "twice")[count - 1] if 0 < count < 3 else f"{count} times"
    return f"rose {often}" if count else "never rose"


def named(count: int, names: Sequence[str]) -> list[str]:
    """Return who holds a line; others are the user, or a plug-in that tells nothing.

    >>> named(2, ["com1"]), named(1, ["com1"])
    (['com1', 'others'], ['com1'])
    """
    return [*names, "others"] if count > len(names) else [*names]


def held(count: int, names: Sequence[str]) -> str:
    """Return by whom a line is held, in words.

    >>> held(2, ["com1"]), held(0, [])
    ('held by 2: com1, others', 'held by nobody')
    """
    if not count:
        return "held by nobody"
    return f"held by {count}: {', '.join(named(count, names))}"


def text(view: IoApicView) -> str:
    """Return the IOAPIC, one line per pin."""
    head = f"IOAPIC {view.id:#x}, version {view.version:#x}"
    rows = [
        f"{row.pin:>3}  {row.entry:#018x}  asserted {row.asserted}  {row.text}"
        for row in view.pins
    ]
    return "\n".join([head, *rows])


def detail_text(it: PinDetail) -> str:
    """Return one pin in words."""
    view = it.view
    names = ", ".join(f"vCPU {number}" for number in view.reaches) or "nobody"
    return "\n".join([
        f"IOAPIC pin {view.pin}, entry {view.entry:#018x}: {view.text}",
        f"  {held(view.asserted, view.holders)}",
        f"  {rose(it.rose)} in the last {it.kept} events",
        f"  {view.destination} is {names} now",
        *why.bars(view.reasons),
    ])  # fmt: skip
