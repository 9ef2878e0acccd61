"""The checks that every machine makes: what is seldom met, and may break a rule.

SDM Vol. 2 "Exceptions Type 1, 2 and 4" for the alignment of SSE, Vol. 3A "Limit
Checking" for 64 KiB in real mode.
"""

from __future__ import annotations

import ctypes as c
from random import Random

import pytest
from conformance.rig import CODE, Rig

from lapis_engine.cpu import blocks, layout, strict
from lapis_engine.cpu.registers import CS, DS, Registers, Segment
from lapis_engine.events import ExceptionRaised
from lapis_engine.vmm.run import run

GP, SS_FAULT = 13, 12
LIBRARY = blocks.find()
COMPILED = pytest.mark.skipif(isinstance(LIBRARY, str), reason=str(LIBRARY))

READ = c.CFUNCTYPE(
    c.c_int, c.c_void_p, c.c_uint64, c.c_uint32, c.POINTER(c.c_uint8), c.c_size_t
)
ASK = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_uint64), c.c_void_p, c.c_void_p)


def rig(code: str, *, wide: bool = True) -> tuple[Rig, Registers]:
    found = Rig(wide=wide)
    found.vm.core.mark_usual(on=True)
    found.vm.memory.write(CODE, bytes.fromhex(code))
    regs = found.vcpu(0).regs
    regs.rip = CODE
    regs.cr4 |= 0x600
    return found, regs


def real(code: str, base: int = CODE) -> tuple[Rig, Registers]:
    found, regs = rig(code, wide=False)
    found.vm.memory.write(base, bytes.fromhex(code))
    regs.cr0 = 0x10
    for index in range(6):
        regs.set_segment(index, Segment(0, 0, 0xFFFF, 0x9300))
    regs.set_segment(CS, Segment(base >> 4, base, 0xFFFF, 0x9B00))
    regs.rip = 0
    return found, regs


def fault(found: Rig) -> tuple[int, int | None, str | None] | None:
    run(found.vm, found.vcpu(0), budget=1)
    for event in found.events(0):
        if isinstance(event, ExceptionRaised):
            return event.vector, event.error, event.rule
    return None


UNALIGNED = (GP, 0, "unaligned")
LIMIT = (GP, 0, "segment-limit")
STACK = (SS_FAULT, 0, "segment-limit")


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize(
    ("code", "rbx", "came"),
    [
        ("0f280b", 0x6008, UNALIGNED),  # movaps xmm1, [rbx]
        ("0f280b", 0x6010, None),
        ("0f290b", 0x6004, UNALIGNED),
        ("660ffe0b", 0x6008, UNALIGNED),  # paddd
        ("0f100b", 0x6008, None),  # movups
        ("0f28ca", 0x6008, None),
        ("660f38000b", 0x6008, UNALIGNED),  # pshufb
    ],
)
def test_an_operand_of_sse_at_cpl_0(
    code: str, rbx: int, came: tuple[int, int, str] | None, wide: bool
) -> None:
    found, regs = rig(code, wide=wide)
    regs.gpr[3] = rbx
    assert fault(found) == came


@pytest.mark.parametrize(
    ("code", "is_marked"),
    [
        ("0f280d09000000", False),  # movaps xmm1, [rip + 9]: CODE + 16
        ("0f280d08000000", True),
        ("0fc60d0800000001", False),  # shufps, with a byte behind it
        ("0fc60d0900000001", True),
        ("640f280d08000000", True),  # by FS, whose base is not known
    ],
)
def test_a_constant_that_is_aligned_costs_nothing(code: str, is_marked: bool) -> None:
    """Its address is known when it is translated."""
    found = strict.look(bytes.fromhex(code), 64, 0, usual=True, at=CODE)
    assert (found is not None) == is_marked


def test_at_cpl_3_it_is_checked_by_a_strict_machine_alone() -> None:
    for is_strict, came in ((False, None), (True, UNALIGNED)):
        found, regs = rig("0f280b", wide=False)
        found.vm.core.is_strict = is_strict
        for index in range(6):
            segment = regs.segment(index)
            selector, flags = segment.selector | 3, segment.flags | 0x6000
            user = segment._replace(selector=selector, flags=flags)
            regs.set_segment(index, user)
        regs.gpr[3] = 0x6008
        regs.tr = Segment(0x30, 0x5000, 0x67, 0x8B00)
        assert fault(found) == came


@pytest.mark.parametrize(
    ("code", "bx", "came"),
    [
        ("678b03", 0x1_0000, LIMIT),  # mov ax, [ebx]
        ("678b03", 0xFFFF, LIMIT),
        ("678b03", 0xFFFE, None),
        ("678a03", 0xFFFF, None),
        ("36678a03", 0x1_0000, STACK),
        ("67a145230100", 0, LIMIT),  # mov ax, [dword 0x12345]
        ("a1ffff", 0, LIMIT),  # mov ax, [0xffff]
        ("a0ffff", 0, None),
        ("a1feff", 0, None),
        ("66a1fdff", 0, LIMIT),
        ("8b1effff", 0, LIMIT),
        ("c606ffff01", 0, None),  # mov byte [0xffff], 1
        ("678d03", 0x1_0000, None),  # lea
        ("670fb603", 0x1_0000, LIMIT),  # movzx ax, byte [ebx]
        ("8b07", 0xFFFF, None),  # mov ax, [bx]: too often met
    ],
)
def test_64_kib_in_real_mode(
    code: str, bx: int, came: tuple[int, int, str] | None
) -> None:
    found, regs = real(code)
    regs.gpr[3] = bx
    found_fault = fault(found)
    assert (
        found_fault is None
        if came is None
        else (found_fault is not None and found_fault[0::2] == came[0::2])
    )


def test_neither_unreal_mode_nor_firmware_has_limits() -> None:
    found, regs = real("678b03")
    for index in range(6):
        if index != CS:
            regs.set_segment(index, Segment(0, 0, 0xFFFF_FFFF, 0x8F_9300))
    regs.gpr[3] = 0x10_0000
    assert fault(found) is None
    found, regs = real("678b03", base=0xE_0000)
    regs.gpr[3] = 0x1_0000
    assert fault(found) is None
    assert regs.segment(DS).limit == 0xFFFF


@COMPILED
def test_the_compiled_part_asks_of_all_that_is_usual() -> None:
    """20,000 instructions, in every mode: none is usual that it would not ask of."""
    assert not isinstance(LIBRARY, str)
    random, met = Random(7), 0
    looker = blocks.Looker(LIBRARY)
    record, asked = looker.record, list[int]()
    code = bytes(15)
    hflags, eflags, operations = c.c_uint32(), c.c_uint64(), c.c_int32()

    def read(
        _uc: int, _at: int, _prot: int, to: c._Pointer[c.c_uint8], size: int
    ) -> int:
        for at in range(size):
            to[at] = (code + bytes(64))[at]
        return 0

    def ask(linear: c._Pointer[c.c_uint64], _key: int, _data: int) -> int:
        asked.append(linear[0])
        return 0

    reading, asking = READ(read), ASK(ask)
    record.vmem_read = c.cast(reading, c.c_void_p).value
    record.ask = c.cast(asking, c.c_void_p).value
    record.hflags, record.eflags = c.addressof(hflags), c.addressof(eflags)
    record.operations = c.addressof(operations)
    record.code64, record.code32 = layout.HF_CS64, layout.HF_CS32
    record.cpl, record.limited = layout.HF_CPL, layout.HF_LIMITED
    looker.may_break(strict.USUAL_0, *strict.USUAL_16)
    look = LIBRARY.blocks_look
    for _ in range(20_000):
        first = random.choice(
            [b"", b"\x67", b"\x66", b"\x0f", b"\x67\x0f", b"\x66\x0f"]
        )
        code = (first + random.randbytes(15))[:15]
        bits = random.choice([16, 32, 64])
        hflags.value = random.choice([0, layout.HF_CPL]) | random.choice(
            [0, layout.HF_LIMITED]
        )
        if bits == 64:
            hflags.value |= layout.HF_CS64 | layout.HF_PE
        elif bits == 32:
            hflags.value |= layout.HF_CS32 | layout.HF_PE
        asked.clear()
        linear = c.c_uint64(0x1_0000)
        look(c.byref(linear), None, c.byref(record))
        is_usual = strict.look(code, bits, hflags.value, usual=True, at=linear.value)
        if is_usual is not None:
            met += 1
            assert asked, (code.hex(), bits, hex(hflags.value))
    assert met > 500
