"""The flags at every kind of exit are those that PUSHF would store there.

PUSHF takes part in nothing that an exit does: it is the oracle. Operands are such as
could be taken for flags, and results such as have them.
"""

from random import Random

import pytest
from rigs.processor import Rig

from lapis_engine.cpu.intercepts import (
    Breakpoint,
    Budget,
    Faulted,
    Hole,
    Intercepted,
    Marked,
    PortAccess,
    SoftwareInterrupt,
    Window,
)

PROGRAM, DATA, STACK = 0x7000, 0x6000, 0x5000
STATUS = 0x8D5
SETS = [
    bytes.fromhex(code)
    for code in (
        "00ca", "00da", "28ca", "28da", "10da", "18da", "20da", "08da", "30da", "38da",
        "84da", "01d3", "29d3", "11d3", "19d3", "21d3", "39d3", "6601d3", "6629d3",
        "6611d3", "6619d3", "660fafda", "0fafda", "f6e2", "f7e3", "fec2", "feca", "40",
        "48", "d0e2", "d0ea", "d0fa", "d3e3", "d3eb", "d3fb", "c0e203", "c1eb05",
        "d1d3", "d0ca", "d2c2", "c0d203", "0fa4d305", "0facd305", "f6da", "f7db",
        "f6d2", "0fbcda", "0fbdda", "0fa3d3", "0fbaeb03", "0fb0da", "0fc1da", "f8",
        "f9", "f5", "fc", "fd", "9e", "98", "99", "88d8", "0f92c0", "d40a", "d50a",
        "27", "2f", "37", "3f", "50", "8807", "001e0060", "00060060", "8a060060",
        "d12e0060", "ff060060", "fe0e0060", "f71e0060", "833e006003", "0fc11e0060",
        "0fb01e0060", "eb00", "7200", "7500", "f30fb8da", "f3660fb8d9",
    )
]  # fmt: skip
"""On AX, CX, BX and DX, on memory, and jumps to the next instruction."""
FAR = "00000002"
"""Little-endian: a guest-physical address that nobody serves, 32 MiB."""
LEAVES = {
    "f4": Intercepted, "0fa2": Intercepted, "0f31": Intercepted, "e480": PortAccess,
    "e680": PortAccess, "6e": PortAccess, "cd20": SoftwareInterrupt, "cc":
    SoftwareInterrupt, "0f0b": Faulted, "31c9f7f1": Faulted, "f1": Marked,
    "f00fabc3": Marked, "67a0" + FAR: Hole, "67a2" + FAR: Hole, "67a1" + FAR: Hole,
    "67001d" + FAR: Hole, "67d11d" + FAR: Hole, "67d115" + FAR: Hole, "67d21d" + FAR:
    Hole, "67f71d" + FAR: Hole, "67ff05" + FAR: Hole, "670fb01d" + FAR: Hole,
    "670fc11d" + FAR: Hole, "670f9205" + FAR: Hole, "670fab1d" + FAR: Hole,
    "67c11d" + FAR + "03": Hole, "67831d" + FAR + "03": Hole,
    "ea ffff ffff": Hole,  # the fetch of what is far above 1 MiB
}  # fmt: skip
VALUES = (0, 1, 2, 4, 0x10, 0x44, 0x46, 0x55, 0x7F, 0x80, 0x84, 0xBC, 0xFF, 0x8000)


def prepared(rig: Rig, code: bytes, values: list[int], rflags: int) -> None:
    rig.regs = rig.vcpu()
    rig.memory.write(STACK - 0x40, bytes(0x40))
    rig.memory.write(DATA, bytes((0x84, 1, 2, 3)))
    rig.code(code.hex())
    rig.regs.rflags = rflags
    for index, value in zip((0, 1, 2, 3, 6, 7), [*values, DATA, DATA], strict=True):
        rig.regs.gpr[index] = value


def pushed(rig: Rig) -> int:
    return int.from_bytes(rig.memory.peek(rig.regs.gpr[4] & 0xFFFF, 2), "little")


@pytest.mark.parametrize("seed", range(2))
def test_flags_at_an_exit_are_those_that_pushf_stores(seed: int) -> None:
    random, rig = Random(seed), Rig()
    for _ in range(400):
        body = [random.choice(SETS) for _ in range(random.randint(1, 6))]
        values = [random.choice((*VALUES, random.getrandbits(16))) for _ in range(4)]
        rflags = random.choice((2, 3, 0x46, 0x97, 0x8D7))
        leave, kind = random.choice(list(LEAVES.items()))
        head = bytes.fromhex(leave)[:-2] if leave.startswith("31c9") else b""
        many = len(body) + bool(head)
        prepared(rig, b"".join(body) + head + b"\x9c" + b"\x90" * 40, values, rflags)
        assert rig.core.run(rig.regs, many + 1) == Budget()
        wanted = pushed(rig) & STATUS
        prepared(rig, b"".join(body) + bytes.fromhex(leave), values, rflags)
        event = rig.core.run(rig.regs, 100)
        name = f"{b' '.join(body).hex()} {leave}"
        assert isinstance(event, kind), (name, event)
        assert rig.regs.rflags & STATUS == wanted, name


@pytest.mark.parametrize("seed", range(2))
def test_flags_where_a_run_is_broken_off_between_instructions(seed: int) -> None:
    """A breakpoint, the window for interrupts, and the end of the budget."""
    random, rig = Random(seed), Rig()
    for number in range(200):
        body = [random.choice(SETS) for _ in range(random.randint(1, 5))]
        values = [random.choice((*VALUES, random.getrandbits(16))) for _ in range(4)]
        code = b"".join(body)
        prepared(rig, code + b"\x9c" + b"\x90" * 40, values, 2)
        rig.core.run(rig.regs, len(body) + 1)
        wanted = pushed(rig) & STATUS
        end = PROGRAM + len(code)
        # STI holds interrupts off for the last instruction of the body.
        last = len(code) - len(body[-1])
        opens = code[:last] + b"\xfb" + code[last:] if number % 3 == 1 else code
        prepared(rig, opens + b"\x90" * 40, values, 2)
        if number % 3 == 0:
            rig.core.set_breakpoints([end])
            assert rig.core.run(rig.regs, 100) == Breakpoint(end)
            rig.core.set_breakpoints([])
        elif number % 3 == 1:
            assert rig.core.run(rig.regs, 100, window=True) == Window()
        else:
            assert rig.core.run(rig.regs, len(body)) == Budget()
        assert rig.regs.rflags & STATUS == wanted, (number, code.hex())


def test_an_operand_that_looks_like_flags_is_not_taken_for_them() -> None:
    """BCh + 44h is 0 with carry and half carry; 44h alone is ZF and PF."""
    rig = Rig()
    prepared(rig, bytes.fromhex("00ca 00da f1"), [0, 0, 0xBC, 0x44], 2)
    assert isinstance(rig.core.run(rig.regs, 10), Marked)
    assert rig.regs.rflags == 0x57
