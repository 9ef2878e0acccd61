"""Which registers of the APIC are plain now (`lapis_engine.plain`).

All that can be read is. Of writes that of the TPR is where no vector waits that it
might let through, and that of the EOI where no vector waits and none is a level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import access, priority, timer
from lapis_engine.apic.regs import REGISTERS
from lapis_engine.plain import Plain, PlainWrite
from lapis_engine.units import NS

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile

SIZE: Final = 4
"""Bytes of an access by MMIO; others are for `access` to judge."""
EOI: Final = 0xB0
"""Offset of the EOI register in the page."""
EOI_MSR: Final = access.MSR_BASE + (EOI >> 4)
TPR_MOST: Final = 0xFF


def read_mmio(
    state: ApicState, offset: int, size: int, now: int, profile: Profile
) -> Plain | None:
    """Return what a read at `offset` of the page gives, or None if it is not plain."""
    register = REGISTERS.get(offset)
    if size != SIZE or register is None or "r" not in register.xapic:
        return None
    value, outcome = access.read_mmio(state, offset, size, now, profile)
    return None if outcome else _over_time(state, register.name, value, now, profile)


def read_msr(state: ApicState, msr: int, now: int, profile: Profile) -> Plain | None:
    """Return what a RDMSR of an x2APIC register gives, or None if it is not plain."""
    value = access.read_msr(state, msr, now, profile)
    register = REGISTERS.get(_offset(msr))
    if value is None or register is None:
        return None
    return _over_time(state, register.name, value, now, profile)


def _over_time(
    state: ApicState, name: str, value: int, now: int, profile: Profile
) -> Plain | None:
    """Return `value`, which a register has at `now`; the current count falls."""
    if name != "timer_current" or not value:
        return Plain(value)
    due = state.timer_deadline
    assert due is not None, "a count that is not 0 is on its way to a deadline"
    ticks = NS * timer.divisor(state)
    found = Plain(0, due, profile.apic_timer_hz, ticks, falls=True, until=due)
    # Rounding may show one tick more than the initial count, which is not read.
    return found if found.at(now) == value else None


def _offset(msr: int) -> int:
    """Return where in the page the register of an MSR is."""
    return (msr - access.MSR_BASE) << 4


def write_msr(state: ApicState, msr: int) -> PlainWrite | None:
    """Return which WRMSR of an x2APIC register are plain, or None."""
    return write_mmio(state, _offset(msr))


def write_mmio(state: ApicState, offset: int) -> PlainWrite | None:
    """Return which writes at `offset` of the page are plain, or None."""
    register = REGISTERS.get(offset)
    name = None if register is None else register.name
    if name == "tpr":
        if priority.deliverable(state) is not None:
            return None
        waits = max(priority.highest(state.irr), 0)
        return PlainWrite(waits & 0xF0, TPR_MOST, kept=TPR_MOST)
    if name == "eoi" and not state.irr and not state.isr & state.tmr:
        return PlainWrite(0, 0, kept=0, times=state.isr.bit_count())
    return None
