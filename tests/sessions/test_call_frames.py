"""Call frame information made by hand, as DWARF 5 "Call Frame Information" has it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.symbols import cfi
from lapis_sessions.symbols.book import Source
from lapis_sessions.symbols.cfi import CallFrames, FrameRow
from lapis_sessions.symbols.table import Table

CODE = bytes.fromhex(
    "e802000000 ebfe 53 4883ec20 e806000000 4883c420 5b c3 6a00 90 58 c3"
)
"""00 call 07; 05 jmp to it; 07 push rbx; 08 sub rsp, 0x20; 0c call 17;
11 add rsp, 0x20; 15 pop rbx; 16 ret; 17 push 0; 19 nop; 1a pop rax; 1b ret."""
FREE, SECTION_AT = 0x20_0000, 0x30_0000
FUNCTIONS = (
    (0x00, 0x07, "0710"),
    (0x07, 0x17, "410e10 8302 440e30 490e10 410e08"),
    (0x17, 0x1C, "420e10 420e08"),
)
"""Of each the bytes from and to which it is, and instructions: advance, CFA, RBX."""
RSP, RBX, RA = 7, 3, 16


def record(body: bytes) -> bytes:
    padded = body.ljust(-(-len(body) // 8) * 8 + 4, b"\0")
    return struct.pack("<I", len(padded)) + padded


def eh_frame(functions: tuple[tuple[int, int, str], ...] = FUNCTIONS) -> bytes:
    """A CIE (version 1, zR, factors 1 and -8, RA 16, pc-relative), and its FDEs."""
    common = bytes.fromhex("00000000 01 7a5200 01 78 10 01 1b 0c0708 9001")
    out = record(common)
    for start, end, ops in functions:
        at = len(out)
        where = FREE + start - (SECTION_AT + at + 8)
        head = struct.pack("<IiI", at + 4, where, end - start)
        out += record(head + b"\0" + bytes.fromhex(ops))
    return out + bytes(4)


def frames(data: bytes | None = None) -> CallFrames:
    section = eh_frame() if data is None else data
    return cfi.of([(section, SECTION_AT, True)], wide=True)


@pytest.mark.parametrize(
    ("at", "cfa", "rbx"),
    [
        (0x07, 8, None), (0x08, 16, -16), (0x0B, 16, -16), (0x0C, 48, -16),
        (0x14, 48, -16), (0x15, 16, -16), (0x16, 8, -16), (0x17, 8, None),
        (0x19, 16, None), (0x1A, 16, None), (0x1B, 8, None),
    ],
)  # fmt: skip
def test_each_address_has_its_row(at: int, cfa: int, rbx: int | None) -> None:
    rules: dict[int, Any] = {RA: ("offset", -8)}
    if rbx is not None:
        rules[RBX] = ("offset", rbx)
    assert frames().find(FREE + at) == FrameRow((RSP, cfa), rules, RA, is_signal=False)


def test_what_is_not_taken_is_unknown_until_it_is_restored() -> None:
    # remember; +1: RA in RDX; +1: restore; +1: CFA by an expression (breg7 8).
    odd = (0x17, 0x1C, "0a 41 091001 41 0b 41 0f027708")
    found = frames(eh_frame((odd,)))
    known = [found.find(FREE + at) is not None for at in range(0x17, 0x1B)]
    assert known == [True, False, True, False]


def test_what_is_not_described_has_no_row() -> None:
    found = frames()
    assert len(found) == 3
    assert found.find(FREE - 1) is None
    assert found.find(FREE + 0x1C) is None
    assert CallFrames().find(FREE) is None


def test_a_backtrace_needs_no_frame_pointers_then() -> None:
    session = open_session(SessionOptions("ap-bringup", cpus=1), discover().extensions)

    def done(line: str) -> Any:
        outcome = session.execute(line)
        assert outcome.ok, outcome.error
        return outcome.result

    done("run 20000")
    done(f"write-memory {FREE:#x} {CODE.hex()}")
    for text in ("rip = 0x200000 --raw", "rsp = 0x208000", "rbp = 0x1234"):
        done(f"set {text}")
    source = Source("it", "ELF", Table([]), frames=frames())
    session.symbols = session.symbols.joined(source)
    regs, shadow = session.machine.vcpu(0).regs, list[tuple[int, int]]()
    deepest = 0
    while True:
        (line,) = session.machine.disassemble(0, None, 1)
        view = done("bt")
        found = [(each["linear"], each["stack"]) for each in view["frames"]]
        here = regs.linear_rip, regs.linear_rsp
        assert (found, view["ends"]) == ([here, *reversed(shadow)], "outermost")
        deepest = max(deepest, len(found))
        if line.mnemonic == "jmp":
            break
        if line.mnemonic == "call":
            shadow.append((regs.linear_rip + len(line.code), regs.linear_rsp))
        elif line.mnemonic == "ret":
            shadow.pop()
        done("step")
    assert deepest == 3


@given(st.integers(0, len(eh_frame()) - 1), st.binary(min_size=1, max_size=8))
def test_no_byte_does_harm(at: int, put: bytes) -> None:
    data = eh_frame()
    found = frames(data[:at] + put + data[at + len(put) :])
    for offset in range(-4, 0x20):
        found.find(FREE + offset)


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_bytes_of_any_kind_do_none(data: bytes, wide: bool, is_eh: bool) -> None:
    found = cfi.of([(data, 0, is_eh)], wide=wide)
    for offset in range(0, 64, 8):
        found.find(offset)
