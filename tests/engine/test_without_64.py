"""Instructions that 64-bit code does not have, by the manual's own operations.

SDM Vol. 2A "AAA", "AAD", "AAM", "AAS", "ARPL", "BOUND", "DAA", "DAS", "INT n/INTO", and
2B "POPA/POPAD", "PUSHA/PUSHAD": each "Operation" is written down here again.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from rigs.offered.bench import DATA, RFLAGS, STACK, STATES
from rigs.offered.judge import bench

if TYPE_CHECKING:
    from collections.abc import Callable

    from rigs.offered.bench import Ended

CF, PF, AF, ZF, SF, OF = 1, 4, 0x10, 0x40, 0x80, 0x800
AX, CX, DX, BX, SP, BP, SI, DI = range(8)
MODES = ("real", "16", "32")
KEPT = 0xABCD_0000
"""Upper half of EAX: no decimal instruction touches it."""


def run(code: str, mode: str, rflags: int = 2, **registers: int) -> Ended:
    names = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
    other = {names.index(name): value for name, value in registers.items()}
    given = STATES[0]
    return bench("lapis").run(
        bytes.fromhex(code), mode, given, other | {RFLAGS: rflags | 2}
    )


def told(value: int) -> int:
    """Return SF, ZF and PF of a byte."""
    flags = SF if value & 0x80 else 0
    flags |= 0 if value else ZF
    return flags | (0 if value.bit_count() & 1 else PF)


def aaa(ax: int, flags: int) -> tuple[int, int]:
    if ax & 0xF > 9 or flags & AF:
        return ax + 0x106 & 0xFF0F, AF | CF
    return ax & 0xFF0F, 0


def aas(ax: int, flags: int) -> tuple[int, int]:
    if ax & 0xF > 9 or flags & AF:
        ax = ax - 6 & 0xFFFF
        return ax - 0x100 & 0xFF0F, AF | CF
    return ax & 0xFF0F, 0


def daa(ax: int, flags: int) -> tuple[int, int]:
    al, old, new = ax & 0xFF, ax & 0xFF, 0
    if al & 0xF > 9 or flags & AF:
        new |= AF | (CF if flags & CF or al + 6 > 0xFF else 0)
        al = al + 6 & 0xFF
    if old > 0x99 or flags & CF:
        al, new = al + 0x60 & 0xFF, new | CF
    else:
        new &= ~CF
    return ax & 0xFF00 | al, new | told(al)


def das(ax: int, flags: int) -> tuple[int, int]:
    al, old, new = ax & 0xFF, ax & 0xFF, 0
    if al & 0xF > 9 or flags & AF:
        new |= AF | (CF if flags & CF or al < 6 else 0)
        al = al - 6 & 0xFF
    if old > 0x99 or flags & CF:
        al, new = al - 0x60 & 0xFF, new | CF
    return ax & 0xFF00 | al, new | told(al)


DECIMAL = {
    "37": (aaa, AF | CF), "3f": (aas, AF | CF),
    "27": (daa, AF | CF | SF | ZF | PF), "2f": (das, AF | CF | SF | ZF | PF),
}  # fmt: skip
"""Opcode -> what it does, and the flags that it defines."""


@pytest.mark.parametrize("code", DECIMAL)
@pytest.mark.parametrize("mode", MODES)
def test_decimal_adjustments(code: str, mode: str) -> None:
    """Every AL with both flags in and out, with three of AH."""
    operation: Callable[[int, int], tuple[int, int]]
    operation, defined = DECIMAL[code]
    for ax in (high << 8 | low for high in (0, 0x7F, 0xFF) for low in range(256)):
        for flags in (0, AF, CF, AF | CF):
            ended = run(code, mode, flags | SF | OF, ax=KEPT | ax)
            found = ended.gpr[AX], ended.rflags & defined
            value, expected = operation(ax, flags)
            assert found == (KEPT | value, expected), (hex(ax), hex(flags))


@pytest.mark.parametrize("base", [10, 1, 2, 7, 16, 255])
@pytest.mark.parametrize("mode", MODES)
def test_aam_and_aad(mode: str, base: int) -> None:
    defined = SF | ZF | PF
    for ax in range(0, 0x1_0000, 251):
        ended = run(f"d4{base:02x}", mode, ax=KEPT | ax)
        value = (ax & 0xFF) // base << 8 | (ax & 0xFF) % base
        assert ended.gpr[AX] == KEPT | value
        assert ended.rflags & defined == told(value & 0xFF)
        ended = run(f"d5{base:02x}", mode, ax=KEPT | ax)
        value = (ax & 0xFF) + (ax >> 8) * base & 0xFF
        assert ended.gpr[AX] == KEPT | value
        assert ended.rflags & defined == told(value)


@pytest.mark.parametrize("mode", MODES)
def test_aam_by_0_is_a_divide_error(mode: str) -> None:
    ended = run("d400", mode)
    assert (ended.vector, ended.length) == (0, 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wide", [False, True])
def test_pusha_and_popa(mode: str, *, wide: bool) -> None:
    """PUSHA pushes SP as it was; POPA leaves it out."""
    values = {"ax": 1, "cx": 2, "dx": 3, "bx": 4, "bp": 6, "si": 7, "di": 8}
    prefix = "66" if wide != (mode == "32") else ""
    letter, size = ("I", 4) if wide else ("H", 2)
    ended = run(prefix + "60", mode, **values)
    pushed = struct.unpack_from(f"<8{letter}", ended.memory, STACK - 8 * size)
    assert pushed == (8, 7, 6, STACK, 4, 3, 2, 1)
    assert ended.gpr[SP] == STACK - 8 * size
    frame = 0x0008_0008 if wide else 8
    ended = run(prefix + "61", mode, **values)
    assert ended.gpr[SP] == STACK + 8 * size
    assert [ended.gpr[n] for n in (DI, SI, BP, BX, DX, CX, AX)] == [frame] * 7


@pytest.mark.parametrize("mode", ["16", "32"])
@pytest.mark.parametrize(
    ("dest", "source", "value", "zf"),
    [(0x10, 3, 0x13, ZF), (0x12, 1, 0x12, 0), (0x13, 3, 0x13, 0), (0, 2, 2, ZF)],
)
def test_arpl(mode: str, dest: int, source: int, value: int, zf: int) -> None:
    """arpl cx, ax: the RPL is raised to that of AX, and ZF tells it."""
    ended = run("63c1", mode, cx=dest, ax=source)
    assert (ended.gpr[CX], ended.rflags & ZF) == (value, zf)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("index", "refused"), [(15, True), (16, False), (17, True), (0xFFFF, True)]
)
def test_bound(mode: str, index: int, *, refused: bool) -> None:
    """bound ax, [di]: both bounds are 16, and the index has a sign."""
    code = "66620f" if mode == "32" else "620d"
    ended = run(code, mode, cx=index, di=DATA)
    assert (ended.vector, ended.length) == (
        (5, 0) if refused else (None, len(code) // 2)
    )


@pytest.mark.parametrize("mode", MODES)
def test_into(mode: str) -> None:
    assert run("ce", mode, OF).vector == 4
    ended = run("ce", mode, 0xFF)
    assert (ended.vector, ended.length) == (None, 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", ["06", "0e", "16", "1e"])
def test_a_push_of_a_segment_register(mode: str, code: str) -> None:
    selector = 0 if mode == "real" else 8 if code == "0e" else 0x10
    size = 4 if mode == "32" else 2
    ended = run(code, mode)
    assert ended.gpr[SP] == STACK - size
    assert struct.unpack_from("<H", ended.memory, STACK - size)[0] == selector
