"""Page walks against the manual, a second model, and the processor itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from unicorn import UC_ARCH_X86, UC_MODE_64, Uc

from lapis_engine.cpu.context import Context
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.intercepts import Budget, Faulted, HwExit
from lapis_engine.cpu.paging import Linear, LinearHole
from lapis_engine.cpu.registers import Registers, Segment
from lapis_engine.cpu.selfcheck import open_core
from lapis_engine.memory.physical import PhysicalMemory

if TYPE_CHECKING:
    from lapis_engine.cpu.core import Core

PG, WP, PE = 1 << 31, 1 << 16, 1
PSE, PAE, SMEP, SMAP = 1 << 4, 1 << 5, 1 << 20, 1 << 21
LMA, NXE = 1 << 10, 1 << 11
AC = 1 << 18
NX = 1 << 63
RAM = 0x10_0000
UC = Uc(UC_ARCH_X86, UC_MODE_64)


class Machine(NamedTuple):
    regs: Registers
    memory: PhysicalMemory
    linear: Linear

    def put(self, at: int, value: int, size: int = 8) -> None:
        self.memory.write(at, value.to_bytes(size, "little"))

    def get(self, at: int, size: int = 8) -> int:
        return int.from_bytes(self.memory.read(at, size), "little")


def machine(cr0: int = PE | PG, cr4: int = 0, efer: int = 0, cr3: int = 0) -> Machine:
    regs = Registers(Context(UC))
    regs.cr0, regs.cr4, regs.efer, regs.cr3 = cr0, cr4, efer, cr3
    regs.rflags = 2
    memory = PhysicalMemory()
    memory.add(0, RAM, "ram")
    return Machine(regs, memory, Linear(regs, memory))


def long_machine(cr0: int = PE | PG, efer: int = LMA) -> Machine:
    """0x7000 -> 0x9000, 0x8000 -> 0xA000, both user and writable."""
    m = machine(cr0, PAE, efer, 0x1000)
    for at, value in (
        (0x1000, 0x2007), (0x2000, 0x3007), (0x3000, 0x4007),
        (0x4038, 0x9007), (0x4040, 0xA007),
    ):  # fmt: skip
        m.put(at, value)
    return m


def fault_of(m: Machine, at: int, access: str = "read", *, user: bool = False) -> int:
    with pytest.raises(GuestFault) as caught:
        m.linear.translate(
            at, write=access == "write", user=user, fetch=access == "fetch"
        )
    assert caught.value.vector == 14
    assert caught.value.cr2 == at
    assert caught.value.error is not None
    return caught.value.error


def test_without_paging_linear_is_physical_and_wraps_at_4_gib() -> None:
    m = machine(cr0=PE)
    assert m.linear.translate(0x1_0000_1234) == 0x1234
    assert m.linear.peek(0x1_0000_1234) == 0x1234


def test_a_write_sets_a_on_every_entry_and_d_on_the_leaf() -> None:
    m = long_machine()
    assert m.linear.translate(0x7123, write=True) == 0x9123
    assert [m.get(at) for at in (0x1000, 0x2000, 0x3000, 0x4038)] == [
        0x2027, 0x3027, 0x4027, 0x9067,
    ]  # fmt: skip


def test_a_read_sets_no_d_and_a_peek_sets_nothing() -> None:
    m = long_machine()
    assert m.linear.peek(0x7123) == 0x9123
    assert m.get(0x4038) == 0x9007
    m.linear.translate(0x7123)
    assert m.get(0x4038) == 0x9027


def test_a_refused_access_leaves_the_leaf_alone() -> None:
    m = long_machine()
    m.put(0x4038, 0x9005)
    assert fault_of(m, 0x7000, "write", user=True) == 7
    assert m.get(0x4038) == 0x9005


def test_a_page_not_present_says_only_what_was_tried() -> None:
    m = long_machine()
    assert fault_of(m, 0xB000) == 0
    assert fault_of(m, 0xB000, "write", user=True) == 6
    assert fault_of(m, 0xB000, "fetch") == 0
    m.regs.efer = LMA | NXE
    assert fault_of(m, 0xB000, "fetch") == 0x10


def test_the_i_bit_needs_nxe_with_pae_or_smep() -> None:
    m = machine(cr4=0, efer=NXE, cr3=0x1000)
    assert fault_of(m, 0x7000, "fetch") == 0
    m.regs.cr4 = SMEP
    assert fault_of(m, 0x7000, "fetch") == 0x10


def test_cr0_wp_decides_whether_a_supervisor_may_write_a_read_only_page() -> None:
    m = long_machine()
    m.put(0x4038, 0x9005)
    assert m.linear.translate(0x7000, write=True) == 0x9000
    m.regs.cr0 |= WP
    assert fault_of(m, 0x7000, "write") == 3


def test_rights_of_all_levels_combine() -> None:
    m = long_machine(PE | PG | WP)
    m.put(0x2000, 0x3001)
    assert fault_of(m, 0x7000, user=True) == 5
    assert fault_of(m, 0x7000, "write") == 3


def test_smep_and_smap_guard_user_pages_from_a_supervisor() -> None:
    m = long_machine()
    m.regs.cr4 = PAE | SMEP | SMAP
    assert fault_of(m, 0x7000, "fetch") == 0x11
    assert fault_of(m, 0x7000) == 1
    assert m.linear.translate(0x7000, user=True) == 0x9000
    m.regs.rflags = 2 | AC
    assert m.linear.translate(0x7000) == 0x9000
    m.regs.set_segment(2, Segment(0x23, 0, 0, 3 << 13))
    assert fault_of(m, 0x7000) == 1, "AC does not count at CPL 3"


def test_nx_is_reserved_without_nxe() -> None:
    m = long_machine()
    m.put(0x4038, 0x9007 | NX)
    assert fault_of(m, 0x7000) == 9
    m.regs.efer = LMA | NXE
    assert m.linear.translate(0x7000) == 0x9000
    assert fault_of(m, 0x7000, "fetch") == 0x11


@pytest.mark.parametrize(
    ("at", "entry"),
    [
        (0x1000, 0x2087),  # PS in a PML4E
        (0x4038, 0x100_0000_9007),  # bit 40 is beyond MAXPHYADDR
        (0x3000, 0x2087),  # bit 13 of a 2-MByte page
        (0x2000, 0x20_0087),  # bit 21 of a 1-GByte page
    ],
)
def test_a_reserved_bit_is_a_fault(at: int, entry: int) -> None:
    m = long_machine()
    m.put(at, entry)
    assert fault_of(m, 0x7000, "write", user=True) == 0xF
    assert m.linear.peek(0x7000) is None


def test_large_pages_of_long_mode() -> None:
    m = long_machine()
    m.put(0x3008, 0x60_1087)  # 2 MiB, PAT set
    assert m.linear.translate(0x23_4567) == 0x63_4567
    m.put(0x2008, 0xC000_1087)  # 1 GiB, PAT set
    assert m.linear.translate(0x5234_5678) == 0xD234_5678


def test_pse_36_puts_bits_39_to_32_in_bits_20_to_13() -> None:
    m = machine(cr4=PSE, cr3=0x1000)
    m.put(0x1004, 0x0080_0087 | (0x5A << 13), 4)
    assert m.linear.translate(0x52_3456, write=True) == 0x5A_0092_3456
    assert m.get(0x1004, 4) == 0x008B_40E7
    m.put(0x1004, 0x00A0_0087, 4)
    assert fault_of(m, 0x52_3456) == 9


def test_pae_takes_four_pdptes_that_grant_everything() -> None:
    m = machine(cr4=PAE, cr3=0x1020)
    m.put(0x1038, 0x2001)
    m.put(0x2FF8, 0x3007)
    m.put(0x3FF8, 0x9007)
    assert m.linear.translate(0xFFFF_FABC, user=True, write=True) == 0x9ABC
    assert m.get(0x1038) == 0x2001, "a PDPTE has no A"


def test_paging_structures_in_a_hole_are_not_present() -> None:
    m = long_machine()
    m.put(0x1000, 0x50_0000_0007)
    assert fault_of(m, 0x7000) == 0


def test_a_write_across_pages_is_checked_before_its_first_byte() -> None:
    m = long_machine()
    m.put(0x4040, 0xA005)
    m.regs.cr0 |= WP
    m.memory.write(0x9FFE, b"ab")
    with pytest.raises(GuestFault) as caught:
        m.linear.write(0x7FFE, b"1234")
    assert (caught.value.error, caught.value.cr2) == (3, 0x8000)
    assert m.memory.read(0x9FFE, 2) == b"ab"
    m.put(0x4040, 0xA007)
    m.linear.write(0x7FFE, b"1234")
    assert m.memory.read(0x9FFE, 4) == b"1234"
    assert m.linear.read(0x7FFE, 4) == b"1234"


def test_a_hole_is_told_from_a_fault_and_nothing_is_written() -> None:
    m = long_machine()
    m.put(0x4040, 0xFEE0_0007)
    with pytest.raises(LinearHole) as caught:
        m.linear.write(0x7FFE, b"1234")
    hole = caught.value
    assert (hole.gpa, hole.size, hole.write) == (0xFEE0_0000, 2, True)
    assert m.memory.read(0x9FFE, 2) == b"\0\0"
    with pytest.raises(LinearHole):
        m.linear.read_uint(0x8080, 4)


def test_rom_is_read_and_not_written() -> None:
    m = long_machine()
    m.memory.add(0xFF_F000, 0x1000, "rom", rom=True)
    m.put(0x4040, 0xFF_F007)
    assert m.linear.read_uint(0x8000, 4) == 0
    with pytest.raises(LinearHole):
        m.linear.write(0x8000, b"\x01\0\0\0")


# A second model: recursive, on a dict of entries, in the manual's order of words.


class Setup(NamedTuple):
    mode: str
    linear: int
    path: tuple[int, ...]
    """Entries from the root down."""
    cr0: int
    cr4: int
    efer: int
    ac: bool
    cpl: int
    access: str


SHIFTS = {"32": (22, 12), "pae": (30, 21, 12), "long": (39, 30, 21, 12)}
TABLES = (0x1000, 0x2000, 0x3000, 0x4000)


def oracle(s: Setup) -> int | tuple[str, int]:
    """Return the gpa, or ("#PF", error code)."""
    found = _descend(s, 0, frozenset("wux"))
    if isinstance(found, int):
        return found
    code = {"absent": 0, "refused": 1, "reserved": 9}[found]
    code += {"read": 0, "write": 2, "fetch": 16 if _tells_fetches(s) else 0}[s.access]
    return "#PF", code + (4 if s.cpl == 3 else 0)


def _tells_fetches(s: Setup) -> bool:
    return bool(s.cr4 & SMEP) or (s.mode != "32" and bool(s.efer & NXE))


def _descend(s: Setup, depth: int, grants: frozenset[str]) -> int | str:
    entry, shift = s.path[depth], SHIFTS[s.mode][depth]
    if entry % 2 == 0:
        return "absent"
    large = {"32": {22} if s.cr4 & PSE else set(), "pae": {21}, "long": {30, 21}}
    is_large = shift in large[s.mode] and bool(entry >> 7 & 1)
    if any(entry >> bit & 1 for bit in _reserved(s, shift, large=is_large)):
        return "reserved"
    if (s.mode, shift) != ("pae", 30):
        lost = {"w": not entry >> 1 & 1, "u": not entry >> 2 & 1, "x": entry >> 63}
        grants -= {right for right, gone in lost.items() if gone}
    if shift != 12 and not is_large:
        return _descend(s, depth + 1, grants)
    if not _granted(s, grants):
        return "refused"
    frame = (entry % (1 << 40)) >> shift << shift
    if shift == 22:
        frame += (entry >> 13 & 0xFF) << 32
    return frame + s.linear % (1 << shift)


def _reserved(s: Setup, shift: int, *, large: bool) -> set[int]:
    if s.mode == "32":
        return {21} if large else set()
    bits = set(range(40, 52)) | (set() if s.efer & NXE else {63})
    if s.mode == "pae":
        bits |= set(range(52, 63)) | ({63} if shift == 30 else set())
    if shift == 39:
        bits.add(7)
    return bits | (set(range(13, shift)) if large else set())


def _granted(s: Setup, grants: frozenset[str]) -> bool:
    if s.cpl == 3:
        needed = {"read": "u", "write": "uw", "fetch": "ux"}[s.access]
        return set(needed) <= grants
    if s.access == "fetch":
        return "x" in grants and not ("u" in grants and s.cr4 & SMEP)
    if "u" in grants and s.cr4 & SMAP and not s.ac:
        return False
    return s.access == "read" or "w" in grants or not s.cr0 & WP


def build(s: Setup, m: Machine) -> None:
    size = 4 if s.mode == "32" else 8
    for depth, (entry, shift) in enumerate(zip(s.path, SHIFTS[s.mode], strict=True)):
        index = (s.linear >> shift) & (0x3FF if size == 4 else 0x1FF)
        m.put(TABLES[depth] + index * size, entry, size)
    m.regs.cr0, m.regs.cr4, m.regs.efer, m.regs.cr3 = s.cr0, s.cr4, s.efer, 0x1000
    m.regs.set_segment(2, Segment(0x10 | s.cpl, 0, 2**32 - 1, 0xC09300 | s.cpl << 13))
    m.regs.rflags = 2 | (AC if s.ac else 0)


def setups(rnd: random.Random) -> Setup:
    """Draw a walk in which most things are right."""
    mode = rnd.choice(list(SHIFTS))
    width = {"32": 32, "pae": 64, "long": 64}[mode]
    path = []
    for depth, shift in enumerate(SHIFTS[mode]):
        target = rnd.randrange(0x10, 0x100) << 12 if shift == 12 else TABLES[depth + 1]
        entry = target | 1 | rnd.choice((7, 7, 7, 6, 5, 3)) & 7
        if mode == "pae" and shift == 30:
            entry = target | 1
        elif rnd.random() < 0.3:
            entry |= 0x80
        if rnd.random() < 0.15:
            entry ^= 1 << rnd.randrange(width)
        if rnd.random() < 0.1:
            entry &= ~0x3F_E000
        if width == 64 and rnd.random() < 0.1:
            entry ^= NX
        path.append(entry)
    path = [_aimed(e, mode, d) for d, e in enumerate(path)]
    flag = rnd.getrandbits
    linear = rnd.getrandbits(32) | 0x4000_0000
    if mode == "long":
        linear |= rnd.getrandbits(15) << 32 | 1 << 39
    cr4 = (0 if mode == "32" else PAE) | SMEP * flag(1) | SMAP * flag(1) | PSE * flag(1)
    return Setup(
        mode, linear, tuple(path), PE | PG | WP * flag(1), cr4,
        NXE * flag(1) | (LMA if mode == "long" else 0), bool(flag(1)),
        rnd.choice((0, 3)), rnd.choice(("read", "write", "fetch")),
    )  # fmt: skip


def _aimed(entry: int, mode: str, depth: int) -> int:
    if depth == len(SHIFTS[mode]) - 1:
        return entry
    return entry & ~0xFF_F000 | TABLES[depth + 1]


def attempt(m: Machine, s: Setup) -> int | tuple[str, int | None]:
    write, fetch = s.access == "write", s.access == "fetch"
    try:
        return m.linear.translate(s.linear, write=write, user=s.cpl == 3, fetch=fetch)
    except GuestFault as fault:
        return f"#PF{fault.cr2 - s.linear or ''}", fault.error


@given(st.integers(0, 2**64))
def test_a_walk_is_what_a_second_model_says(seed: int) -> None:
    s = setups(random.Random(seed))
    m = machine()
    build(s, m)
    assume(not any(e & 0xFF_FF00_0000 for e in s.path[:-1]))  # the tables are in RAM
    expected = oracle(s)
    before = m.memory.read(0, RAM)
    peeked = m.linear.peek(s.linear)
    assert m.memory.read(0, RAM) == before
    assert attempt(m, s) == expected
    if isinstance(expected, int):
        assert peeked == expected


CODE = {"read": b"\x8a\x03", "write": b"\x88\x03", "fetch": b"\xff\xe3"}
"""mov al, [rbx]; mov [rbx], al; jmp rbx."""


CODE_PATH = {
    "32": (0x1000, 0x6000),
    "pae": (0x1000, 0x6000, 0x7000),
    "long": (0x1000, 0x5000, 0x6000, 0x7000),
}
"""Tables that map linear 0 to the code."""


def _run(core: Core, m: Machine, s: Setup) -> HwExit:
    size, user = (4 if s.mode == "32" else 8), 4 if s.cpl else 0
    path = (*CODE_PATH[s.mode], 0x8000)
    for at, below, shift in zip(path, path[1:], SHIFTS[s.mode], strict=False):
        pdpte = s.mode == "pae" and shift == 30
        m.put(at, below | (1 if pdpte else 0x63 | user), size)
    m.memory.write(0x8000, CODE[s.access] + b"\x90" * 62)
    regs = m.regs
    dpl = s.cpl << 13
    code = 0xA09B00 if s.mode == "long" else 0xC09B00
    regs.set_segment(1, Segment(8 | s.cpl, 0, 2**32 - 1, code | dpl))
    for index in (0, 3, 4, 5):
        regs.set_segment(index, regs.segment(2))
    head = regs.context.head
    head.hflags = head.hflags & ~(1 << 23) | (1 << 23 if s.cr4 & SMAP else 0)
    regs.rip, regs.gpr[3] = 0, s.linear
    core._uc.ctl_flush_tb()
    event = core.run(regs, 1)
    if isinstance(event, Budget) and s.access == "fetch":
        event = core.run(regs, 1)
    return event


def test_the_processor_walks_alike() -> None:
    core = open_core()
    memory = PhysicalMemory()
    core.map(memory.add(0, RAM, "ram"))
    rnd = random.Random(14)
    outcomes = set()
    for _ in range(400):
        s = setups(rnd)
        memory.write(0, bytes(0x1_0000) + b"\x90" * (RAM - 0x1_0000))
        regs = core.new_registers()
        m = Machine(regs, memory, Linear(regs, memory))
        build(s, m)
        before = memory.read(0, RAM)
        ours = attempt(m, s)
        memory.write(0, before)
        event = _run(core, m, s)
        theirs = (
            ("#PF", event.error)
            if isinstance(event, Faulted)
            and (event.vector, event.cr2) == (14, s.linear)
            else None
        )
        assert theirs == (ours if isinstance(ours, tuple) else None), s
        outcomes.add(theirs and theirs[1])
    assert {None, 0, 1, 3, 5, 7, 9, 0x11, 0x15} <= outcomes
