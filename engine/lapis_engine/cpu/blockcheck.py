"""Proof that counting by blocks comes to what counting by instruction comes to.

A few programs that are hard to count run both ways, by many budgets. A build of Unicorn
whose translated code is laid out otherwise is found here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import layout
from lapis_engine.cpu.answers import Place
from lapis_engine.cpu.intercepts import RDTSC, Faulted, Intercepted
from lapis_engine.cpu.registers import CS, RAX, RBX, RCX, RDI, RSI, TF, Segment
from lapis_engine.errors import ProcessorError
from lapis_engine.plain import Plain
from lapis_engine.units import MASK32, NS

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
ANSWERED: Final = bytes.fromhex(
    # rdtsc; mov esi, eax; rdtscp; mov edi, eax; mov ebx, [0x2000000]; in al, 0x80
    "0f31 6689c6 0f01f9 6689c7 66678b1d00000002 e480"
    # xor cx, cx; div cx
    "31c9 f7f1"
)
"""Accesses that are answered without an exit, and a fault behind them."""
HOLE: Final = PROGRAMS_AT + 0x200_0000
HOLE_HOLDS: Final = 0x5A5A_1234
PORT: Final = 0x80
PORT_HOLDS: Final = 0x77
AUX: Final = 0x5_4321
NOW: Final = 0x1_2345_6700
TOLD: Final = (NOW & MASK32 & ~0xFF | PORT_HOLDS, AUX & ~0xFFFF, HOLE_HOLDS)
"""EAX, ECX and EBX behind `ANSWERED`."""


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


def check_answers(ours: Core) -> None:
    """Raise `ProcessorError` where what is answered goes wrong; close it."""
    ours.try_out(PROGRAMS_AT, ANSWERED, _answered)
    ours.close()


def _answered(core: Core) -> None:
    regs = core.new_registers()
    _prepare(regs, PROGRAMS_AT)
    context, answers = regs.context, core.answers
    context.msrs[layout.TSC_AUX].value = AUX
    answers.table.now, answers.table.tsc_hz = NOW, NS
    for place, holds in (
        (Place("mmio", HOLE, 4), HOLE_HOLDS),
        (Place("port", PORT, 1), PORT_HOLDS),
    ):
        for _ in range(2):  # it is put when it comes for the second time
            answers.put(context, place, Plain(holds), noted=False, cost=0)
    event = core.run(regs, 100)
    gpr = regs.gpr
    found = event, core.retired, gpr[RAX], gpr[RCX], gpr[RBX], gpr[RSI], gpr[RDI]
    wanted = Faulted(0, 0, 0), 7, *TOLD, NOW & MASK32, (NOW & MASK32) + 2
    if found != wanted:
        raise ProcessorError(f"answered accesses: {found}, and not {wanted}")
    for name in ("rflags", "shadow"):  # something comes behind: that is for an exit
        _prepare(regs, PROGRAMS_AT)
        setattr(regs, name, TF if name == "rflags" else True)
        event = core.run(regs, 100)
        if event != Intercepted(RDTSC, 0):
            raise ProcessorError(f"answered accesses: {event} with {name}")


def _prepare(regs: Registers, base: int) -> None:
    for index in range(6):
        regs.set_segment(index, Segment(0x100, base, 0xFFFF, 0x9300))
    regs.set_segment(CS, Segment(0x100, base, 0xFFFF, 0x9B00))
    regs.cr0, regs.rflags, regs.rip = 0x6000_0010, 2, 0
    for index in range(8):
        regs.gpr[index] = 3 * index + 1
    regs.gpr[4] = 0xC00
