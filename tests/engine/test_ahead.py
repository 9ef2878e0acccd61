"""A page has its A bit when the guest comes to it, and not when it is translated.

The rule is `cpu.ahead`'s; what it says of each case was worked out by hand.
"""

from __future__ import annotations

import ctypes
from random import Random
from typing import TYPE_CHECKING, Any

import capstone
import pytest

from lapis_engine.cpu import ahead, blocks, layout, selfcheck
from lapis_engine.cpu.answers import Cpuid, Place
from lapis_engine.cpu.core import Core
from lapis_engine.cpu.intercepts import Budget, Faulted, Window
from lapis_engine.cpu.registers import CS, Segment
from lapis_engine.errors import ProcessorError
from lapis_engine.memory.physical import PhysicalMemory
from lapis_engine.plain import Plain

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers

LIBRARY = blocks.find()
COMPILED = pytest.mark.skipif(isinstance(LIBRARY, str), reason=str(LIBRARY))
WAYS = [pytest.param("blocks", marks=COMPILED), "count"]
DIRECTORY, TABLE, STACK, NEXT = 0x2000, 0x3000, 0x5000, 0x8000
"""The code lies at the end of page 7000."""
ACCESSED = 0x20


class Paged:
    """A vCPU in 32-bit mode with the first 64 KiB mapped to themselves."""

    def __init__(self, way: str, code: str, behind: str = "90" * 64) -> None:
        library = LIBRARY if way == "blocks" else None
        assert not isinstance(library, str)
        self.core = Core(library)
        self.memory = PhysicalMemory()
        self.core.map(self.memory.add(0, 0x1_0000, "RAM"))
        self.memory.on_write = self.core.forget_code
        table = b"".join((n << 12 | 3).to_bytes(4, "little") for n in range(16))
        self.memory.write(TABLE, table)
        self.memory.write(DIRECTORY, (TABLE | 3).to_bytes(4, "little"))
        text = bytes.fromhex(code)
        self.memory.write(NEXT - len(text), text)
        self.memory.write(NEXT, bytes.fromhex(behind))
        self.regs = self._vcpu(NEXT - len(text))

    def _vcpu(self, rip: int) -> Registers:
        regs = self.core.new_registers()
        for index in range(6):
            regs.set_segment(index, Segment(8, 0, 0xFFFF_FFFF, 0xCF_9300))
        regs.set_segment(CS, Segment(8, 0, 0xFFFF_FFFF, 0xCF_9B00))
        regs.cr3, regs.cr0, regs.rflags, regs.rip = DIRECTORY, 0xE000_0011, 2, rip
        regs.gpr[4] = STACK
        return regs

    @property
    def pages(self) -> set[int]:
        """The pages of which the tables have A."""
        entries = self.memory.read(TABLE, 64)
        return {n for n in range(16) if entries[4 * n] & ACCESSED}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("cut", [1, 3, 100])
@pytest.mark.parametrize("bytes_before", [1, 2, 14, 37, 60])
def test_a_page_has_a_when_rip_is_on_it(way: str, bytes_before: int, cut: int) -> None:
    paged, done = Paged(way, "90" * bytes_before), 0
    while done < bytes_before:
        assert 8 not in paged.pages
        assert paged.core.run(paged.regs, min(cut, bytes_before - done)) == Budget()
        done += paged.core.retired
    assert paged.regs.rip == NEXT
    assert 8 in paged.pages


def test_an_instruction_across_pages_has_both_once_it_is_the_next(way: str) -> None:
    # nop; nop; mov eax, imm32 of which three bytes are on the next page
    paged = Paged(way, "90 90 b8 00", "000000 90")
    paged.core.run(paged.regs, 1)
    assert 8 not in paged.pages
    paged.core.run(paged.regs, 1)
    assert 8 in paged.pages


@pytest.mark.parametrize("text", ["f7f0 90", "f7f0 b8 00", "f7f0 0f", "f7f0 66 2e"])
def test_what_is_behind_a_fault_is_not_fetched(way: str, text: str) -> None:
    paged = Paged(way, text)  # div eax, of zero
    assert paged.core.run(paged.regs, 9) == Faulted(0, 0, 0)
    assert 8 not in paged.pages


@COMPILED
@pytest.mark.parametrize(
    ("text", "place", "count"),
    [
        ("90 0fa2", Place("cpuid", 0), 2),
        ("a1 00d00000", Place("mmio", 0x2_0000, 4), 1),
        ("90 ec", Place("port", 0x5555, 1), 1),  # which is an exit then
        ("0f31", Place("port", 0, 1), 1),
    ],
)
def test_behind_what_is_answered_at_the_end_of_a_run_nothing_is_fetched(
    text: str, place: Place, count: int
) -> None:
    """As behind an exit, which it would be by instruction."""
    paged = Paged("blocks", text)
    regs, answers = paged.regs, paged.core.answers
    paged.memory.write(TABLE + 4 * 0xD, (0x2_0003).to_bytes(4, "little"))
    answers.table.tsc_hz, regs.gpr[0], regs.gpr[1], regs.gpr[2] = 1, 0, 0, 0x5555
    answer = Cpuid(1, 2, 3, 4) if place.space == "cpuid" else Plain(7)
    for _ in range(2):
        answers.put(regs.context, place, answer, noted=False, cost=0)
    paged.core.run(regs, text.count(" ") + 1 if "ec" in text else count)
    assert paged.core.retired == count
    assert 8 not in paged.pages


@pytest.mark.parametrize("cut", [1, 9])
def test_an_interrupt_is_taken_after_the_next_instruction_is_fetched(
    way: str, cut: int
) -> None:
    """So that it is the same whether the run ended there before."""
    paged = Paged(way, "68 02020000 9d")  # push 202H; popf
    event: Any = Budget()
    while event == Budget():
        event = paged.core.run(paged.regs, cut, window=True)
    assert (event, paged.regs.rip) == (Window(), NEXT)
    assert 8 in paged.pages


@pytest.mark.parametrize("cut", [1, 9])
def test_an_interrupt_comes_before_the_fault_of_the_next_fetch(
    way: str, cut: int
) -> None:
    paged = Paged(way, "68 02020000 9d")
    paged.memory.write(TABLE + 4 * 8, bytes(4))
    event: Any = Budget()
    while event == Budget():
        event = paged.core.run(paged.regs, cut, window=True)
    assert (event, paged.regs.rip) == (Window(), NEXT)


def test_a_loop_across_pages_counts_as_any_other(way: str) -> None:
    paged = Paged(way, "40 41 42 eb 00", "43 eb f8")
    assert paged.core.run(paged.regs, 601) == Budget()
    gpr = paged.regs.gpr
    assert (gpr[0], gpr[1], gpr[2], gpr[3]) == (101, 100, 100, 100)
    assert paged.core.retired == 601


@COMPILED
@pytest.mark.parametrize("bits", [16, 32, 64])
def test_no_instruction_is_longer_than_its_length(bits: int) -> None:
    """Capstone is who says how long it is."""
    assert not isinstance(LIBRARY, str)
    mode = {16: capstone.CS_MODE_16, 32: capstone.CS_MODE_32, 64: capstone.CS_MODE_64}
    reader = capstone.Cs(capstone.CS_ARCH_X86, mode[bits])
    rng, told_of, exact = Random(bits), 0, 0
    for _ in range(30_000):
        size = rng.randrange(1, 16)
        code = rng.choice(HEADS) if rng.random() < 0.5 else b""
        code = (code + rng.randbytes(15))[:15]
        told = LIBRARY.blocks_length(code[:size], size, bits)
        wanted = next(reader.disasm_lite(code, 0), None)
        # Capstone takes two bytes too many for RET imm16 behind 66 48.
        if wanted is not None and told and not wanted[2].startswith("ret"):
            told_of += 1
            exact += told == wanted[1]
            assert told >= wanted[1], (code.hex(), size, wanted)
    assert told_of > 10_000
    assert exact > told_of * 0.99


HEADS = [b"\x0f", b"\x66", b"\x67", b"\x48", b"\x66\x48", b"\xf3\x0f", b"\x66\x0f"]


@pytest.mark.patches
def test_a_library_that_goes_ahead_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "ENOUGH", 0)
    with pytest.raises(ProcessorError, match="A before a page is come to"):
        selfcheck.prove.__wrapped__()


@pytest.mark.parametrize("pointer", [0, 0x5555_0000_0004])
def test_a_library_with_its_translator_elsewhere_is_refused(pointer: int) -> None:
    words = (ctypes.c_uint64 * 0x200)()
    words[layout.TRANSLATOR // 8] = pointer

    class Other:
        _uch = ctypes.c_void_p(ctypes.addressof(words))

    other: Any = Other()
    with pytest.raises(ProcessorError, match="keeps its translator elsewhere"):
        ahead.operations(other)
