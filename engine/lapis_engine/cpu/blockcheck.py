"""Proof that counting by blocks comes to what counting by instruction comes to.

A few programs that are hard to count run both ways, by many budgets. A build of Unicorn
whose translated code is laid out otherwise is found here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import CS, Segment
from lapis_engine.errors import ProcessorError

if TYPE_CHECKING:
    from lapis_engine.cpu.core import Core
    from lapis_engine.cpu.registers import Registers

PROGRAMS_AT: Final = 0x1000
PROGRAMS: Final = {
    "a loop": "01d8 31ca 49 75f9 ebf7",
    "a long block": "40" * 60 + "ebc2",
    "REP": "b90500 be000d bf200d f3a4 ebf3",
    "code over itself": "fe060700 b80000 40 ebf6",
    "a fault": "40 40 31c9 f7f1",
    "an interrupt": "40 f9 cd20",
    "a port": "f9 40 e680",
    "a hole": "39c0 40 67a100000002",
    "flags of a bit test": "01d8 0fa3d8 9c 58 ebf7",
    "flags before a hole": "d3e0 67d11500000002",
    "a halt": "40 40 f4",
    "a marked instruction": "40 90 f1",
}
"""16-bit code, by what it tries."""
ROOM: Final = 0x50
"""Bytes for each."""
BUDGETS: Final = (2, 61)


def compare(ours: Core, counted: Core) -> None:
    """Raise `ProcessorError` where the two come to different ends; close them."""
    code = b"".join(bytes.fromhex(it).ljust(ROOM, b"\x90") for it in PROGRAMS.values())
    by_blocks, one_by_one = _Ends(), _Ends()
    ours.try_out(PROGRAMS_AT, code, by_blocks.run)
    counted.try_out(PROGRAMS_AT, code, one_by_one.run)
    ours.close()
    counted.close()
    for name, one, other in zip(
        PROGRAMS, by_blocks.found, one_by_one.found, strict=True
    ):
        if one != other:
            raise ProcessorError(f"{name}: {one} by blocks, and {other} without")


class _Ends:
    """What each program came to, by each budget."""

    def __init__(self) -> None:
        self.found: list[list[object]] = []

    def run(self, core: Core) -> None:
        """Run them all."""
        for number in range(len(PROGRAMS)):
            ends: list[object] = []
            for budget in BUDGETS:
                regs = core.new_registers()
                _prepare(regs, PROGRAMS_AT + number * ROOM)
                event = core.run(regs, budget)
                gpr = tuple(regs.gpr)
                ends.append((event, core.retired, regs.rip, regs.rflags, gpr))
            self.found.append(ends)


def _prepare(regs: Registers, base: int) -> None:
    for index in range(6):
        regs.set_segment(index, Segment(0x100, base, 0xFFFF, 0x9300))
    regs.set_segment(CS, Segment(0x100, base, 0xFFFF, 0x9B00))
    regs.cr0, regs.rflags, regs.rip = 0x6000_0010, 2, 0
    for index in range(8):
        regs.gpr[index] = 3 * index + 1
    regs.gpr[4] = 0xC00
