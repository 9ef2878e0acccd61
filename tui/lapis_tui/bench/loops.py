"""Loops in 64-bit code on Lapis, beside the same ones on Unicorn without hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.bench import guests, rom
from lapis_tui.bench.bare import HOLE_CALLS, HOOKLESS
from lapis_tui.bench.figure import compared
from lapis_tui.bench.timing import best

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_tui.bench.bare import PlainUnicorn
    from lapis_tui.bench.figure import Figure

INSTRUCTIONS = 20_000_000
"""Of a round of a loop that does not leave the processor."""
READS = 10_000
"""Of a register or of the clock, in a round."""
LEAD = 1_000
"""Instructions that come before, the way from reset to the loop among them."""


def _inside(loop: rom.Loop) -> Machine:
    """Return a machine that goes round and round in a loop."""
    machine = guests.from_reset(rom.image(loop, rom.MOST_ROUNDS))
    guests.run(machine, LEAD)
    return machine


def _rates(loop: rom.Loop, raw: PlainUnicorn, rounds: int) -> tuple[float, float]:
    """Return the rates of a loop here and on Unicorn without hooks."""
    machine, amount = _inside(loop), rounds * loop.amount
    count = rounds * loop.instructions
    ours = best(lambda: guests.run(machine, count), amount)
    return ours, best(lambda: raw.loop(loop, rounds), amount)


def _figure(loop: rom.Loop, raw: PlainUnicorn) -> Figure:
    rounds = INSTRUCTIONS // loop.instructions
    ours, theirs = _rates(loop, raw, rounds)
    return compared(loop.name, loop.unit, ours, theirs, HOOKLESS)


def registers(raw: PlainUnicorn) -> Figure:
    """A loop in registers: what counting costs."""
    return _figure(rom.REGISTERS, raw)


def on_data(raw: PlainUnicorn) -> Figure:
    """A load and a store on a page that may not be executed."""
    return _figure(rom.ON_DATA, raw)


def on_code(raw: PlainUnicorn) -> Figure:
    """The same on a page that may be: each store asks whether it hits code."""
    return _figure(rom.ON_CODE, raw)


def rdtsc(raw: PlainUnicorn) -> Figure:
    """Reads of the time-stamp counter, which is the machine's here, not the host's."""
    loop = rom.RDTSC
    ours, theirs = _rates(loop, raw, READS)
    return compared(loop.name, loop.unit, ours, theirs, HOOKLESS, 5_000_000)


def apic_reads(raw: PlainUnicorn) -> Figure:
    """Reads of the APIC ID register by MMIO, served in the engine."""
    loop = rom.APIC
    machine = _inside(loop)
    ours = best(lambda: guests.run(machine, READS * loop.instructions), READS)
    theirs = best(lambda: raw.holes(READS), READS)
    return compared(loop.name, loop.unit, ours, theirs, HOLE_CALLS, 1_000_000)


MEASURES = (registers, on_data, on_code, rdtsc)
