"""Registers of the local APIC in words.

SDM Vol. 3A "Local Vector Table", "Error Handling", "Task and Processor Priorities",
"Determining IPI Destination", "APIC Timer". The interrupt command register is in `icr`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import destination as apic_destination
from lapis_engine.apic import regs
from lapis_engine.apic.timer import DIVISORS
from lapis_engine.bits import bit, bits
from lapis_engine.explain.fields import explained, legality, set_if

if TYPE_CHECKING:
    from lapis_engine.explain.fields import Explanation

LVT_MODES: Final = (
    "fixed", "reserved 1", "SMI", "reserved 3", "NMI", "INIT", "reserved 6", "ExtINT",
)  # fmt: skip
TIMER_MODES: Final = ("one-shot", "periodic", "TSC-deadline", "reserved")
ESR_BITS: Final = (
    (7, "illegal register address"), (6, "receive illegal vector"),
    (5, "send illegal vector"), (4, "redirectable IPI"),
    (3, "receive accept error"), (2, "send accept error"),
    (1, "receive checksum error"), (0, "send checksum error"),
)  # fmt: skip
CLASS: Final = bits(7, 4)
SUB_CLASS: Final = bits(3, 0)
"""TPR and PPR: priority class and sub-class."""
X2APIC_CLUSTER: Final = bits(31, 16)
X2APIC_MEMBERS: Final = bits(15, 0)
DFR_ONES: Final = bits(27, 0)
VERSION_NUMBER: Final = bits(7, 0)


def lvt_text(raw: int) -> str:
    """Put what every entry of the local vector table has into words."""
    mode = LVT_MODES[regs.LVT_MODE.get(raw)]
    masked = "masked" if raw & regs.LVT_MASKED else "not masked"
    trigger = "level" if raw & regs.LVT_LEVEL else "edge"
    return f"{mode} vector {raw & 0xFF:#04x}, {trigger}, {masked}"


def lvt(raw: int) -> Explanation:
    """Explain an entry of the local vector table, whichever it is."""
    mode = LVT_MODES[regs.LVT_MODE.get(raw)]
    timer = TIMER_MODES[regs.LVT_TIMER_MODE.get(raw)]
    masked = "masked" if raw & regs.LVT_MASKED else "not masked"
    trigger = "level" if raw & regs.LVT_LEVEL else "edge"
    text = f"{lvt_text(raw)}, timer {timer}"
    rows = (
        ("timer mode", regs.LVT_TIMER_MODE, timer),
        ("mask", regs.LVT_MASKED, masked),
        ("trigger", regs.LVT_LEVEL, trigger),
        ("remote IRR", regs.LVT_REMOTE_IRR, ""),
        ("polarity", regs.LVT_POLARITY, ""),
        ("delivery status", regs.LVT_BUSY, ""),
        ("delivery mode", regs.LVT_MODE, mode),
        ("vector", regs.LVT_VECTOR, legality(raw, mode == "fixed")),
    )
    return explained("lvt", raw, text, rows)


def apicbase(raw: int) -> Explanation:
    """Explain MSR IA32_APIC_BASE."""
    mode = ("disabled", "invalid", "xAPIC", "x2APIC")[raw >> 10 & 3]
    who = "BSP" if raw & regs.BASE_BSP else "AP"
    base = raw & regs.BASE_ADDRESS
    rows = (
        ("base", regs.BASE_ADDRESS, ""),
        ("EN", regs.BASE_EN, ""),
        ("EXTD", regs.BASE_EXTD, ""),
        ("BSP", regs.BASE_BSP, who),
    )
    return explained("apicbase", raw, f"{mode}, {who}, page at {base:#x}", rows)


def svr(raw: int) -> Explanation:
    """Explain the spurious-interrupt vector register."""
    on = "enabled" if raw & regs.SVR_ENABLED else "disabled by software"
    suppressed = set_if(raw & regs.SVR_EOI_SUPPRESSED, "EOIs stay with this APIC")
    focus = set_if(raw & regs.SVR_FOCUS_OFF, "off")
    words = [on, f"spurious vector {raw & 0xFF:#04x}"]
    words += ["EOI broadcasts suppressed"] if suppressed else []
    words += ["focus checking off"] if focus else []
    rows = (
        ("EOI-broadcast suppression", regs.SVR_EOI_SUPPRESSED, suppressed),
        ("focus checking off", regs.SVR_FOCUS_OFF, focus),
        ("APIC software enable", regs.SVR_ENABLED, on),
        ("spurious vector", regs.SVR_VECTOR, ""),
    )
    return explained("svr", raw, ", ".join(words), rows)


def esr(raw: int) -> Explanation:
    """Explain the error status register."""
    rows = tuple((name, bit(n), set_if(raw >> n & 1, "set")) for n, name in ESR_BITS)
    text = ", ".join(name for n, name in ESR_BITS if raw >> n & 1) or "no error"
    return explained("esr", raw, text, rows)


def tpr(raw: int) -> Explanation:
    """Explain the task-priority register."""
    found = CLASS.get(raw)
    last = found << 4 | 0xF
    text = f"class {found}: vectors up to {last:#04x} wait; CR8 reads {found:#x}"
    return _priority("tpr", raw, text)


def ppr(raw: int) -> Explanation:
    """Explain the processor-priority register."""
    first = (CLASS.get(raw) + 1) << 4
    what = f"vectors from {first:#04x} are" if first <= 0xF0 else "no vector is"
    return _priority("ppr", raw, f"class {CLASS.get(raw)}: {what} delivered")


def _priority(what: str, raw: int, text: str) -> Explanation:
    rows = (("priority class", CLASS, ""), ("sub-class", SUB_CLASS, ""))
    return explained(what, raw, text, rows)


def ldr(raw: int) -> Explanation:
    """Explain the logical destination register; one with bits 15:0 is x2APIC mode's."""
    if raw & X2APIC_MEMBERS:
        cluster, members = X2APIC_CLUSTER.get(raw), X2APIC_MEMBERS.get(raw)
        text = f"x2APIC: cluster {cluster:#x}, member {_numbers(members)}"
        return explained(
            "ldr", raw, text,
            (("cluster", X2APIC_CLUSTER, ""), ("members", X2APIC_MEMBERS, "")),
        )  # fmt: skip
    mine = regs.LDR_ID.get(raw)
    text = (
        f"flat model: {_numbers(mine)}; cluster model: cluster {mine >> 4:#x}, member "
        f"{_numbers(mine & 0xF)}"
    )
    return explained("ldr", raw, text, (("logical id", regs.LDR_ID, ""),))


def _numbers(mask: int) -> str:
    found = [str(n) for n in range(mask.bit_length()) if mask >> n & 1]
    return (
        f"{'bits' if len(found) > 1 else 'bit'} {', '.join(found)}" if found else "none"
    )


def dfr(raw: int) -> Explanation:
    """Explain the destination format register."""
    models = {apic_destination.FLAT: "flat", apic_destination.CLUSTER: "cluster"}
    model = models.get(regs.DFR_MODEL.get(raw), "reserved")
    rows = (("model", regs.DFR_MODEL, model), ("ones", DFR_ONES, "always ones"))
    return explained("dfr", raw, f"{model} model of logical destinations", rows)


def divide(raw: int) -> Explanation:
    """Explain the divide configuration register."""
    high, low = regs.DIVIDE[1], regs.DIVIDE[0]
    by = DIVISORS[high.get(raw) << 2 | low.get(raw)]
    rows = (("value, bit 2", high, ""), ("value, bits 1:0", low, ""))
    return explained("divide", raw, f"the timer counts at its clock / {by}", rows)


def version(raw: int) -> Explanation:
    """Explain the version register."""
    last = regs.VERSION_MAX_LVT.get(raw)
    number = VERSION_NUMBER.get(raw)
    can = bool(raw & regs.VERSION_EOI_SUPPRESSION)
    text = f"version {number:#04x}, {last + 1} LVT entries, EOI-broadcast suppression "
    rows = (
        (
            "EOI-broadcast suppression",
            regs.VERSION_EOI_SUPPRESSION,
            "yes" if can else "no",
        ),
        ("highest LVT index", regs.VERSION_MAX_LVT, f"{last + 1} entries"),
        ("version", VERSION_NUMBER, "82489DX" if number < 0x10 else "integrated"),
    )
    return explained(
        "version", raw, text + ("can be had" if can else "is not there"), rows
    )
