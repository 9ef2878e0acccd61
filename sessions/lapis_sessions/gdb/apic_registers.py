"""The local APIC as registers: a record of all of it, and what is watched most.

`info registers apic` shows the record, and `$apic[0].svr` is a part of it; `apic_ppr`
and its like can be had by themselves, as for `display/x $apic_ppr`.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.apic import state as apic_state
from lapis_engine.apic import timer as apic_timer
from lapis_engine.apic.regs import LVTS
from lapis_sessions.gdb.register import Owner, Read, Register, by_apic, record_of

VECTORS: Final = ("irr", "isr", "tmr")
HIGHEST: Final = {"irrv": "irr", "isrv": "isr"}
"""The highest vector of a bank, -1 when it is empty."""


def apic() -> tuple[Register, ...]:
    """Return `org.lapis.apic`."""
    return (record_of("apic", _parts()), *_alone())


def _parts() -> tuple[Register, ...]:
    """Return the parts, the widest first: so there is no gap between them."""
    return (
        _one("icr", 64, _of_apic("icr"), "lapis_icr"),
        _one("base", 64, _of_apic("apicbase"), "lapis_apic_base"),
        _one("tsc_deadline", 64, _of_apic("tsc_deadline")),
        _one("timer_deadline", 64, _deadline, "int64"),
        *(_one(name, 256, _of_apic(name), "lapis_vectors") for name in VECTORS),
        *(_one(name, 32, _highest(of), "int32") for name, of in HIGHEST.items()),
        _one("tpr", 32, _of_apic("tpr"), by="tpr"),
        _one("ppr", 32, _of_apic("ppr")),
        _one("id", 32, lambda owner: apic_state.apic_id(owner.vcpu.apic)),
        _one("ldr", 32, lambda owner: apic_state.logical_id(owner.vcpu.apic), by="ldr"),
        _one("dfr", 32, _of_apic("dfr"), by="dfr"),
        _one("svr", 32, _of_apic("svr"), "lapis_svr", "svr"),
        _one("esr", 32, _of_apic("esr"), "lapis_esr"),
        *(_one(name, 32, _of_apic(name), _lvt(name), name) for name in LVTS),
        _one("timer_initial", 32, _of_apic("timer_initial"), by="timer_initial"),
        _one("timer_current", 32, _timer),
        _one("timer_divisor", 32, lambda owner: apic_timer.divisor(owner.vcpu.apic)),
        _one("version", 32, lambda owner: owner.machine.config.profile.apic_version),
    )


def _alone() -> tuple[Register, ...]:
    """Return what has a name of its own."""
    return (
        Register("apic_tpr", 32, _of_apic("tpr"), "int32", "apic", by_apic("tpr")),
        Register("apic_ppr", 32, _of_apic("ppr"), "int32", "apic"),
        *(
            Register(f"apic_{name}", 32, _highest(of), "int32", "apic")
            for name, of in HIGHEST.items()
        ),
        Register("apic_icr", 64, _of_apic("icr"), "lapis_icr", "apic"),
    )


def _one(name: str, bits: int, read: Read, kind: str = "", by: str = "") -> Register:
    usual = f"uint{bits}"
    return Register(name, bits, read, kind or usual, write=by_apic(by) if by else None)


def _lvt(name: str) -> str:
    return "lapis_lvt_timer" if name == "lvt_timer" else "lapis_lvt"


def _of_apic(name: str) -> Read:
    return lambda owner: int(getattr(owner.vcpu.apic, name))


def _highest(name: str) -> Read:
    return lambda owner: int(getattr(owner.vcpu.apic, name)).bit_length() - 1


def _timer(owner: Owner) -> int:
    machine, profile = owner.machine, owner.machine.config.profile
    return apic_timer.current_count(owner.vcpu.apic, machine.now, profile)


def _deadline(owner: Owner) -> int:
    """Return when the timer fires, in ns of virtual time, or -1."""
    at = owner.vcpu.apic.timer_deadline
    return -1 if at is None else at
