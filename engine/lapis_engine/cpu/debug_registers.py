"""What the debug registers of a guest have armed, as records.

SDM Vol. 3B "Debug Registers". What is done when one of them is hit is in `vmm.debug`,
and how the processor comes to tell in `guest_stops`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers

What = Literal["execute", "write", "io", "access"]

COUNT: Final = 4
"""DR0 to DR3 hold addresses."""
ENABLED: Final = 0xFF
"""L0 G0 ... L3 G3, bits 7:0 of DR7; LE and GE, bits 9:8, do nothing any more."""
LOCAL: Final = 0x155
"""L0 to L3 and LE: a task switch clears them."""
DR7_GD: Final = 1 << 13
DR7_FIXED: Final = 1 << 10
DR7_MASK: Final = 0xFFFF_23FF
DR6_FIXED: Final = 0xFFFF_0FF0
"""The bits that read as 1: RTM and the blocking of buses are not there."""
DR6_MASK: Final = 0xE00F
DR6_HITS: Final = 0xF
DR6_BD: Final = 1 << 13
DR6_BT: Final = 1 << 15
CR4_DE: Final = 1 << 3

KINDS: Final[tuple[What, ...]] = ("execute", "write", "io", "access")
"""By R/Wn. Without CR4.DE the value of "io" is not defined: nothing is armed then."""
SIZES: Final = (1, 2, 8, 4)
"""Bytes, by LENn."""
DATA: Final = frozenset({"write", "access"})


class Armed(NamedTuple):
    """One debug register that waits for something."""

    number: int
    """Of DR0 to DR3."""
    what: What
    address: int
    """Linear address, or port; the low bits that LENn masks are 0."""
    size: int
    """Bytes; an instruction is hit at its first one."""

    def touches(self, first: int, size: int) -> bool:
        """Tell whether so many bytes from `first` on are among those watched."""
        return first < self.address + self.size and self.address < first + size


def armed(regs: Registers) -> tuple[Armed, ...]:
    """Return what a vCPU has armed, by number."""
    dr = regs.dr
    if not dr[7] & ENABLED:
        return ()
    return _armed(dr[7], dr[0], dr[1], dr[2], dr[3], io=bool(regs.cr4 & CR4_DE))


@lru_cache(maxsize=64)
def _armed(dr7: int, *addresses: int, io: bool) -> tuple[Armed, ...]:
    found = []
    for number, address in enumerate(addresses):
        field = dr7 >> (16 + 4 * number)
        what, size = KINDS[field & 3], SIZES[field >> 2 & 3]
        if not dr7 >> 2 * number & 3 or (what == "io" and not io):
            continue
        if what == "execute":
            if size == 1:  # with any other length it is not defined what is hit
                found.append(Armed(number, what, address, 1))
        else:
            found.append(Armed(number, what, address & -size, size))
    return tuple(found)
