"""The registers of a local APIC in words, each as short as a column of a screen is.

What a raw value means in full, field by field, `lapis_engine.explain` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lapis_engine import explain
from lapis_engine.apic import destination, regs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.explain import Field
    from lapis_sessions.views.apic import ApicView

NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class RegisterView:
    """One register: its name, its value as the guest reads it, and what that means."""

    name: str
    raw: int
    digits: int
    """Hex digits that it has."""
    text: str
    is_off: bool = False
    """Whether it does nothing: an entry that is masked."""


def controls(apic: ApicView) -> tuple[RegisterView, ...]:
    """Return the registers that say whether the APIC is on, and what it is called."""
    out = [
        RegisterView("SVR", apic.svr, 4, _svr(apic.svr)),
        RegisterView("ESR", apic.esr, 2, explain.explain("esr", apic.esr).text),
        RegisterView("LDR", apic.ldr, 8, _logical(apic)),
    ]
    if apic.mode != "x2apic":
        model = "cluster" if _is_cluster(apic) else "flat"
        out.append(RegisterView("DFR", apic.dfr, 8, f"{model} model"))
    return tuple(out)


def _svr(raw: int) -> str:
    on = "on" if raw & regs.SVR_ENABLED else "off"
    words = [on, f"spurious {raw & regs.SVR_VECTOR:02x}"]
    words += ["no EOI broadcast"] if raw & regs.SVR_EOI_SUPPRESSED else []
    return ", ".join(words)


def _is_cluster(apic: ApicView) -> bool:
    return regs.DFR_MODEL.get(apic.dfr) == destination.CLUSTER


def _logical(apic: ApicView) -> str:
    """Say what logical destinations reach it (SDM "Determining IPI Destination")."""
    if apic.mode == "x2apic":
        cluster, members = apic.ldr >> 16, apic.ldr & 0xFFFF
        return f"cluster {cluster:x}, member {_bits(members)}"
    mine = regs.LDR_ID.get(apic.ldr)
    if _is_cluster(apic):
        return f"cluster {mine >> 4:x}, member {_bits(mine & 0xF)}"
    return f"bit {_bits(mine)}" if mine else "no logical id"


def _bits(mask: int) -> str:
    found = [f"{n}" for n in range(mask.bit_length()) if mask >> n & 1]
    return " ".join(found) or NONE


def entries(apic: ApicView) -> tuple[RegisterView, ...]:
    """Return the local vector table."""
    return tuple(
        RegisterView(
            name, each.raw, 5, _entry(name, each.raw),
            is_off=bool(each.raw & regs.LVT_MASKED),
        )
        for name, each in apic.lvt.items()
    )  # fmt: skip


def _entry(name: str, raw: int) -> str:
    mode = explain.LVT_MODES[regs.LVT_MODE.get(raw)]
    vector = f"{raw & regs.LVT_VECTOR:02x}"
    if name == "timer":
        words = [f"{explain.TIMER_MODES[regs.LVT_TIMER_MODE.get(raw)]} {vector}"]
    else:
        words = [f"{mode} {vector}" if mode in {"fixed", "SMI"} else mode]
    flags = (
        (regs.LVT_LEVEL, "level"), (regs.LVT_POLARITY, "low"),
        (regs.LVT_REMOTE_IRR, "remote IRR"), (regs.LVT_BUSY, "pending"),
        (regs.LVT_MASKED, "masked"),
    )  # fmt: skip
    return " ".join([*words, *(text for bit, text in flags if raw & bit)])


def timer(apic: ApicView) -> tuple[RegisterView, ...]:
    """Return the timer: what is left of the initial count, how fast, and how long."""
    its = apic.timer
    left = "stopped"
    if its.deadline is not None:
        left = f"{max(its.deadline - its.now, 0):,} ns left"
    text = f"of {its.initial:x}, clock / {its.divisor}, {left}"
    return (RegisterView("count", its.count, 8, text),)


@lru_cache(maxsize=256)
def fields(what: str, raw: int) -> tuple[Field, ...]:
    """Return the fields of a raw value, high to low, as `explain` has them."""
    return explain.explain(what, raw).fields


def words(found: Iterable[int]) -> tuple[int, ...]:
    """Return a register of vectors as its eight words of 32 bits, the lowest first.

    >>> [f"{word:x}" for word in words([0x31, 0x5F])]
    ['0', '20000', '80000000', '0', '0', '0', '0', '0']
    """
    out = [0] * 8
    for vector in found:
        out[vector >> 5] |= 1 << (vector & 0x1F)
    return tuple(out)
