"""What the decoder makes of literal encodings, and that it agrees with capstone."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import capstone
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lapis_engine.vie.decode import decode, decode_port
from lapis_engine.vie.instruction import (
    Instruction,
    MemoryOperand,
    PortInstruction,
    RegisterOperand,
)

if TYPE_CHECKING:
    from pathlib import Path

ES, CS, SS, DS, FS, GS = range(6)
RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
MODES = {16: capstone.CS_MODE_16, 32: capstone.CS_MODE_32, 64: capstone.CS_MODE_64}


def mov(
    bits: int,
    length: int,
    size: int,
    mem: MemoryOperand,
    *,
    load: bool,
    reg: RegisterOperand | None = None,
    immediate: int | None = None,
    addrsize: int | None = None,
) -> Instruction:
    return Instruction(
        "mov", bits, length, size, size, addrsize or bits // 8, mem, load,
        reg, immediate,
    )  # fmt: skip


EAX = RegisterOperand(RAX)

PLAIN = [
    # mov eax, [rbx]
    (64, "8b03", mov(64, 2, 4, MemoryOperand(DS, RBX), load=True, reg=EAX)),
    # mov [rbp - 8], r9: SS by default
    (
        64,
        "4c894df8",
        mov(
            64,
            4,
            8,
            MemoryOperand(SS, RBP, disp=-8),
            load=False,
            reg=RegisterOperand(9),
        ),
    ),
    # mov r8w, [r13 + r12*4 + 0x1000]: r13 is no stack register
    (
        64,
        "66478b84a500100000",
        mov(
            64,
            9,
            2,
            MemoryOperand(DS, 13, 12, 4, 0x1000),
            load=True,
            reg=RegisterOperand(8),
        ),
    ),
    # mov eax, [rip + 0x10]
    (
        64,
        "8b0510000000",
        mov(
            64,
            6,
            4,
            MemoryOperand(DS, disp=0x10, rip_relative=True),
            load=True,
            reg=EAX,
        ),
    ),
    # mov eax, [0xfee00020] by SIB without base and index: sign-extended
    (
        64,
        "8b04252000e0fe",
        mov(64, 7, 4, MemoryOperand(DS, disp=-0x11FFFE0), load=True, reg=EAX),
    ),
    # mov ah, [rax]; with REX the same register is SPL
    (
        64,
        "8a20",
        mov(
            64,
            2,
            1,
            MemoryOperand(DS, RAX),
            load=True,
            reg=RegisterOperand(RAX, high=True),
        ),
    ),
    (
        64,
        "408a20",
        mov(64, 3, 1, MemoryOperand(DS, RAX), load=True, reg=RegisterOperand(RSP)),
    ),
    # mov [gs:edi], bl with 67
    (
        64,
        "6567881f",
        mov(
            64,
            4,
            1,
            MemoryOperand(GS, RDI),
            load=False,
            reg=RegisterOperand(RBX),
            addrsize=4,
        ),
    ),
    # mov qword [rax], -1: a 32-bit immediate, sign-extended
    (
        64,
        "48c700ffffffff",
        mov(
            64,
            7,
            8,
            MemoryOperand(DS, RAX),
            load=False,
            immediate=0xFFFF_FFFF_FFFF_FFFF,
        ),
    ),
    # mov byte [rax], 0x80
    (64, "c60080", mov(64, 3, 1, MemoryOperand(DS, RAX), load=False, immediate=0x80)),
    # movabs al, [0x1122334455667788] and movabs [..], rax
    (
        64,
        "a08877665544332211",
        mov(64, 9, 1, MemoryOperand(DS, disp=0x1122334455667788), load=True, reg=EAX),
    ),
    (
        64,
        "48a38877665544332211",
        mov(64, 10, 8, MemoryOperand(DS, disp=0x1122334455667788), load=False, reg=EAX),
    ),
    # 32 bits: mov eax, [0xfee00020]; mov [fs:0x20], eax as A3
    (
        32,
        "8b052000e0fe",
        mov(32, 6, 4, MemoryOperand(DS, disp=-0x11FFFE0), load=True, reg=EAX),
    ),
    (
        32,
        "64a320000000",
        mov(32, 6, 4, MemoryOperand(FS, disp=0x20), load=False, reg=EAX),
    ),
    # 32 bits: mov word [esp], 0x1234
    (
        32,
        "66c704243412",
        mov(32, 6, 2, MemoryOperand(SS, RSP), load=False, immediate=0x1234),
    ),
    # 16 bits: mov ax, [bp+si-2]; mov [0x1234], ax; mov eax, [bx+di+0x100]
    (16, "8b42fe", mov(16, 3, 2, MemoryOperand(SS, 5, 6, 1, -2), load=True, reg=EAX)),
    (
        16,
        "89063412",
        mov(16, 4, 2, MemoryOperand(DS, disp=0x1234), load=False, reg=EAX),
    ),
    (
        16,
        "668b810001",
        mov(16, 5, 4, MemoryOperand(DS, 3, 7, 1, 0x100), load=True, reg=EAX),
    ),
    # 16 bits with a 32-bit address: mov ax, [ebp]
    (
        16,
        "678b4500",
        mov(16, 4, 2, MemoryOperand(SS, RBP), load=True, reg=EAX, addrsize=4),
    ),
    # 32 bits with a 16-bit address: mov al, [es:si]
    (
        32,
        "26678a04",
        mov(32, 4, 1, MemoryOperand(ES, RSI), load=True, reg=EAX, addrsize=2),
    ),
]


@pytest.mark.parametrize(("bits", "code", "expected"), PLAIN)
def test_a_mov_is_decoded_with_all_its_parts(
    bits: int, code: str, expected: Instruction
) -> None:
    assert decode(bytes.fromhex(code) + b"\xcc" * 3, bits) == expected


WIDE = [
    # code, bits, op, opsize, memsize
    ("0fb603", 64, "movzx", 4, 1),
    ("660fb603", 64, "movzx", 2, 1),
    ("480fb603", 64, "movzx", 8, 1),
    ("0fb703", 32, "movzx", 4, 2),
    ("0fbe03", 64, "movsx", 4, 1),
    ("480fbf03", 64, "movsx", 8, 2),
    ("486303", 64, "movsx", 8, 4),
    ("6303", 64, "movsx", 4, 4),
    ("666303", 64, "movsx", 2, 2),
    ("0fb607", 16, "movzx", 2, 1),
]


@pytest.mark.parametrize(("code", "bits", "op", "opsize", "memsize"), WIDE)
def test_extending_moves_have_two_sizes(
    code: str, bits: int, op: str, opsize: int, memsize: int
) -> None:
    found = decode(bytes.fromhex(code), bits)
    assert found is not None
    assert (found.op, found.opsize, found.memsize, found.load) == (
        op, opsize, memsize, True,
    )  # fmt: skip
    assert found.length == len(code) // 2


STRINGS = [
    # code, bits, op, size, addrsize, segment, rep, repne
    ("a4", 64, "movs", 1, 8, DS, False, False),
    ("f348a5", 64, "movs", 8, 8, DS, True, False),
    ("f264a5", 64, "movs", 4, 8, FS, False, True),
    ("2ea5", 64, "movs", 4, 8, DS, False, False),
    ("2ea5", 32, "movs", 4, 4, CS, False, False),
    ("67f366ab", 64, "stos", 2, 4, ES, True, False),
    ("26aa", 16, "stos", 1, 2, ES, False, False),
    ("64ab", 16, "stos", 2, 2, ES, False, False),
]


@pytest.mark.parametrize(
    ("code", "bits", "op", "size", "addrsize", "segment", "rep", "repne"), STRINGS
)
def test_strings_are_decoded(
    *,
    code: str,
    bits: int,
    op: str,
    size: int,
    addrsize: int,
    segment: int,
    rep: bool,
    repne: bool,
) -> None:
    found = decode(bytes.fromhex(code), bits)
    assert found is not None
    assert (found.op, found.opsize, found.memsize, found.addrsize) == (
        op, size, size, addrsize,
    )  # fmt: skip
    assert (found.mem.segment, found.rep, found.repne) == (segment, rep, repne)
    assert found.repeats == (rep or repne)


@pytest.mark.parametrize(
    ("code", "bits"),
    [
        ("8700", 64),  # xchg
        ("0108", 64),  # add
        ("8bc3", 64),  # a register is no memory
        ("c70801000000", 64),  # C7 /1
        ("c7f800000000", 64),  # xbegin
        ("f08903", 64),  # lock mov is #UD
        ("6303", 32),  # arpl
        ("488b03", 32),  # dec eax
        ("8b05100000", 64),  # a byte short
        ("66" * 14 + "8b03", 64),  # sixteen bytes
        ("", 64),
        ("66", 16),
    ],
)
def test_everything_else_is_not_decoded(code: str, bits: int) -> None:
    assert decode(bytes.fromhex(code), bits) is None


def test_a_rex_before_another_prefix_does_not_count() -> None:
    found = decode(bytes.fromhex("48668b03"), 64)
    assert found is not None
    assert (found.opsize, found.length) == (2, 4)


PORTS = [
    ("e460", 64, PortInstruction(64, 2, 1, 8, read=True, string=False, port=0x60)),
    ("e560", 64, PortInstruction(64, 2, 4, 8, read=True, string=False, port=0x60)),
    ("66e780", 64, PortInstruction(64, 3, 2, 8, read=False, string=False, port=0x80)),
    ("e680", 16, PortInstruction(16, 2, 1, 2, read=False, string=False, port=0x80)),
    ("ec", 32, PortInstruction(32, 1, 1, 4, read=True, string=False)),
    ("ed", 16, PortInstruction(16, 1, 2, 2, read=True, string=False)),
    ("48ef", 64, PortInstruction(64, 2, 4, 8, read=False, string=False)),
    (
        "f36c",
        64,
        PortInstruction(64, 2, 1, 8, read=True, string=True, repeats=True),
    ),
    (
        "67646f",
        64,
        PortInstruction(64, 3, 4, 4, read=False, string=True, segment=FS),
    ),
    (
        "666d",
        16,
        PortInstruction(16, 2, 4, 2, read=True, string=True),
    ),
]


@pytest.mark.parametrize(("code", "bits", "expected"), PORTS)
def test_port_instructions_are_decoded(
    code: str, bits: int, expected: PortInstruction
) -> None:
    assert decode_port(bytes.fromhex(code) + b"\x90", bits) == expected


@pytest.mark.parametrize("code", ["8b03", "f0e460", "e4", "", "a4"])
def test_what_is_no_port_instruction_is_not_decoded_as_one(code: str) -> None:
    assert decode_port(bytes.fromhex(code), 64) is None


PREFIXES = st.lists(
    st.sampled_from(
        [0x66, 0x67, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0xF2, 0xF3, 0x40, 0x48, 0x4F]
    ),
    max_size=2,
    unique=True,
).map(bytes)
OPCODES = st.sampled_from(
    [bytes([op]) for op in (0x63, *range(0x88, 0x8C), *range(0xA0, 0xA6), 0xAA, 0xAB)]
    + [b"\xc6", b"\xc7", b"\x0f\xb6", b"\x0f\xb7", b"\x0f\xbe", b"\x0f\xbf"]
    + [bytes([op]) for op in (*range(0x6C, 0x70), *range(0xE4, 0xE8))]
)
CODE = st.builds(
    lambda prefixes, opcode, rest: (prefixes + opcode + rest)[:15],
    PREFIXES,
    OPCODES,
    st.binary(min_size=10, max_size=12),
)


@given(st.binary(max_size=20), st.sampled_from([16, 32, 64]))
def test_no_bytes_make_the_decoders_raise(code: bytes, bits: int) -> None:
    for found in (decode(code, bits), decode_port(code, bits)):
        assert found is None or 0 < found.length <= min(len(code), 15)


@given(CODE, st.sampled_from([16, 32, 64]))
@example(bytes.fromhex("678b04250010000090"), 64)
@example(bytes.fromhex("67a10010000090"), 64)
def test_the_length_is_capstones(code: bytes, bits: int) -> None:
    found = decode(code, bits) or decode_port(code, bits)
    theirs = next(capstone.Cs(capstone.CS_ARCH_X86, MODES[bits]).disasm(code, 0), None)
    if found is not None and theirs is not None:
        assert found.length == theirs.size


@pytest.mark.skipif(shutil.which("nasm") is None, reason="nasm is not installed")
@pytest.mark.parametrize(
    ("bits", "text", "mem"),
    [
        (64, "mov eax, [r12 + 8]", MemoryOperand(DS, 12, disp=8)),
        (64, "mov [rsp + rbp*8 - 4], cl", MemoryOperand(SS, RSP, RBP, 8, -4)),
        (64, "mov rax, [gs:rbx + r9*2]", MemoryOperand(GS, RBX, 9, 2)),
        (32, "movzx eax, word [ebp + ecx*2]", MemoryOperand(SS, RBP, RCX, 2)),
        (16, "mov byte [bx + si], 1", MemoryOperand(DS, 3, 6)),
        (16, "mov dx, [cs:di + 0x7f]", MemoryOperand(CS, 7, disp=0x7F)),
    ],
)
def test_what_nasm_assembles_is_decoded(
    tmp_path: Path, bits: int, text: str, mem: MemoryOperand
) -> None:
    source, out = tmp_path / "a.s", tmp_path / "a"
    source.write_text(f"bits {bits}\n{text}\n")
    subprocess.run(["nasm", "-f", "bin", "-o", out, source], check=True)
    code = out.read_bytes()
    found = decode(code, bits)
    assert found is not None
    assert (found.length, found.mem) == (len(code), mem)
