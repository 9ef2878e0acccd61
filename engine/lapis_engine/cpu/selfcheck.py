"""Proof, before a guest runs, that the saved context is laid out as `layout` says.

Known values go in through the window, a few instructions run, and what they did is
looked for through the window again. A build of Unicorn that differs is refused here
and not met later as a guest that goes wrong.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import blockcheck, blocks, intercepts, layout
from lapis_engine.cpu.core import Core
from lapis_engine.cpu.intercepts import Budget, Intercepted, Window
from lapis_engine.cpu.registers import (
    CF,
    CR4_OSFXSR,
    CR4_OSXSAVE,
    CS,
    DS,
    IF,
    RAX,
    RBX,
    RCX,
    RDX,
    Segment,
)
from lapis_engine.errors import ProcessorError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from ctypes import CDLL

    from lapis_engine.cpu.registers import Registers

PLACE: Final = 0x1000
"""Guest-physical place of the code that runs here."""
CODE: Final = (
    bytes.fromhex("6601c3 f9 a11000 f4 fb 90 90").ljust(16, b"\x90") + b"\x34\x12"
)
"""add ebx, eax; stc; mov ax, [0x10]; hlt; sti; nop; nop; ... and a word at 0x10."""
WRMSR: Final = bytes.fromhex("0f30")
MSR_CODE: Final = 0x40
MSR_VALUES: Final = {layout.EFER: 1, 0x174: 0x11, 0xC000_0103: 0x55, 0x277: 0x0106_0400}
"""Values that the processor takes; the others take any canonical address."""
ANY_ADDRESS: Final = 0x1234_5678
XSETBV: Final = bytes.fromhex("0f01d1")
XSETBV_CODE: Final = 0x50
OWN_CODE: Final = 0x60
OVERWRITES: Final = bytes.fromhex("c606650090 40 ebf8")
"""mov byte [OWN_CODE + 5], nop; inc ax, which is overwritten; jmp OWN_CODE."""

LOOK: Final = bytes.fromhex("a108100000 90909090909090")
"""mov eax, [the entry of the next page]; and as many NOPs as lead there."""
LOOKS: Final = PAGE - len(LOOK)
LOOK_STEPS: Final = 8

SLOTS: Final = 0x80
FILLS_SLOTS: Final = bytes.fromhex(
    "dbe3 db2eb000 d816c000 0f1006d000 0f103ed000 660fdb06d000 d9ee d9e5"
).ljust(0x30, b"\x90")
"""fninit; fld tbyte [0xb0]; fcom dword [0xc0]; movups xmm0, [0xd0]; movups xmm7,
[0xd0]; pand xmm0, [0xd0]; fldz; fxam."""
X87_VALUE: Final = bytes.fromhex("1122334455667788 aa3f")
XMM_VALUE: Final = bytes(range(1, 17))
SLOT_DATA: Final = X87_VALUE.ljust(16) + bytes.fromhex("0000803f").ljust(16) + XMM_VALUE
ONE: Final = bytes.fromhex("0000000000000080 ff3f")
"""1.0 in ten bytes; with four it is 3f80_0000."""


def open_core() -> Core:
    """Return a processor that was proved; raise `ProcessorError` for one unknown."""
    prove()
    library = blocks_library()
    return Core(None if isinstance(library, str) else library)


def blocks_library() -> CDLL | str:
    """Return what counts by blocks, or why instructions are counted one by one."""
    return "it was asked for" if _by_instruction else _proved()


def count_by_instruction(*, on: bool = True) -> None:
    """Have processors that are opened from now on do without the compiled part.

    No guest can tell; it is for comparing, and for whoever distrusts the fast way.
    """
    global _by_instruction  # noqa: PLW0603 - one choice of the whole process
    _by_instruction = on


_by_instruction = False


def forget_proof() -> None:
    """Have the compiled part looked for and proved anew by whoever comes next."""
    blocks.find.cache_clear()
    _proved.cache_clear()


@cache
def _proved() -> CDLL | str:
    """Return the compiled part if it is here and right."""
    library = blocks.find()
    if isinstance(library, str):
        return library
    try:
        _try(Core(library))
        blockcheck.compare(Core(library), Core())
        blockcheck.check_answers(Core(library))
    except ProcessorError as error:
        return f"it was not right: {error}"
    return library


@cache
def prove() -> None:
    """Prove one processor: all others are of the same library, which is loaded once.

    What differs from one to the next, its addresses, each finds and checks. Raises
    `ProcessorError`.
    """
    _try(Core())


def _try(core: Core) -> None:
    core.try_out(PLACE, _code(), check)
    core.try_out(PLACE, _page(), check_ahead)
    core.close()


def _page() -> bytes:
    """Make a page that is page directory and table of itself, and code at its end."""
    return (PLACE | 3).to_bytes(4, "little") * 3 + (b"\x90" * PAGE)[12:LOOKS] + LOOK


def check_ahead(core: Core) -> None:
    """Raise `ProcessorError` if code is translated before the guest is on its page."""
    regs = core.new_registers()
    _prepare(regs)
    regs.set_segment(CS, Segment(8, 0, 0xFFFF_FFFF, 0xCF_9B00))
    regs.set_segment(DS, Segment(8, 0, 0xFFFF_FFFF, 0xCF_9300))
    regs.cr3, regs.cr0 = PLACE, 0xE000_0011
    for what, wanted in (("A before", PLACE | 3), ("A behind", PLACE | 0x23)):
        regs.rip = PLACE + LOOKS
        core.run(regs, LOOK_STEPS)
        _expect(f"{what} a page is come to", regs.gpr[RAX], wanted)


def _code() -> bytes:
    code = CODE.ljust(MSR_CODE, b"\x90") + WRMSR
    code = code.ljust(XSETBV_CODE, b"\x90") + XSETBV
    code = code.ljust(OWN_CODE, b"\x90") + OVERWRITES
    return code.ljust(SLOTS, b"\x90") + FILLS_SLOTS + SLOT_DATA


def check(core: Core) -> None:
    """Raise `ProcessorError` naming the first part that is not where it should be."""
    regs = core.new_registers()
    _expect("DR6 and DR7", (regs.dr[6], regs.dr[7]), (0xFFFF_0FF0, 0x400))
    _expect("old_exception", regs.context.tail.old_exception, -1)
    _prepare(regs)
    _registers(core, regs)
    _intercepts(core, regs)
    for msr in layout.MSRS:
        _msr(core, regs, msr)
    _xcr0(core, regs)
    _own_code(core, regs)
    _slots(core, regs)


def _prepare(regs: Registers) -> None:
    for index in range(6):
        regs.set_segment(index, Segment(0, 0, 0xFFFF, 0x9300))
    regs.set_segment(CS, Segment(0x100, PLACE, 0xFFFF, 0x9B00))
    regs.set_segment(DS, Segment(0x100, PLACE, 0xFFFF, 0x9300))
    regs.cr0, regs.rflags, regs.rip = 0x6000_0010, 2, 0


def _registers(core: Core, regs: Registers) -> None:
    for index in range(16):
        regs.gpr[index] = 0x1_0000_0000 * index + index
    regs.gpr[RAX], regs.gpr[RBX] = 0x1111, 0x2222
    _expect("a run of three", core.run(regs, 3), Budget())
    _expect("EBX", regs.gpr[RBX], 0x3333)
    _expect("EIP", regs.rip, 7)
    _expect("CF", regs.rflags & CF, CF)
    _expect("AX, read through DS", regs.gpr[RAX] & 0xFFFF, 0x1234)
    _expect("R15", regs.gpr[15], 0xF_0000_000F)


def _intercepts(core: Core, regs: Registers) -> None:
    event = core.run(regs, 10, window=True)
    _expect("HLT", event, Intercepted(intercepts.HLT, 0))
    _expect("EIP at HLT", (regs.rip, core.retired), (7, 0))
    regs.rip = 8
    _expect("the window", core.run(regs, 10, window=True), Window())
    _expect("EIP at the window", (regs.rip, core.retired), (10, 2))
    _expect("IF", regs.rflags & IF, IF)


def _msr(core: Core, regs: Registers, msr: int) -> None:
    value = MSR_VALUES.get(msr, ANY_ADDRESS)
    regs.gpr[RCX], regs.gpr[RAX], regs.gpr[RDX] = msr, value, 0
    regs.rip = MSR_CODE
    event = core.run(regs, 1)
    _expect(f"WRMSR {msr:#x}", event, Intercepted(intercepts.MSR, 1))
    assert isinstance(event, Intercepted)
    _expect(f"WRMSR {msr:#x} by itself", core.native(regs, event), Budget())
    _expect(f"MSR {msr:#x}", regs.context.msrs[msr].value, value)


def _xcr0(core: Core, regs: Registers) -> None:
    for value in (1, 3):
        regs.gpr[RAX], regs.gpr[RDX], regs.gpr[RCX] = value, 0, 0
        regs.cr4, regs.rip = CR4_OSXSAVE, XSETBV_CODE
        _expect(f"XSETBV {value}", core.run(regs, 1), Budget())
        _expect("XCR0", regs.xcr0, value)


def _own_code(core: Core, regs: Registers) -> None:
    """Have an instruction started anew, in one run and in runs of one."""
    for what, budgets in (("a run", (5,)), ("runs of one", (1, 1, 1, 1))):
        regs.gpr[RAX], regs.rip = 0, OWN_CODE
        for budget in budgets:
            _expect(f"{what} over its own code", core.run(regs, budget), Budget())
        end = OWN_CODE + (6 if len(budgets) == 1 else 5)
        _expect(f"what {what} overwrote", (regs.rip, regs.gpr[RAX] & 0xFFFF), (end, 0))


def _slots(core: Core, regs: Registers) -> None:
    """Have x87 and SSE registers loaded, and what the processor works with."""
    regs.cr4, regs.rip = CR4_OSFXSR, SLOTS
    _expect("a run of six", core.run(regs, 6), Budget())
    state = regs.context.state_bytes()
    last = layout.XMM_SLOTS - 1
    for what, first, size, wanted in (
        ("ST0", layout.X87 + 7 * layout.X87_SLOT, layout.X87_SLOT, X87_VALUE),
        ("the x87 operand", layout.X87_OPERAND, layout.X87_SLOT, ONE),
        ("XMM0", layout.XMM, layout.XMM_SLOT, XMM_VALUE),
        ("XMM7", layout.XMM + 7 * layout.XMM_SLOT, layout.XMM_SLOT, XMM_VALUE),
        (
            "its operand",
            layout.XMM + last * layout.XMM_SLOT,
            layout.XMM_SLOT,
            XMM_VALUE,
        ),
    ):
        _expect(what, state[first : first + size], wanted.ljust(size, b"\0"))

    fpu = regs.context.x87
    _expect("TOP, FCW and FIP", (fpu.top, fpu.fcw, fpu.fip), (7, 0x37F, SLOTS + 6))
    _expect("x87's empty registers", list(fpu.empty), [1] * 7 + [0])
    core.run(regs, 2)
    _expect("FSW", fpu.fsw, 0x4000)


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise ProcessorError(
            f"this build of unicorn keeps {what} elsewhere: {found!r} where "
            f"{wanted!r} was put; Lapis knows unicorn 2.1.4"
        )
