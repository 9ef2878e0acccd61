"""Raw register values in words: the one place that does it.

Every answer is data as well as a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.apic import ipi as apic_ipi
from lapis_engine.apic import regs
from lapis_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.bits import Bits

MODE_WORDS = {
    "fixed": "FIXED", "lowest": "LOWEST PRIORITY", "smi": "SMI",
    "remote-read": "REMOTE READ", "nmi": "NMI", "init": "INIT", "sipi": "STARTUP",
    "reserved": "reserved mode 7",
}  # fmt: skip
SHORTHAND_WORDS = {
    "self": "self", "all": "all including self", "all-but-self": "all excluding self",
}  # fmt: skip
X2APIC_ONLY = 0x00FF_FFFF_0000_0000
LVT_MODES = (
    "fixed", "reserved 1", "SMI", "reserved 3", "NMI", "INIT", "reserved 6", "ExtINT",
)  # fmt: skip
TIMER_MODES = ("one-shot", "periodic", "TSC-deadline", "reserved")
ESR_BITS = (
    (5, "send illegal vector"), (6, "receive illegal vector"),
    (7, "illegal register address"), (4, "redirectable IPI"),
    (3, "receive accept error"), (2, "send accept error"),
    (1, "receive checksum error"), (0, "send checksum error"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a raw value."""

    name: str
    bits: str
    """High to low, "10:8", or a single number."""
    value: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A raw value in words and in fields."""

    what: str
    raw: int
    text: str
    fields: tuple[Field, ...]


def _field(name: str, where: Bits, raw: int, meaning: str = "") -> Field:
    return Field(name, repr(where).strip("[]"), where.get(raw), meaning)


def icr_text(icr: int, *, x2apic: bool = False) -> str:
    """Put a 64-bit ICR into words, destination last."""
    request = apic_ipi.decode(icr, x2apic=x2apic, sender=0)
    what = MODE_WORDS[request.mode]
    if request.mode == "sipi":
        what += f" vector {request.vector:#04x} (start {request.vector << 12:#x})"
    elif request.mode in {"fixed", "lowest"}:
        what += f" vector {request.vector:#04x}"
    words = [
        what,
        "logical" if request.logical else "physical",
        "assert" if request.assert_ else "de-assert",
        "level" if request.level else "edge",
        _destination(request),
    ]
    return ", ".join(words)


def _destination(request: apic_ipi.Ipi) -> str:
    if request.shorthand != "none":
        return SHORTHAND_WORDS[request.shorthand]
    everyone = 0xFFFF_FFFF if request.x2apic else 0xFF
    if request.destination == everyone:
        return "to everyone (broadcast)"
    name = "logical destination" if request.logical else "APIC id"
    return f"to {name} {request.destination:#x}"


def _icr(raw: int) -> Explanation:
    # Bits 55:32 are reserved in xAPIC mode and part of the destination in x2APIC mode.
    x2apic = bool(raw & X2APIC_ONLY)
    request = apic_ipi.decode(raw, x2apic=x2apic, sender=0)
    destination = regs.ICR_DEST_X2APIC if x2apic else regs.ICR_DEST_XAPIC
    fields = (
        _field("destination", destination, raw),
        _field("shorthand", regs.ICR_SHORTHAND, raw, request.shorthand),
        _field("trigger", regs.ICR_LEVEL, raw, "level" if request.level else "edge"),
        _field(
            "level", regs.ICR_ASSERT, raw, "assert" if request.assert_ else "de-assert"
        ),
        _field("delivery status", regs.ICR_BUSY, raw),
        _field(
            "destination mode", regs.ICR_LOGICAL, raw,
            "logical" if request.logical else "physical",
        ),
        _field("delivery mode", regs.ICR_MODE, raw, MODE_WORDS[request.mode]),
        _field("vector", regs.ICR_VECTOR, raw),
    )  # fmt: skip
    return Explanation("icr", raw, icr_text(raw, x2apic=x2apic), fields)


def _lvt(raw: int) -> Explanation:
    mode = LVT_MODES[regs.LVT_MODE.get(raw)]
    timer = TIMER_MODES[regs.LVT_TIMER_MODE.get(raw)]
    masked = "masked" if raw & regs.LVT_MASKED else "not masked"
    trigger = "level" if raw & regs.LVT_LEVEL else "edge"
    text = f"{mode} vector {raw & 0xFF:#04x}, {trigger}, {masked}, timer {timer}"
    fields = (
        _field("timer mode", regs.LVT_TIMER_MODE, raw, timer),
        _field("mask", regs.LVT_MASKED, raw, masked),
        _field("trigger", regs.LVT_LEVEL, raw, trigger),
        _field("remote IRR", regs.LVT_REMOTE_IRR, raw),
        _field("polarity", regs.LVT_POLARITY, raw),
        _field("delivery status", regs.LVT_BUSY, raw),
        _field("delivery mode", regs.LVT_MODE, raw, mode),
        _field("vector", regs.LVT_VECTOR, raw),
    )
    return Explanation("lvt", raw, text, fields)


def _apicbase(raw: int) -> Explanation:
    mode = ("disabled", "invalid", "xAPIC", "x2APIC")[raw >> 10 & 3]
    who = "BSP" if raw & regs.BASE_BSP else "AP"
    base = raw & regs.BASE_ADDRESS
    fields = (
        _field("base", regs.BASE_ADDRESS, raw),
        _field("EN", regs.BASE_EN, raw),
        _field("EXTD", regs.BASE_EXTD, raw),
        _field("BSP", regs.BASE_BSP, raw, who),
    )
    return Explanation("apicbase", raw, f"{mode}, {who}, page at {base:#x}", fields)


def _svr(raw: int) -> Explanation:
    on = "enabled" if raw & regs.SVR_ENABLED else "disabled by software"
    fields = (
        _field("focus checking off", regs.SVR_FOCUS_OFF, raw),
        _field("APIC software enable", regs.SVR_ENABLED, raw, on),
        _field("spurious vector", regs.SVR_VECTOR, raw),
    )
    text = f"{on}, spurious vector {raw & 0xFF:#04x}"
    return Explanation("svr", raw, text, fields)


def _esr(raw: int) -> Explanation:
    fields = tuple(
        Field(name, str(n), raw >> n & 1, "set" if raw >> n & 1 else "")
        for n, name in sorted(ESR_BITS, reverse=True)
    )
    text = ", ".join(f.name for f in fields if f.value) or "no error"
    return Explanation("esr", raw, text, fields)


EXPLAINERS: dict[str, Callable[[int], Explanation]] = {
    "icr": _icr,
    "lvt": _lvt,
    "apicbase": _apicbase,
    "svr": _svr,
    "esr": _esr,
}


def explain(what: str, raw: int) -> Explanation:
    """Explain `raw` as the register `what`; raise `ConfigError` for an unknown one."""
    if what not in EXPLAINERS:
        known = ", ".join(EXPLAINERS)
        raise ConfigError(f"cannot explain {what!r}; what can be explained is {known}")
    if not 0 <= raw < 1 << 64:
        raise ConfigError(f"{raw:#x} is not a 64-bit value")
    return EXPLAINERS[what](raw)
