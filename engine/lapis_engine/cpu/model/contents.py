"""What an MSR takes: its bits, canonical addresses, and types of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from lapis_engine.cpu.model.record import Msr, Vendor

Fault = Literal["read-only", "reserved", "address", "memory-type"]
"""What is wrong with a value."""
MTRR_TYPES: Final = frozenset({0, 1, 4, 5, 6})
"""UC WC WT WP WB (SDM Vol. 3A "Memory Types That Can Be Encoded in MTRRs")."""
PAT_TYPES: Final = MTRR_TYPES | {7}
"""UC- beside (SDM Vol. 3A "IA32_PAT MSR")."""


def is_canonical(address: int) -> bool:
    """Tell whether bits 63:47 of a linear address are all alike."""
    return (address >> 47) in {0, 0x1FFFF}


def stored(msr: Msr, value: int, vendor: Vendor) -> int:
    """Return what of a value an MSR keeps.

    Where Intel's has reserved bits in the upper half, AMD's lose them (APM Vol. 2
    "SYSCALL and SYSRET MSRs", "TSC_AUX").
    """
    is_lost = vendor == "amd" and msr.writable == MASK32
    return value & MASK32 if is_lost or msr.form == "low-half" else value


def fault(msr: Msr, before: int, value: int) -> Fault | None:
    """Return why `value` cannot be written over `before`: then it is #GP(0)."""
    if (value ^ before) & ~msr.writable:
        is_open = msr.writable or msr.form == "empty"
        return "reserved" if is_open else "read-only"
    match msr.form:
        case "canonical":
            return None if is_canonical(value) else "address"
        case "pat":
            return _types(value.to_bytes(8, "little"), PAT_TYPES)
        case "types":
            return _types(value.to_bytes(8, "little"), MTRR_TYPES)
        case "mtrr-base" | "mtrr-type":
            return _types((value & 0xFF,), MTRR_TYPES)
        case _:
            return None


def _types(found: bytes | tuple[int], known: frozenset[int]) -> Fault | None:
    return None if known.issuperset(found) else "memory-type"
