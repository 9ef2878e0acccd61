"""Where things are in the fuzzer's two machines, and what a random case holds.

Both machines have the same guest-physical addresses; in one of them the pages of
`HOLE` are RAM, in the other nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

PAGE = 0x1000
CODE = 0x1_0000
"""Two pages."""
DATA = 0x1_2000
STACK = 0x1_4000
HOLE = 0x1_6000
"""Two pages, RAM before and behind them."""
AFTER = 0x1_8000
TABLES = 0x1_9000
"""Four pages of page tables."""
END = 0x1_D000
"""End of what is compared."""
TOP = 0x12_0000
"""End of RAM."""
WINDOW = (
    CODE,
    CODE + PAGE,
    DATA,
    DATA + PAGE,
    STACK,
    STACK + PAGE,
    HOLE,
    HOLE + PAGE,
    AFTER,
)
"""What the pages of the linear window map, before they are shuffled."""


@dataclass(slots=True)
class Case:
    """One instruction in one state; everything that a run depends on."""

    name: str
    group: str
    code: bytes
    bits: int
    """Of the code segment."""
    paging: str
    """real, none, 32-bit, pae or 4-level."""
    cpl: int
    gpr: list[int]
    rip: int
    code_at: int
    """Guest-physical address of the code."""
    rflags: int
    bases: list[int]
    """Segment bases, ES to GS."""
    base: int = CODE
    """Linear address of the window."""
    pages: list[int] = field(default_factory=list)
    """What the window's pages map: address and low attribute bits."""
    wp: bool = True
    smap: bool = False
    nx: bool = False
    """EFER.NXE; without it bit 63 of an entry is reserved."""
    content: int = 0
    """Where in the pool of random bytes memory is taken from."""
    xmm: list[int] = field(default_factory=list)
    budget: int = 1
    """Instructions, or iterations, that the loop lets pass at once."""
    served: bool = False
    """The engine itself has a device in the first page of the hole."""
    answers: list[int] = field(default_factory=list)
    """What the ports answer, in order."""

    def __str__(self) -> str:
        regs = " ".join(f"{n:x}" for n in self.gpr)
        return (
            f"{self.name} [{self.code.hex(' ')}] {self.bits}-bit {self.paging} "
            f"cpl {self.cpl} rip {self.rip:#x} rflags {self.rflags:#x} "
            f"window {self.base:#x} gpr {regs}"
        )
