"""What the guest reads from and writes to its APIC, by MMIO and by MSR.

SDM Vol. 3A "Local APIC Register Address Map" and "x2APIC Register Availability".
A None from the MSR side is #GP(0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules, lvt, priority, timer
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.outcome import Failed, Outcome
from lapis_engine.apic.regs import (
    CMCI_INDEX,
    DFR_MODEL,
    ESR_ILLEGAL_REGISTER,
    ESR_RECEIVE_ILLEGAL,
    ESR_SEND_ILLEGAL,
    LVT_BUSY,
    LVT_MASKED,
    LVT_REMOTE_IRR,
    LVTS,
    REGISTERS,
    SVR_ENABLED,
    SVR_EOI_SUPPRESSED,
    UNFLAGGED,
    VERSION_EOI_SUPPRESSION,
    VERSION_MAX_LVT,
    X2APIC_LEGACY,
    Register,
)
from lapis_engine.events import Oddity

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.apic.state import ApicState
    from lapis_engine.profiles.switches import Profile

ALL_ONES: Final = 0xFFFF_FFFF
MSR_BASE: Final = 0x800
MSR_END: Final = 0x8FF
BANKS: Final = {"isr", "tmr", "irr"}
ICR_LEGAL: Final = 0xFFFF_FFFF_000C_CFFF
ICR_RESERVED: Final = 0xFFF3_2000
"""Bits 31:20, 17:16 and 13 of the low half; bit 12 is read-only."""
RESERVED_ICR_BITS: Final = "reserved ICR bits"
"""Name of the oddity that an ICR with some of them set is."""


# The page.


def refusal(offset: int, size: int, profile: Profile, *, write: bool) -> str | None:
    """Say why an access by MMIO makes `vm_run` fail, for its place and size alone."""
    if profile.mmio_malformed != "einval":
        return None
    if write:
        malformed = size != 4 or offset & 0xF
        why = f"APIC write of {size} bytes at offset {offset:#x}"
    else:
        malformed = offset & 0xF > 3
        why = f"APIC read at offset {offset:#x}, outside any register"
    return why if malformed else None


def read_mmio(
    state: ApicState, offset: int, size: int, now: int, profile: Profile
) -> tuple[int, Outcome]:
    """Read `size` bytes at `offset` of the page; return them and what came of it.

    Registers are 4 bytes at multiples of 16; all else is undefined (SDM), and goes by
    the profile.
    """
    within = offset & 0xF
    why = refusal(offset, size, profile, write=False)
    if why is not None:
        return 0, (Failed(state.vcpu, "EINVAL", why),)
    register = _register(offset - within, profile)
    if register is None or "r" not in register.xapic:
        return 0, _illegal(state, profile)
    value = peek(state, offset - within, now, profile)
    return _part(value, within, profile) & ((1 << (8 * size)) - 1), ()


def _part(value: int, within: int, profile: Profile) -> int:
    """Return what a read that begins `within` bytes into a register gets of it."""
    if within > 3:
        return 0  # As bhyve: bytes 4 to 15 read 0
    if profile.mmio_subregister == "cut":
        return value >> (8 * within)
    shift = 8 * within if profile.mmio_subregister == "shifted" else 0
    return value << shift


def write_mmio(
    state: ApicState, offset: int, size: int, value: int, now: int, profile: Profile
) -> Outcome:
    """Write `size` bytes at `offset`; only 4 bytes at a multiple of 16 are a write.

    # As bhyve: anything else is lost, or makes vm_run fail; the SDM leaves it
    undefined.
    """
    if size != 4 or offset & 0xF:
        why = refusal(offset, size, profile, write=True)
        return () if why is None else (Failed(state.vcpu, "EINVAL", why),)
    register = _register(offset, profile)
    if register is None or "w" not in register.xapic:
        quiet = register is not None and register.name in UNFLAGGED
        return () if quiet else _illegal(state, profile)
    if register.name == "icr":
        odd = _reserved(state, value)
        return odd + _write_icr(state, (state.icr & ~ALL_ONES) | value, profile)
    if register.name == "icr_high":
        state.icr = (value & register.writable) << 32 | (state.icr & ALL_ONES)
        return ()
    if register.name == "id" and not profile.xapic_id_writable:
        return ()
    return _write(state, register, value, now, profile)


def _reserved(state: ApicState, icr: int) -> Outcome:
    if not icr & ICR_RESERVED:
        return ()
    text = f"ICR {icr:#x} has reserved bits {icr & ICR_RESERVED:#x} set"
    return (Oddity(state.vcpu, RESERVED_ICR_BITS, text),)


def _illegal(state: ApicState, profile: Profile) -> Outcome:
    if not profile.illegal_register_sets_esr:
        return ()
    return lvt.error(state, ESR_ILLEGAL_REGISTER, profile)


# The MSRs.


def read_msr(state: ApicState, msr: int, now: int, profile: Profile) -> int | None:
    """Return an x2APIC register, or None for #GP(0)."""
    if _is_idle(state, profile):
        return 0
    register = _msr_register(state, msr, "r", profile)
    if register is None:
        return None
    if register.name == "icr":
        return state.icr
    if register.name == "dfr":
        return 0
    return peek(state, register.offset, now, profile)


def write_msr(
    state: ApicState, msr: int, value: int, now: int, profile: Profile
) -> Outcome | None:
    """Write an x2APIC register; None for #GP(0)."""
    if _is_idle(state, profile):
        return ()
    register = _msr_register(state, msr, "w", profile)
    if register is None:
        return None
    if profile.x2apic_checks_reserved and value & ~_legal(register, profile):
        return None
    # As bhyve: the ESR takes 0 only, also where reserved bits are masked elsewhere.
    if register.name == "esr" and value:
        return None
    if register.name == "icr":
        return _reserved(state, value & ALL_ONES) + _write_icr(state, value, profile)
    if register.name == "self_ipi":
        return _self_ipi(state, value & 0xFF, profile)
    if register.name in X2APIC_LEGACY:
        return ()
    return _write(state, register, value & ALL_ONES, now, profile)


def _self_ipi(state: ApicState, vector: int, profile: Profile) -> Outcome:
    """SELF IPI: a fixed edge to this processor (SDM "SELF IPI Register")."""
    if vector < priority.LOWEST_LEGAL and not profile.receive_illegal_sets_esr:
        # As bhyve: `lapic_set_intr` refuses it without a trace.
        return (priority.accept(state, vector, level=False, source="self ipi"),)
    icr = apic_icr.encode("fixed", vector=vector, shorthand="self")
    return _send(state, icr, profile)


def _is_idle(state: ApicState, profile: Profile) -> bool:
    """Tell whether the MSRs do nothing: FreeBSD, outside x2APIC mode."""
    return not profile.x2apic_msrs_checked and apic_state.mode(state) != "x2apic"


def _msr_register(
    state: ApicState, msr: int, access: str, profile: Profile
) -> Register | None:
    """Return the register behind `msr` if it can be accessed so ("r" or "w")."""
    if apic_state.mode(state) != "x2apic" or not MSR_BASE <= msr <= MSR_END:
        return None
    register = _register((msr - MSR_BASE) << 4, profile)
    if register is None:
        return None
    allowed = register.x2apic
    if profile.x2apic_legacy_registers:
        allowed = X2APIC_LEGACY.get(register.name, allowed)
    return register if access in allowed else None


def _legal(register: Register, profile: Profile) -> int:
    """Return the bits that a WRMSR may set: the read-only ones are not reserved."""
    if register.name in {"eoi", "esr"}:
        return 0
    if register.name == "icr":
        return ICR_LEGAL
    read_only = LVT_BUSY if register.name in LVTS else 0
    if register.name in {"lvt_lint0", "lvt_lint1"}:
        read_only |= LVT_REMOTE_IRR
    return writable(register, profile) | read_only


def writable(register: Register, profile: Profile) -> int:
    """Return the bits of a register that a write can set under this profile."""
    name, bits = register.name, register.writable
    if name == "svr" and not profile.apic_version & VERSION_EOI_SUPPRESSION:
        bits &= ~SVR_EOI_SUPPRESSED
    if name == "lvt_timer" and not profile.tsc_deadline:
        bits &= ~(1 << 18)
    if profile.lvt_status_writable and name in LVTS:
        bits |= LVT_BUSY
        bits |= LVT_REMOTE_IRR if name in {"lvt_lint0", "lvt_lint1"} else 0
    if name == "timer_divide" and profile.divide_kept_raw:
        bits = ALL_ONES
    return bits


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


_COMPUTED: Final[dict[str, Callable[[ApicState, int, Profile], int]]] = {
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
    value &= writable(register, profile)
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
            return timer.write_initial(state, value, now, profile)
        case "timer_divide":
            return timer.write_divide(state, value, now, profile)
        case _ if name in LVTS:
            return _write_lvt(state, name, value, profile)
        case _:
            setattr(state, name, value)
    return ()


def _write_lvt(state: ApicState, name: str, value: int, profile: Profile) -> Outcome:
    """LVT entries: read-only bits stay, and all are masked while SVR is off."""
    kept = 0 if profile.lvt_status_writable else LVT_BUSY | LVT_REMOTE_IRR
    value |= getattr(state, name) & kept
    value |= 0 if state.svr & SVR_ENABLED else LVT_MASKED
    out: Outcome = ()
    if name == "lvt_timer":
        out = timer.write_lvt(state, value, profile)
    else:
        setattr(state, name, value)
    illegal = value & 0xFF < priority.LOWEST_LEGAL and not lvt.mode(value, name)
    if illegal and profile.lvt_write_checks_vector:
        return out + lvt.error(state, ESR_RECEIVE_ILLEGAL, profile)
    return out


def _write_svr(state: ApicState, value: int, now: int, profile: Profile) -> Outcome:
    """SVR: switching off masks every LVT entry.

    # As bhyve: it stops the timer too, and switching on starts a periodic one again
    (`vlapic_svr_write_handler`); the SDM masks and lets it count.
    """
    changed = (state.svr ^ value) & SVR_ENABLED
    state.svr = value
    if not changed:
        return ()
    if value & SVR_ENABLED:
        return timer.restart(state, now, profile) if profile.svr_stops_timer else ()
    for name in LVTS:
        setattr(state, name, getattr(state, name) | LVT_MASKED)
    return timer.stop(state) if profile.svr_stops_timer else ()


def _write_icr(state: ApicState, value: int, profile: Profile) -> Outcome:
    """Store the ICR and send; the delivery status bit never reads 1."""
    state.icr = value & ICR_LEGAL
    return _send(state, state.icr, profile)


def _send(state: ApicState, icr: int, profile: Profile) -> Outcome:
    x2apic = apic_state.mode(state) == "x2apic"
    request = apic_icr.decode(icr, x2apic=x2apic, sender=state.vcpu)
    if not icr_rules.is_vector_illegal(request, profile):
        return (request,)
    return (request, *lvt.error(state, ESR_SEND_ILLEGAL, profile))
