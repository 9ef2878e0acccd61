"""The memory type range registers of a vCPU, as ranges.

SDM Vol. 3A "Memory Type Range Registers (MTRRs)". They have no effect here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.page_formats import MAXPHYADDR
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

CAP, DEF_TYPE, FIRST = 0xFE, 0x2FF, 0x200
TYPES: Final = {0: "UC", 1: "WC", 4: "WT", 5: "WP", 6: "WB"}
FIXED: Final = (
    (0x250, 0, 0x1_0000), (0x258, 0x8_0000, 0x4000), (0x259, 0xA_0000, 0x4000),
    *((0x268 + n, 0xC_0000 + 0x8000 * n, 0x1000) for n in range(8)),
)  # fmt: skip
"""MSR, first address and size of each of its eight ranges."""


@dataclass(frozen=True, slots=True)
class MtrrRange:
    """A range of physical addresses with one type."""

    name: str
    """fixed, or variable and its number."""
    first: int
    last: int
    type: str
    active: bool
    """It counts: E, and FE of a fixed one, is set."""


@dataclass(frozen=True, slots=True)
class MtrrAnswer:
    """All of them."""

    vcpu: int
    cap: int
    """IA32_MTRRCAP."""
    def_type: int
    """IA32_MTRR_DEF_TYPE."""
    ranges: tuple[MtrrRange, ...]
    """Fixed ones first, each run of one type once; variable ones that are valid."""
    text: str
    """One sentence."""


def mtrr(machine: Machine, number: int) -> MtrrAnswer:
    """Return the MTRRs of a vCPU; raise `EngineError` where it has none."""
    cap, default = machine.read_msr(number, CAP), machine.read_msr(number, DEF_TYPE)
    is_on, is_fixed_on = bool(default >> 11 & 1), bool(default >> 10 & 1)
    ranges: list[MtrrRange] = []
    for msr, base, size in FIXED if cap >> 8 & 1 else ():
        value = machine.read_msr(number, msr)
        for n in range(8):
            first, kind = base + n * size, _type(value >> 8 * n & 0xFF)
            last = ranges[-1] if ranges else None
            if last is not None and last.type == kind and last.last + 1 == first:
                first = ranges.pop().first
            end = base + (n + 1) * size - 1
            ranges.append(
                MtrrRange("fixed", first, end, kind, active=is_on and is_fixed_on)
            )
    top = (1 << MAXPHYADDR) - PAGE
    for n in range(cap & 0xFF):
        base = machine.read_msr(number, FIRST + 2 * n)
        mask = machine.read_msr(number, FIRST + 2 * n + 1)
        if mask >> 11 & 1:
            first = base & mask & top
            last_byte = first | ~mask & top | PAGE - 1
            kind = _type(base & 0xFF)
            ranges.append(
                MtrrRange(f"variable {n}", first, last_byte, kind, active=is_on)
            )
    how = "on" if is_on else "off: all memory is UC by them"
    fixed = ", fixed ranges on" if is_on and is_fixed_on else ""
    text = f"MTRRs are {how}{fixed}, default type {_type(default & 0xFF)}"
    return MtrrAnswer(number, cap, default, tuple(ranges), text)


def _type(raw: int) -> str:
    return TYPES.get(raw, f"reserved {raw:#x}")
