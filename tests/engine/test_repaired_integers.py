"""What the processor underneath has wrong of integers, by the manual's numbers.

SDM Vol. 2 "BLSI", "BZHI", "PDEP", "CMPXCHG", "LDMXCSR", "ENTER", "FISTTP", "FBSTP", and
"Opcode Maps" for what is none.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from rigs.native_cpu import layout
from rigs.native_cpu.engine import Bench

if TYPE_CHECKING:
    from rigs.native_cpu.layout import Result

AT = layout.DATA + 0x100
RAX, RCX, RDX, RDI = 0, 1, 2, 7
CF, ZF, SF, OF = 1, 0x40, 0x80, 0x800
TOLD = CF | ZF | SF | OF
UD, GP, PF = 6, 13, 14
HIGH = 0xFEDC_BA98 << 32


@cache
def bench() -> Bench:
    return Bench()


def ended(code: str, **registers: int) -> Result:
    """Run code of a user in 64-bit mode; RDI points to data, flags are set."""
    gpr = [AT] * 16
    gpr[4] = layout.STACK + 0x800
    for name, value in registers.items():
        gpr[("rax", "rcx", "rdx", "rbx", "rsp").index(name)] = value
    return bench().run(
        layout.Given(bytes.fromhex(code), 0, tuple(gpr), 0x8D7, bytes(256))
    )


def stored(value: int, size: int) -> str:
    """Return code that puts a value at [rdi] and [rdi + 8]."""
    low, high = value & (1 << 64) - 1, value >> 64
    text = "48b9" + low.to_bytes(8, "little").hex() + "48890f"
    if size > 8:
        text += "48b9" + high.to_bytes(8, "little").hex() + "48894f08"
    return text


@pytest.mark.parametrize(
    ("source", "value", "flags"),
    [
        (0, 0, ZF), (1, 1, CF), (0xC, 4, CF), (1 << 31, 1 << 31, CF | SF),
        (HIGH, 0, ZF), (HIGH | 6, 2, CF),
    ],
)  # fmt: skip
def test_blsi(source: int, value: int, flags: int) -> None:
    """BLSI eax, ecx: the lowest bit that is set; CF when there is one."""
    result = ended("c4e278f3d9", rcx=source)
    assert (result.gpr[RAX], result.rflags & TOLD) == (value, flags)
    result = ended(stored(source, 4) + "c4e278f31f")
    assert (result.gpr[RAX], result.rflags & TOLD) == (value, flags)


@pytest.mark.parametrize(
    ("wide", "source", "index", "value", "flags"),
    [
        (0, 0xFFFF_FFFF, 0, 0, ZF), (0, 0xFFFF_FFFF, 31, 0x7FFF_FFFF, 0),
        (0, HIGH | 0xFFFF_FFFF, 32, 0xFFFF_FFFF, CF | SF), (0, 0, 32, 0, CF | ZF),
        (0, 0x8000_0001, 0x1FF, 0x8000_0001, CF | SF), (0, 7, 0x102, 3, 0),
        (1, 1 << 63 | 5, 63, 5, 0), (1, 1 << 63 | 5, 64, 1 << 63 | 5, CF | SF),
        (1, 5, 255, 5, CF),
    ],
)  # fmt: skip
def test_bzhi(wide: int, source: int, index: int, value: int, flags: int) -> None:
    """BZHI rax, rcx, rdx: bits from the index up are 0; CF when there are none."""
    head = f"c4e2{0x68 | wide << 7:02x}f5"
    result = ended(head + "c1", rcx=source, rdx=index)
    assert (result.gpr[RAX], result.rflags & TOLD) == (value, flags)
    result = ended(stored(source, 8) + head + "07", rdx=index)
    assert (result.gpr[RAX], result.rflags & TOLD) == (value, flags)
    high = f"c442{0x28 | wide << 7:02x}f5c1"  # r8, r9, r10
    copied = "4989c9 4989d2" + high + "4c89c0"
    assert ended(copied, rcx=source, rdx=index).gpr[RAX] == value


@pytest.mark.parametrize("mask", [0x0F0F, HIGH | 0x0F0F])
def test_pdep_of_32_bits(mask: int) -> None:
    """PDEP eax, edx, ecx: the upper half of RAX is 0 whatever the mask's is."""
    assert ended("c4e26bf5c1", rcx=mask, rdx=HIGH | 0xAB).gpr[RAX] == 0x0A0B


@pytest.mark.parametrize(
    ("code", "rax", "rcx", "expected"),
    [
        ("0fb1d1", 1, HIGH | 2, (2, HIGH | 2, 0)),
        ("0fb1d1", 2, HIGH | 2, (2, 7, ZF)),
        ("480fb1d1", 1, HIGH | 2, (HIGH | 2, HIGH | 2, 0)),
        ("660fb1d1", HIGH | 1, HIGH | 2, (HIGH | 2, HIGH | 2, 0)),
    ],
)
def test_cmpxchg_of_a_register(
    code: str, rax: int, rcx: int, expected: tuple[int, int, int]
) -> None:
    """The destination is written when it is equal; else the accumulator alone."""
    result = ended(code, rax=rax, rcx=rcx, rdx=7)
    assert (result.gpr[RAX], result.gpr[RCX], result.rflags & ZF) == expected


def test_cmpxchg_of_a_register_takes_no_lock() -> None:
    assert ended("f00fb1d1").vector == UD


@pytest.mark.parametrize("value", [0x1F80, 0xFFFF, 0x1_0000, 0x8000_1F80])
def test_ldmxcsr(value: int) -> None:
    code = stored(value, 4)
    result = ended(code + "0fae17")
    if value >> 16:
        assert (result.vector, result.error) == (GP, 0)
        assert result.rip == layout.CODE + len(bytes.fromhex(code))
        assert result.mxcsr == 0x1F80
    else:
        assert result.mxcsr == value


@pytest.mark.parametrize(
    ("room", "cr2"), [(0x7F0, 0), (0x7F8, 0), (0x7F9, 1), (0x800, 8), (0xFFFF, 0xF807)]
)
def test_enter_asks_for_the_stack_that_it_ends_with(room: int, cr2: int) -> None:
    """Eight bytes below what it makes must be there: the stack's page is the last."""
    code = "c8" + room.to_bytes(2, "little").hex() + "00"
    result = ended(code, rsp=layout.STACK + 0x800)
    if not cr2:
        assert result.gpr[4] == layout.STACK + 0x800 - 8 - room
    else:
        assert (result.vector, result.error) == (PF, 6)
        assert result.cr2 == layout.STACK - cr2
        assert result.gpr[4] == layout.STACK + 0x800


FILD = "dbe3 df2f"
"""fninit; fild qword [rdi]."""


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        (5, 2, 5), (-5, 2, 0xFFFB), (0x7FFF, 2, 0x7FFF), (0x8000, 2, 0x8000),
        (-0x8000, 2, 0x8000), (-0x8001, 2, 0x8000), (0x1_0000, 2, 0x8000),
        (1 << 31, 4, 1 << 31), ((1 << 31) - 1, 4, (1 << 31) - 1), (1 << 40, 4, 1 << 31),
        (-(1 << 31), 4, 1 << 31), (-(1 << 33), 4, 1 << 31),
        (1 << 62, 8, 1 << 62), (-1, 8, (1 << 64) - 1), (-(1 << 63), 8, 1 << 63),
    ],
)  # fmt: skip
def test_fisttp(value: int, size: int, expected: int) -> None:
    code = {2: "df0f", 4: "db0f", 8: "dd0f"}[size]
    load = stored(value & (1 << 64) - 1, 8) + FILD + stored(0, 8)
    assert ended(load + code + "488b07").gpr[RAX] == expected


def test_fisttp_of_more_than_64_bits() -> None:
    """2^62 and 2^62 and their sum twice: 2^64."""
    load = stored(1 << 62, 8) + FILD + "d8c0 d8c0"
    assert ended(load + "dd0f 488b07").gpr[RAX] == 1 << 63


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 0x12), (-12, 0x12 | 0x80 << 72), (10**18 - 1, 0x99_9999_9999_9999_9999),
        (10**18, 0xFFFF_C000_0000_0000_0000), (-(10**18), 0xFFFF_C000_0000_0000_0000),
        (1 << 62, 0xFFFF_C000_0000_0000_0000),
    ],
)  # fmt: skip
def test_fbstp(value: int, expected: int) -> None:
    load = stored(value & (1 << 64) - 1, 8) + FILD + stored(0, 16)
    result = ended(load + "df37 488b07 488b5708")
    assert result.gpr[RAX] | result.gpr[RDX] << 64 == expected


NONE = (
    "660faee8 f20faef0 f30faef8 660fae07 f20fae0f f30fae17 660fae1f 0fc3c1 660fc307 "
    "f20fc307 f20fd607 f30fd607 0f5007 660f5007 0f711704 660f722704 0f733704 660f12c1 "
    "660f16c1 0f38f0c1 660f38f1c1 c6f904 c7f904000000 0f20c8 0f22e8 8fc8 8f0f "
    "c4e269f3c9 c4e36bf0c104"
)
"""#UD by the opcode maps: a prefix or a form that the opcode does not have."""


@pytest.mark.parametrize("code", NONE.split())
def test_what_is_no_instruction(code: str) -> None:
    result = ended(code)
    assert (result.vector, result.rip) == (UD, layout.CODE)


@pytest.mark.parametrize("code", ["0f18c1", "660f18d9", "480f18c9", "f30f18d0"])
def test_a_hint_in_a_register_does_nothing(code: str) -> None:
    result, nothing = ended(code), ended("")
    assert result.rip == layout.CODE + len(code) // 2
    assert (result.gpr, result.rflags) == (nothing.gpr, nothing.rflags)


@pytest.mark.parametrize(
    "code",
    ["0fae17", "0faef0", "0f50c1", "660fd607", "0f1807", "0fb10f", "8f07", "0f1207"],
)
def test_what_is_near_to_it_is_an_instruction(code: str) -> None:
    assert ended(stored(0x1F80, 4) + code).vector != UD
