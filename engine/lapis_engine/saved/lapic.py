"""The saved state of a local APIC, in the field set of bhyve's `vdi_lapic_v1`.

PPR, EOI, RRR and CCR are left out, as there: they follow from the rest. bhyve's
`isrvec_stk` is no part of the record either: where there is one, a load empties it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import access, priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.apicbase import ICR_LOW
from lapis_engine.apic.regs import (
    DFR_MODEL,
    ICR_DEST_X2APIC,
    ICR_DEST_XAPIC,
    LDR_ID,
    LVT_BUSY,
    LVT_MASKED,
    LVT_REMOTE_IRR,
    LVTS,
    REGISTERS,
    SVR_ENABLED,
)
from lapis_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile

WORDS: Final = 8
"""u32 in each of ISR, TMR and IRR."""


class RecordError(EngineError):
    """A saved state was refused; nothing was changed."""

    title = "Bad saved state"

    def __init__(self, field: str, reason: str, why: str) -> None:
        """Name the field, the reason ("BAD_TPR") and the rule that was broken."""
        super().__init__(f"{field}: {reason}: {why}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LapicRecord:
    """`vdi_lapic_v1`. Fields are u32 unless said otherwise."""

    vlp_id: int
    """Bits 31:24 in xAPIC mode, all of it in x2APIC mode."""
    vlp_version: int
    vlp_tpr: int
    vlp_apr: int
    vlp_ldr: int
    vlp_dfr: int
    vlp_svr: int
    vlp_isr: tuple[int, ...]
    """Eight u32, vectors 0 to 31 first; so the next two."""
    vlp_tmr: tuple[int, ...]
    vlp_irr: tuple[int, ...]
    vlp_esr: int
    vlp_lvt_cmci: int
    vlp_icr: int
    """u64: high half in 63:32."""
    vlp_lvt_timer: int
    vlp_lvt_thermal: int
    vlp_lvt_pcint: int
    vlp_lvt_lint0: int
    vlp_lvt_lint1: int
    vlp_lvt_error: int
    vlp_icr_timer: int
    vlp_dcr_timer: int
    vl_msr_apicbase: int
    """u64."""
    vl_timer_target: int
    """i64: ns since the start at which the timer fires; 0 for not armed."""
    vl_esr_pending: int


LONGEST: Final = 40
"""Letters of what the user gave that are repeated to him."""
NAMES: Final = tuple(field.name for field in fields(LapicRecord))
BANKS: Final = ("vlp_isr", "vlp_tmr", "vlp_irr")
WIDTHS: Final = {"vlp_icr": 64, "vl_msr_apicbase": 64, "vl_timer_target": 63}
"""Bits of the fields that are not of 32. A target before the start is none."""
LVT_FIELDS: Final = {
    name: f"vlp_{'lvt_pcint' if name == 'lvt_perf' else name}" for name in LVTS
}
"""Register -> field."""


def words(bank: int) -> tuple[int, ...]:
    """Return a 256-bit register as eight u32, the lowest vectors first."""
    return tuple(bank >> 32 * n & 0xFFFF_FFFF for n in range(WORDS))


def bank(row: tuple[int, ...]) -> int:
    """Return the 256-bit register of eight u32."""
    return sum(word << 32 * n for n, word in enumerate(row))


def export(state: ApicState, profile: Profile) -> LapicRecord:
    """Return the state of an APIC (`vlapic_data_read`)."""
    x2apic = apic_state.mode(state) == "x2apic"
    lvts: dict[str, Any] = {f: getattr(state, name) for name, f in LVT_FIELDS.items()}
    return LapicRecord(
        vlp_id=state.vcpu if x2apic else state.id << 24,
        vlp_version=profile.apic_version,
        vlp_tpr=state.tpr,
        vlp_apr=0,
        vlp_ldr=apic_state.logical_id(state),
        vlp_dfr=state.dfr,
        vlp_svr=state.svr,
        vlp_isr=words(state.isr),
        vlp_tmr=words(state.tmr),
        vlp_irr=words(state.irr),
        vlp_esr=state.esr,
        vlp_icr=state.icr,
        vlp_icr_timer=state.timer_initial,
        vlp_dcr_timer=state.timer_divide,
        vl_msr_apicbase=state.apicbase,
        vl_timer_target=state.timer_deadline or 0,
        vl_esr_pending=state.esr_pending,
        **lvts,
    )


def shown(name: object) -> str:
    """Return a name that the user gave, fit for a sentence."""
    is_name = isinstance(name, str) and name.isidentifier() and len(name) <= LONGEST
    return str(name) if is_name else repr(name)[:LONGEST]


def to_fields(record: LapicRecord) -> dict[str, Any]:
    """Return the record as plain data that JSON can hold, in the order of the C."""
    found = {name: getattr(record, name) for name in NAMES}
    return found | {name: list(found[name]) for name in BANKS}


def from_fields(
    given: Mapping[str, object], base: LapicRecord | None = None
) -> LapicRecord:
    """Return the record of plain data; `base` has what is not given.

    Raises `RecordError`: UNKNOWN for a field that there is not, MISSING for one that
    is not there when there is no `base`, BAD_VALUE for one that does not fit.
    """
    for name in given:
        if name not in NAMES:
            why = "vdi_lapic_v1 has no such field"
            raise RecordError(shown(name), "UNKNOWN", why)
    if base is None:
        for name in NAMES:
            if name not in given:
                raise RecordError(name, "MISSING", "every field must be there")
    values: dict[str, Any] = {}
    for name, value in given.items():
        values[name] = _bank(name, value) if name in BANKS else _number(name, value)
    return LapicRecord(**values) if base is None else replace(base, **values)


def _number(name: str, value: object, where: str = "") -> int:
    bits = WIDTHS.get(name, 32)
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and 0 <= value < 1 << bits
    ):
        return value
    why = f"{repr(value)[:LONGEST]} is not a number from 0 to 2^{bits} - 1"
    raise RecordError(name + where, "BAD_VALUE", why)


def _bank(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or len(value) != WORDS:
        raise RecordError(name, "BAD_VALUE", f"it must be a list of {WORDS} numbers")
    return tuple(_number(name, word, f"[{n}]") for n, word in enumerate(value))


def load(state: ApicState, record: LapicRecord, profile: Profile) -> None:
    """Put a record that was checked onto an APIC, in place (`vlapic_data_write`).

    Bits that a register does not have are dropped. The PPR is computed anew.
    # Differs from bhyve: there it keeps its value until the next event.
    """
    state.apicbase = record.vl_msr_apicbase
    x2apic = apic_state.mode(state) == "x2apic"
    state.id = state.vcpu & 0xFF if x2apic else record.vlp_id >> 24
    state.ldr = 0 if x2apic else record.vlp_ldr & LDR_ID
    state.dfr = record.vlp_dfr & DFR_MODEL | 0x0FFF_FFFF
    _load_masked(state, record, profile)
    state.isr, state.tmr, state.irr = (bank(getattr(record, b)) for b in BANKS)
    state.esr, state.esr_pending = record.vlp_esr, record.vl_esr_pending
    destination = ICR_DEST_X2APIC if x2apic else ICR_DEST_XAPIC
    state.icr = record.vlp_icr & access.ICR_LEGAL & (destination | ICR_LOW)
    state.timer_initial = record.vlp_icr_timer
    state.timer_deadline = record.vl_timer_target or None
    # As bhyve: the stack of a restored APIC is empty, and its checks panic on an ISR
    # that is not (before illumos 12936, FreeBSD). Our own check follows the ISR.
    state.isrvec = None if state.isrvec is None else ()
    if state.isrvec_view is not None:
        state.isrvec_view = tuple(priority.vectors(state.isr))
    priority.set_tpr(state, record.vlp_tpr)


def _load_masked(state: ApicState, record: LapicRecord, profile: Profile) -> None:
    """Load SVR, divider and LVT, cut to the bits that they have.

    While SVR is off every LVT entry is masked ("Local APIC State After It Has Been
    Software Disabled").
    """
    registers = {register.name: register for register in REGISTERS.values()}
    state.svr = record.vlp_svr & access.writable(registers["svr"], profile)
    divide = access.writable(registers["timer_divide"], profile)
    state.timer_divide = record.vlp_dcr_timer & divide
    for name, field in LVT_FIELDS.items():
        kept = access.writable(registers[name], profile) | LVT_BUSY
        if name in {"lvt_lint0", "lvt_lint1"}:
            kept |= LVT_REMOTE_IRR
        masked = 0 if state.svr & SVR_ENABLED else LVT_MASKED
        setattr(state, name, getattr(record, field) & kept | masked)
