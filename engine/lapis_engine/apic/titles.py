"""What the registers of the local APIC are called and are for, for whoever reads.

SDM Vol. 3A "Local APIC Register Address Map".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.apic.regs import LVTS, REGISTERS

if TYPE_CHECKING:
    from collections.abc import Mapping


class Title(NamedTuple):
    """One register."""

    name: str
    """SVR, ISR3."""
    text: str
    explained: str | None = None
    """What `explain` calls its values."""


_TEXTS: Final[Mapping[str, str]] = {
    "id": "local APIC id", "version": "version", "tpr": "task priority",
    "apr": "arbitration priority", "ppr": "processor priority",
    "eoi": "end of interrupt", "rrd": "remote read", "ldr": "logical destination",
    "dfr": "destination format", "svr": "spurious vector, and the APIC's enable",
    "esr": "error status", "lvt_cmci": "corrected machine checks",
    "icr": "interrupt command, low half: sends", "icr_high": "whom an IPI is sent to",
    "lvt_timer": "interrupt of the timer", "lvt_thermal": "thermal interrupt",
    "lvt_perf": "performance counter overflow", "lvt_lint0": "pin LINT0",
    "lvt_lint1": "pin LINT1", "lvt_error": "interrupt of errors",
    "timer_initial": "initial count of the timer",
    "timer_current": "current count of the timer",
    "timer_divide": "divisor of the timer's clock", "self_ipi": "IPI to itself",
}  # fmt: skip
_BANKS: Final = {"isr": "in service", "tmr": "level-triggered", "irr": "requested"}
_EXPLAINED: Final[Mapping[str, str]] = {
    **{name: name for name in ("svr", "esr", "tpr", "ppr", "ldr", "dfr", "icr")},
    **dict.fromkeys(LVTS, "lvt"),
    "version": "version",
    "timer_divide": "divide",
}


def of(offset: int) -> Title | None:
    """Return the title of the register at `offset` of the page, or None.

    >>> of(0xF0).name, of(0x130).text, of(0x10)
    ('SVR', 'in service, vectors 60 to 7f', None)
    """
    register = REGISTERS.get(offset)
    if register is None:
        return None
    name = register.name
    shown = name.upper().replace("_", " ")
    bank = _BANKS.get(name[:3])
    if bank is not None and name[3:].isdigit():
        first = 32 * int(name[3:])
        return Title(shown, f"{bank}, vectors {first:02x} to {first + 31:02x}")
    return Title(shown, _TEXTS[name], _EXPLAINED.get(name))
