"""The two 8259s line by line, and where their INTR goes.

Intel 8259A datasheet "Interrupt Sequence"; bhyve `vlapic_trigger_lvt` for LINT0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.pic import priority as pic
from lapis_engine.devices.pic.regs import CASCADE
from lapis_engine.why import gates, holders, pic_inputs
from lapis_engine.why.reason import Reason, blocks
from lapis_sessions.views import ioapic, why

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.devices.pic.state import ChipState, PicState
    from lapis_engine.machine.machine import Machine
    from lapis_engine.why.holders import Holders
    from lapis_sessions.views.events import EventView

LINES: Final = 8
"""Of one chip."""


@dataclass(frozen=True, slots=True)
class PicLineView:
    """An input of an 8259."""

    irq: int
    """ISA line, 0 to 15; of the master 2 is the slave's INT."""
    vector: int
    high: bool
    """The level of the input."""
    asserted: int
    """How many hold it."""
    holders: tuple[str, ...]
    """Devices that do, as far as they tell."""
    requested: bool
    """IRR."""
    in_service: bool
    masked: bool
    level: bool
    """It is level-triggered, by the ELCR or by LTIM."""
    reasons: tuple[Reason, ...]
    """What stands in the way of INTR now."""


@dataclass(frozen=True, slots=True)
class PicView:
    """An 8259."""

    chip: str
    """master or slave."""
    base: int
    irr: int
    isr: int
    imr: int
    elcr: int
    ready: bool
    auto_eoi: bool
    nested: bool
    """Special fully nested mode."""
    special_mask: bool
    rotating: bool
    """Priorities rotate at each automatic EOI."""
    lowest: int
    """Input of lowest priority; the next one is the highest."""
    awaits: tuple[int, ...]
    """Initialisation command words still to come."""
    asks: bool
    """Its INT output."""
    spurious: bool
    """A request has gone before INTA, which will give the vector of input 7."""
    gives: int | None
    """Vector that INTA would give now; None while nothing asks, and of the slave."""
    reaches: tuple[int, ...]
    """vCPUs to which INTR is led; none of the slave, which asks the master."""
    reasons: tuple[Reason, ...]
    """Why INTR does not get through to the others."""
    lines: tuple[PicLineView, ...]


def of(machine: Machine, held: Holders | None = None) -> tuple[PicView, ...]:
    """Return the two 8259s, the master first; nothing where there are none.

    `held` is what `holders.holders` says of the machine, if somebody has asked already.
    """
    state = machine.vm.pic
    if state is None:
        return ()
    held = held or holders.holders(machine)
    return (
        _chip(machine, state, state.master, held),
        _chip(machine, state, state.slave, held),
    )


def _chip(machine: Machine, state: PicState, chip: ChipState, held: Holders) -> PicView:
    is_master = chip is state.master
    reached, barred = _ways(machine) if is_master else ((), ())
    asks = pic.asks(state, chip)
    return PicView(
        chip="master" if is_master else "slave",
        base=chip.base,
        irr=pic.requests(chip),
        isr=chip.isr,
        imr=chip.imr,
        elcr=chip.elcr,
        ready=chip.ready,
        auto_eoi=chip.auto_eoi,
        nested=chip.nested,
        special_mask=chip.special_mask,
        rotating=chip.rotating,
        lowest=chip.lowest,
        awaits=chip.expected,
        asks=asks,
        spurious=chip.gone or (asks and pic.candidate(state, chip) is None),
        gives=pic.peek(state) if is_master else None,
        reaches=reached,
        reasons=barred,
        lines=tuple(_line(state, chip, n, held) for n in range(LINES)),
    )


def _ways(machine: Machine) -> tuple[tuple[int, ...], tuple[Reason, ...]]:
    """Return who takes INTR by LINT0, and why the others do not."""
    reached, barred = [], []
    for vcpu in machine.vcpus:
        found = [
            blocks(rule, text, f"vcpu {vcpu.id}", lint0=vcpu.apic.lvt_lint0)
            for rule, text in pic_inputs.way(vcpu, f"vCPU {vcpu.id} would take INTR")
        ]
        barred += found
        if not found:
            reached.append(vcpu.id)
    return tuple(reached), tuple(barred)


def _line(state: PicState, chip: ChipState, pin: int, held: Holders) -> PicLineView:
    bit, irq = 1 << pin, pin + (0 if chip is state.master else LINES)
    level = 0xFF if chip.level_triggered else chip.elcr
    return PicLineView(
        irq=irq,
        vector=chip.base + pin,
        high=bool(chip.lines & bit),
        asserted=chip.counts[pin],
        holders=tuple(held.lines.get(irq, ())),
        requested=bool(pic.requests(chip) & bit),
        in_service=bool(chip.isr & bit),
        masked=bool(chip.imr & bit),
        level=bool(level & bit),
        reasons=tuple(_bars(state, chip, pin)),
    )


def _bars(state: PicState, chip: ChipState, pin: int) -> Iterator[Reason]:
    """Yield what keeps an input from raising INTR."""
    bit, irr, imr = 1 << pin, pic.requests(chip), chip.imr
    if not chip.ready:
        words = ", ".join(f"ICW{n}" for n in chip.expected) or "ICW1"
        yield blocks("not-ready", f"the chip is not initialised: it awaits {words}")
    if imr & bit:
        yield blocks("pic-mask", f"it is masked (IMR {imr:#04x})", imr=imr)
    if chip is state.slave and state.master.imr >> CASCADE & 1:
        text = f"the master masks input 2, the slave's (IMR {state.master.imr:#04x})"
        yield blocks("cascade-mask", text, imr=state.master.imr)
    if not irr & bit:
        yield blocks("line", f"it is not requested (IRR {irr:#04x})", irr=irr)
    elif chip.ready and not imr & bit and pic.candidate(state, chip) != pin:
        text = f"another goes before it (IRR {irr:#04x}, ISR {chip.isr:#04x})"
        yield blocks("pic-priority", text, irr=irr, isr=chip.isr)


def told_of_spurious(machine: Machine, event: EventView) -> EventView:
    """Say of an event of a LINT that the ExtINT which it asks for will be spurious.

    Others are returned as they are.
    """
    if event.kind != "lvt" or event.own.get("mode") != "extint":
        return event
    vector = gates.extint(machine.vm, machine.vcpu(event.vcpu))
    found = None if vector is None else pic_inputs.spurious(machine.vm)
    if found is None:
        return event
    text = f"{event.text}; INTA will give vector {vector:#04x}: {found.text}"
    return replace(event, text=text)


def line_text(view: PicLineView) -> str:
    """Return one line in words."""
    words = [
        f"ISA line {view.irq}, vector {view.vector:#04x}:",
        "level" if view.level else "edge",
        f"input {'high' if view.high else 'low'}",
        ioapic.held(view.asserted, view.holders),
    ]
    names = ("requested", view.requested), ("in service", view.in_service)
    words += [name for name, is_so in (*names, ("masked", view.masked)) if is_so]
    head = f"{words[0]} {', '.join(words[1:])}"
    return "\n".join([head, *why.bars(view.reasons)])


def text(rows: Sequence[PicView]) -> str:
    """Return the two 8259s, one line per chip."""
    return "\n".join(
        f"{r.chip:<6}  base {r.base:#04x}  IRR {r.irr:#04x}  "
        f"ISR {r.isr:#04x}  IMR {r.imr:#04x}  ELCR {r.elcr:#04x}"
        + ("" if r.ready else "  not initialised")
        for r in rows
    )
