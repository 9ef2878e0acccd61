"""What the guest reads from and writes to its APIC, by MMIO and by MSR.

SDM Vol. 3A "Local APIC Register Address Map" and "x2APIC Register Availability".
A None from the MSR side is #GP(0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import ipi, priority, timer
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.ipi import Ipi
from lapis_engine.apic.regs import (
    BASE_ADDRESS,
    BASE_BSP,
    BASE_EN,
    BASE_EXTD,
    CMCI_INDEX,
    DFR_MODEL,
    ESR_ILLEGAL_REGISTER,
    ESR_SEND_ILLEGAL,
    LVT_BUSY,
    LVT_MASKED,
    LVT_REMOTE_IRR,
    LVTS,
    REGISTERS,
    SVR_ENABLED,
    VERSION_MAX_LVT,
    Register,
)
from lapis_engine.events import ApicModeChanged, Event, TimerArmed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles import Profile

Outcome = tuple[Event | Ipi, ...]
"""What happened, and what must be carried to other APICs, in order."""

ALL_ONES = 0xFFFF_FFFF
MSR_BASE, MSR_END = 0x800, 0x8FF
BANKS = {"isr", "tmr", "irr"}
BASE_LEGAL = BASE_ADDRESS | BASE_EN | BASE_EXTD | BASE_BSP
ICR_LEGAL = 0xFFFF_FFFF_000C_CFFF


# The page.


def read_mmio(
    state: ApicState, offset: int, size: int, now: int, profile: Profile
) -> int:
    """Read `size` bytes at `offset` of the page.

    Registers are 4 bytes at multiples of 16. # As bhyve: bytes 4 to 15 read 0, and
    what lies inside a register is cut from it; the SDM leaves both undefined.
    """
    within = offset & 0xF
    register = _register(offset - within, profile)
    if register is None or "r" not in register.xapic:
        return _illegal(state, profile)
    value = peek(state, offset - within, now, profile)
    return (value >> (8 * within)) & ((1 << (8 * size)) - 1)


def write_mmio(
    state: ApicState, offset: int, size: int, value: int, now: int, profile: Profile
) -> Outcome:
    """Write `size` bytes at `offset`; anything but 4 bytes at a multiple of 16 is lost.

    # As bhyve: the SDM leaves such writes undefined.
    """
    register = _register(offset, profile)
    if size != 4 or offset & 0xF:
        return ()
    if register is None or "w" not in register.xapic:
        _illegal(state, profile)
        return ()
    if register.name == "icr":
        return _write_icr(state, (state.icr & ~ALL_ONES) | value, profile)
    if register.name == "icr_high":
        state.icr = (value & register.writable) << 32 | (state.icr & ALL_ONES)
        return ()
    return _write(state, register, value & register.writable, now, profile)


def _illegal(state: ApicState, profile: Profile) -> int:
    if profile.illegal_register_sets_esr:
        state.esr_pending |= ESR_ILLEGAL_REGISTER
    return 0


# The MSRs.


def read_msr(state: ApicState, msr: int, now: int, profile: Profile) -> int | None:
    """Return an x2APIC register, or None for #GP(0)."""
    register = _msr_register(state, msr, profile)
    if register is None or "r" not in register.x2apic:
        return None
    if register.name == "icr":
        return state.icr
    return peek(state, register.offset, now, profile)


def write_msr(
    state: ApicState, msr: int, value: int, now: int, profile: Profile
) -> Outcome | None:
    """Write an x2APIC register; None for #GP(0)."""
    register = _msr_register(state, msr, profile)
    if register is None or "w" not in register.x2apic:
        return None
    if register.name == "icr":
        strict = profile.x2apic_checks_reserved and value & ~ICR_LEGAL
        return None if strict else _write_icr(state, value, profile)
    if profile.x2apic_checks_reserved and value & ~_legal(register):
        return None
    if register.name == "self_ipi":
        request = ipi.encode("fixed", vector=value & 0xFF, shorthand="self")
        return _send(state, request, profile)
    return _write(state, register, value & register.writable, now, profile)


def _msr_register(state: ApicState, msr: int, profile: Profile) -> Register | None:
    if apic_state.mode(state) != "x2apic" or not MSR_BASE <= msr <= MSR_END:
        return None
    return _register((msr - MSR_BASE) << 4, profile)


def _legal(register: Register) -> int:
    """Return the bits that a WRMSR may set: the read-only ones are not reserved."""
    if register.name in {"eoi", "esr"}:
        return 0
    read_only = LVT_BUSY if register.name in LVTS else 0
    if register.name in {"lvt_lint0", "lvt_lint1"}:
        read_only |= LVT_REMOTE_IRR
    return register.writable | read_only


def write_apicbase(state: ApicState, value: int, profile: Profile) -> Outcome | None:
    """Write APICBASE; None for #GP(0).

    SDM Vol. 3A "x2APIC State Transitions": disabled to xAPIC, xAPIC to x2APIC, any to
    disabled. As bhyve: illumos lets the guest change EN only (`vlapic_set_apicbase`).
    On the way to x2APIC mode the id that software wrote, the LDR and the upper half of
    the ICR are lost ("State Changes From xAPIC Mode to x2APIC Mode").
    """
    before, was = apic_state.mode(state), state.apicbase
    after = apic_state.MODES[(value & (BASE_EN | BASE_EXTD)) >> 10]
    if value & ~BASE_LEGAL or (value ^ was) & BASE_BSP or after == "invalid":
        return None
    if (before, after) in {("x2apic", "xapic"), ("disabled", "x2apic")}:
        return None
    if (value ^ was) & BASE_EXTD and not profile.x2apic_by_guest:
        return None
    if (value ^ was) & BASE_ADDRESS and not profile.apicbase_relocates:
        return None
    state.apicbase = value
    if before == after:
        return ()
    if after == "disabled" and profile.apic_disable_resets:
        apic_state.clear(state)
        state.id = state.vcpu & 0xFF
    elif after == "x2apic":
        state.id, state.ldr = state.vcpu & 0xFF, 0
        state.icr &= ALL_ONES
    return (ApicModeChanged(state.vcpu, before, after, apic_state.base(state)),)


# CR8.


def read_cr8(state: ApicState) -> int:
    """Return CR8: TPR bits 7:4 (SDM Vol. 3A "Interaction of TPR and CR8")."""
    return state.tpr >> 4


def write_cr8(state: ApicState, value: int) -> Outcome | None:
    """Set TPR bits 7:4 from CR8; None for #GP(0) when bits above 3 are set."""
    if value >> 4:
        return None
    priority.set_tpr(state, value << 4)
    return ()


# Registers.


def _register(offset: int, profile: Profile) -> Register | None:
    """Return the register at `offset`; CMCI is there when the version says so."""
    register = REGISTERS.get(offset)
    if register is None or register.name != "lvt_cmci":
        return register
    there = VERSION_MAX_LVT.get(profile.apic_version) >= CMCI_INDEX
    return register if there else None


def peek(state: ApicState, offset: int, now: int, profile: Profile) -> int:
    """Return the register at `offset` without any side effect; 0 for the others."""
    register = _register(offset, profile)
    if register is None:
        return 0
    name = register.name
    if name[:3] in BANKS and name[3:].isdigit():
        return int(getattr(state, name[:3])) >> (32 * int(name[3:])) & ALL_ONES
    if name in _COMPUTED:
        return _COMPUTED[name](state, now, profile)
    return int(getattr(state, name, 0))


def _id(state: ApicState, _now: int, _profile: Profile) -> int:
    wide = apic_state.mode(state) == "x2apic"
    return state.vcpu if wide else state.id << 24


_COMPUTED: dict[str, Callable[[ApicState, int, Profile], int]] = {
    "id": _id,
    "version": lambda _state, _now, profile: profile.apic_version,
    "ldr": lambda state, _now, _profile: apic_state.logical_id(state),
    "icr": lambda state, _now, _profile: state.icr & ALL_ONES,
    "icr_high": lambda state, _now, _profile: state.icr >> 32,
    "timer_current": timer.current_count,
}


def _write(
    state: ApicState, register: Register, value: int, now: int, profile: Profile
) -> Outcome:
    """Store a value cut to the register's writable bits, and do what follows."""
    name = register.name
    match name:
        case "tpr":
            priority.set_tpr(state, value)
        case "eoi":
            return (priority.eoi(state),)
        case "id":
            state.id = value >> 24
        case "dfr":
            state.dfr = value & DFR_MODEL | 0x0FFF_FFFF
        case "svr":
            return _write_svr(state, value, now, profile)
        case "esr":
            state.esr, state.esr_pending = state.esr_pending, 0
        case "timer_initial":
            return (timer.write_initial(state, value, now, profile),)
        case _ if name in LVTS:
            masked = 0 if state.svr & SVR_ENABLED else LVT_MASKED
            setattr(state, name, value | masked)
        case _:
            setattr(state, name, value)
    return ()


def _write_svr(state: ApicState, value: int, now: int, profile: Profile) -> Outcome:
    """SVR: switching off masks every LVT.

    # As bhyve: it stops the timer too, and switching on starts a periodic one again
    (`vlapic_svr_write_handler`); the SDM masks and lets it count.
    """
    changed = (state.svr ^ value) & SVR_ENABLED
    state.svr = value
    if not changed:
        return ()
    if value & SVR_ENABLED:
        return timer.restart(state, now, profile)
    for name in LVTS:
        setattr(state, name, getattr(state, name) | LVT_MASKED)
    if state.timer_deadline is None:
        return ()
    state.timer_deadline = None
    return (TimerArmed(state.vcpu, None),)


def _write_icr(state: ApicState, value: int, profile: Profile) -> Outcome:
    """Store the ICR and send; the delivery status bit never reads 1."""
    state.icr = value & ICR_LEGAL
    return _send(state, state.icr, profile)


def _send(state: ApicState, icr: int, profile: Profile) -> Outcome:
    x2apic = apic_state.mode(state) == "x2apic"
    request = ipi.decode(icr, x2apic=x2apic, sender=state.vcpu)
    if ipi.is_vector_illegal(request, profile):
        state.esr_pending |= ESR_SEND_ILLEGAL
    return (request,)
