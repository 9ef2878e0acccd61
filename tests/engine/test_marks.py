"""What the processor must not be given: it stops before it, and counts as ever.

Expectations are the SDM's: the list of what takes LOCK is that of Vol. 2A "LOCK",
written here by mnemonic and not by the engine's tables.
"""

import pytest
from rigs.processor import CODE, Rig

from lapis_engine.cpu.intercepts import (
    HLT,
    Breakpoint,
    Budget,
    Faulted,
    Hole,
    Intercepted,
    Marked,
)
from lapis_engine.cpu.registers import RF

LOCKABLE = {
    "add": "0107 00072b 8007 8107 8307",
    "sub, cmp": "2907 802f 812f 832f",
    "not": "f617 f717",
    "inc, dec": "fe07 ff07 fe0f ff0f",
    "xchg": "8607 8707",
    "bts, btr, btc": "0fab07 0fb307 0fbb07 0fba2f 0fba37 0fba3f",
    "cmpxchg, xadd": "0fb007 0fb107 0fc007 0fc107 0fc70f",
}
NOT_LOCKABLE = "3907 803f 0fa307 0fba27 8907 c707 90 0fabc3 0fabd1 0fb3e2 0fbbfd 01c3"
"""cmp, bt, mov, nop, and with a register what takes LOCK with memory only."""


def codes(text: str) -> list[bytes]:
    return [bytes.fromhex(code) for code in text.split()]


@pytest.mark.parametrize(
    "code", [code for text in LOCKABLE.values() for code in codes(text)]
)
def test_lock_before_what_takes_it(code: bytes) -> None:
    rig = Rig()
    rig.regs.gpr[3] = 0x600
    rig.memory.write(CODE, (b"\xf0" + code).ljust(12, b"\x01"))
    assert rig.core.run(rig.regs, 1) == Budget()
    assert rig.core.retired == 1


@pytest.mark.parametrize("code", codes(NOT_LOCKABLE), ids=bytes.hex)
@pytest.mark.parametrize("prefixes", ["f0", "66f0", "f066", "2ef0"])
def test_lock_before_what_does_not(code: bytes, prefixes: str) -> None:
    rig = Rig()
    before = bytes.fromhex("90 40")
    rig.memory.write(CODE, before + bytes.fromhex(prefixes) + code)
    assert rig.core.run(rig.regs, 100) == Marked()
    assert (rig.core.retired, rig.regs.rip) == (2, CODE + 2)


@pytest.mark.parametrize("budget", [1, 2, 3, 4])
def test_a_budget_ends_before_a_marked_instruction(budget: int) -> None:
    rig = Rig()
    rig.code("40 40 40 f1 f4")
    for _ in range(3):
        rig.regs.rip = CODE
        event = rig.core.run(rig.regs, budget)
        assert event == (Budget() if budget < 4 else Marked())
        done = min(budget, 3)
        assert (rig.core.retired, rig.regs.rip) == (done, CODE + done)


def test_a_breakpoint_comes_first() -> None:
    rig = Rig()
    rig.code("40 f1 f4")
    rig.core.set_breakpoints({CODE + 1})
    assert rig.core.run(rig.regs, 10) == Breakpoint(CODE + 1)
    assert rig.core.run(rig.regs, 10, past=True) == Marked()


@pytest.mark.parametrize(
    ("code", "is_marked"), [("90 f0 0107", False), ("90 f0 90", True)]
)
def test_bytes_in_the_next_page_tell(code: str, is_marked: bool) -> None:
    """LOCK ADD is let through, LOCK NOP is marked, and LOCK alone stands before."""
    rig = Rig()
    at = 0x7FFF
    rig.memory.write(at - 1, bytes.fromhex(code))
    rig.regs.rip, rig.regs.gpr[3] = at - 1, 0x600
    event = rig.core.run(rig.regs, 2)
    assert event == (Marked() if is_marked else Budget())
    assert rig.regs.rip == (at if is_marked else at + 3)


def iretd(image: int) -> str:
    """Push an image of EFLAGS, CS 0 and the next address, 32 bits each; IRETD."""
    flags = image.to_bytes(4, "little").hex()
    end = (CODE + 6 + 3 + 6 + 2).to_bytes(4, "little").hex()
    return f"6668{flags} 666a00 6668{end} 66cf"


@pytest.mark.parametrize("cut", range(1, 9))
def test_rf_holds_for_one_instruction(cut: int) -> None:
    """However a run is cut, RF is set behind IRET and clear one instruction later."""
    rig = Rig()
    rig.code(iretd(RF | 2) + "40 40 40 40 40")
    found = {}
    retired = 0
    while retired < 8:
        assert rig.core.run(rig.regs, cut) == Budget()
        retired += rig.core.retired
        found[retired] = bool(rig.regs.rflags & RF)
    assert found == {at: at == 4 for at in found}


def test_rf_is_not_pushed_and_comes_back_with_a_fault() -> None:
    """PUSHF stores it as 0 (SDM Vol. 2B "PUSHF"); a fault leaves it set."""
    rig = Rig()
    rig.code(iretd(RF | 2) + "669c 0f0b")
    assert rig.core.run(rig.regs, 10) == Faulted(6, 0, 0)
    pushed = int.from_bytes(rig.memory.peek(rig.regs.gpr[4] & 0xFFFF, 4), "little")
    assert not pushed & RF
    assert not rig.regs.rflags & RF
    rig.code(iretd(RF | 2) + "0f0b")
    rig.regs.rip = CODE
    assert rig.core.run(rig.regs, 10) == Faulted(6, 0, 0)
    assert rig.regs.rflags & RF


def test_rf_stays_over_an_access_that_waits() -> None:
    rig = Rig()
    rig.code(iretd(RF | 2) + "40 67a100000002")
    event = rig.core.run(rig.regs, 10)
    assert isinstance(event, Hole)
    assert not rig.regs.rflags & RF
    rig.code(iretd(RF | 2) + "67a100000002")
    rig.regs.rip = CODE
    event = rig.core.run(rig.regs, 10)
    assert isinstance(event, Hole)
    assert rig.regs.rflags & RF


def test_a_marked_instruction_at_the_start_of_a_page_needs_no_page_before_it() -> None:
    rig = Rig()
    rig.page_first_64k()
    rig.memory.write(0x3000 + 4 * 7, bytes(4))  # not present
    rig.regs.rip = 0x8000
    rig.memory.write(0x8000, bytes.fromhex("f1 40 f1"))
    assert isinstance(rig.core.run(rig.regs, 10), Marked)
    assert (rig.core.retired, rig.regs.rip) == (0, 0x8000)
    rig.regs.rip = 0x8001
    assert isinstance(rig.core.run(rig.regs, 10), Marked)
    assert (rig.core.retired, rig.regs.rip) == (1, 0x8002)


@pytest.mark.parametrize("length", [0, 2], ids=["its own block", "at a block's end"])
@pytest.mark.parametrize("marked", ["f1 90", "f0 90", "0f 05"])
@pytest.mark.parametrize("at", [0x7200, 0x8000, 0x7FFE, 0x8FFD, 0x8FFC])
def test_what_a_guest_writes_over_a_marked_instruction_runs(
    length: int, marked: str, at: int
) -> None:
    rig = Rig()
    # mov byte [si], 0x43; mov byte [si + 1], 0x43; jmp bx: the new code is inc bx twice
    rig.code("c6 04 43 c6 44 01 43 ff e3")
    rig.memory.write(at, b"\x42" * length + bytes.fromhex(marked) + b"\x42\xf4")
    rig.regs.rip = at
    assert isinstance(rig.core.run(rig.regs, 100), Marked)
    rig.regs.rip, rig.regs.gpr[3], rig.regs.gpr[6] = CODE, at, at + length
    assert rig.core.run(rig.regs, 3 + length + 3) == Budget()
    assert rig.regs.gpr[3] == at + 2
    assert rig.regs.rip == at + length + 3


@pytest.mark.parametrize("marked", ["f1 90", "f0 90", "0f 05"])
@pytest.mark.parametrize("at", [0x7FC0, 0x8000 - 9, 0x8000 - 7, 0x8001 - 7])
@pytest.mark.parametrize("cut", [2, 3, 4, 20])
def test_what_a_block_writes_over_the_marked_instruction_at_its_end_runs(
    marked: str, at: int, cut: int
) -> None:
    rig = Rig()
    # mov byte [si], 0x43; mov byte [si + 1], 0x43: inc bx twice, over what follows
    rig.memory.write(at, bytes.fromhex("c60443 c6440143" + marked) + b"\x43\xf4")
    rig.regs.rip, rig.regs.gpr[6] = at, at + 7
    done = 0
    while done < 5:
        event = rig.core.run(rig.regs, min(cut, 5 - done))
        assert event == Budget()
        done += rig.core.retired
    assert rig.regs.gpr[3] == 3
    assert rig.regs.rip == at + 10
    assert rig.core.run(rig.regs, 2) == Intercepted(HLT, 0)
