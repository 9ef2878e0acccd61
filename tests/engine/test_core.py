"""What the processor reports, and how many instructions it says it retired.

Expectations are counted by hand from the machine code in each test.
"""

import ctypes
import struct
from collections.abc import Callable
from random import Random

import pytest
import unicorn
from rigs.processor import CODE, Rig

from lapis_engine.cpu import intercepts, layout, probe
from lapis_engine.cpu.intercepts import (
    Breakpoint,
    Budget,
    Faulted,
    Hole,
    Intercepted,
    PortAccess,
    SoftwareInterrupt,
    Window,
)
from lapis_engine.cpu.registers import CS, Segment
from lapis_engine.cpu.selfcheck import open_core, prove
from lapis_engine.errors import ProcessorError

Prepare = Callable[["Rig"], None]


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize(
    ("code", "event", "retired", "rip"),
    [
        ("90 90 90 90", Budget(), 100, None),
        ("90 90 0f0b", Faulted(6, 0, 0), 2, 0x7002),  # UD2
        ("90 31c9 f7f1", Faulted(0, 0, 0), 2, 0x7003),  # DIV by zero
        ("68 0201 9d 90 90", Faulted(1, 0, 0), 3, 0x7005),  # POPF sets TF: trap after
        ("90 cd21", SoftwareInterrupt(0x21), 2, 0x7003),
        ("90 cd06", SoftwareInterrupt(6), 2, 0x7003),
        ("90 cc", SoftwareInterrupt(3), 2, 0x7002),
        ("f4", Intercepted(intercepts.HLT, 0), 0, 0x7000),
        ("90 0fa2", Intercepted(intercepts.CPUID, 0), 1, 0x7001),
        ("0f31", Intercepted(intercepts.RDTSC, 0), 0, 0x7000),
        ("0f32", Intercepted(intercepts.MSR, 0), 0, 0x7000),
        ("0f30", Intercepted(intercepts.MSR, 1), 0, 0x7000),
        ("0f22c0", Intercepted(intercepts.CR0_WRITE, 0), 0, 0x7000),
        ("b0aa e680", PortAccess(0x80, 1, True, 0xAA), 1, 0x7002),
        ("e4 60", PortAccess(0x60, 1, False, 0), 0, 0x7000),
        ("ba5500 b90300 f36c", PortAccess(0x55, 1, False, 0), 2, 0x7006),
        ("90 90 ea ffff ffff", Hole(0x10_FFEF, 1, "fetch"), 3, 0xFFFF),
    ],
)
def test_each_event_arrives_before_its_instruction_and_is_counted_exactly(
    rig: Rig, code: str, event: object, retired: int, rip: int | None
) -> None:
    rig.code(code)
    assert rig.core.run(rig.regs, 100) == event
    assert rig.core.retired == retired
    assert rip is None or rig.regs.rip == rip


def test_rep_iterations_count_as_instructions(rig: Rig) -> None:
    rig.code("b90500 be0080 bf0090 f3a4 f4")
    assert rig.core.run(rig.regs, 6) == Budget()
    assert (rig.core.retired, rig.regs.gpr[1], rig.regs.rip) == (6, 2, 0x7009)


@pytest.mark.parametrize(
    ("code", "retired", "rip"),
    [
        ("90 fb 90 90 90", 3, 0x7003),  # STI shields the instruction after it
        ("6802 02 9d 90 90", 2, 0x7004),  # POPF does not
        ("fb fb 90 90", 2, 0x7002),  # the second STI is the shielded instruction
    ],
)
def test_the_window_opens_at_the_first_boundary_where_if_allows(
    rig: Rig, code: str, retired: int, rip: int
) -> None:
    rig.code(code)
    assert rig.core.run(rig.regs, 100, window=True) == Window()
    assert (rig.core.retired, rig.regs.rip) == (retired, rip)


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("fb e680", PortAccess(0x80, 1, True, 0)),
        ("fb 67a300000002", Hole(0x200_0000, 2, "write")),
        ("fb 67a100000002", Hole(0x200_0000, 2, "read")),
    ],
)
def test_an_exit_behind_sti_comes_before_the_window(
    rig: Rig, code: str, event: object
) -> None:
    """The window was told of without end, for the run had a report already."""
    rig.code(code)
    assert rig.core.run(rig.regs, 100, window=True) == event
    assert (rig.core.retired, rig.regs.rip) == (1, CODE + 1)


def test_no_window_while_interrupts_stay_off(rig: Rig) -> None:
    rig.code("90 ebfd")
    assert rig.core.run(rig.regs, 1000, window=True) == Budget()
    assert rig.core.retired == 1000


def test_page_faults_carry_their_address_and_the_count_before_them(rig: Rig) -> None:
    rig.page_first_64k()
    rig.code("90 90 a1 00000500")
    assert rig.core.run(rig.regs, 100) == Faulted(14, 0, 0x5_0000)
    assert (rig.core.retired, rig.regs.rip) == (2, 0x7002)


def test_a_fault_is_counted_where_it_is_though_the_code_is_in_no_tlb(rig: Rig) -> None:
    """A dozen loads drive the page of the code out of where QEMU looks for it."""
    rig.page_first_64k()
    rig.regs.cr4 = 0x10  # PSE: 4 MiB pages, all of them the first 4 MiB
    for k in range(1, 13):
        rig.memory.write(0x2000 + 4 * k, (0x83).to_bytes(4, "little"))
    loads = b"".join(b"\xa1" + (k << 22 | CODE).to_bytes(4, "little")
                     for k in range(1, 13))  # fmt: skip
    # add eax, ebx; mov eax, [0x50000]; nops that are not reached
    rig.code(loads.hex() + "01d8 a100000500 90909090 ebfe")
    assert rig.core.run(rig.regs, 1000) == Faulted(14, 0, 0x5_0000)
    assert (rig.core.retired, rig.regs.rip) == (13, CODE + len(loads) + 2)


def test_a_jump_to_an_unmapped_page_has_retired(rig: Rig) -> None:
    rig.page_first_64k()
    rig.code("90 90 e900000500")
    assert rig.core.run(rig.regs, 100) == Faulted(14, 0, 0x5_7007)
    assert (rig.core.retired, rig.regs.rip) == (3, 0x5_7007)


def test_an_instruction_across_an_unmapped_page_faults_with_its_own_rip(
    rig: Rig,
) -> None:
    # The processor translates ahead and would name the NOP before it.
    rig.page_first_64k()
    rig.memory.write(0xFFFE, bytes.fromhex("90a1"))
    rig.code("90 b8feff0000 ffe0")
    assert rig.core.run(rig.regs, 100) == Faulted(14, 0, 0x1_0000)
    assert (rig.core.retired, rig.regs.rip) == (4, 0xFFFF)
    assert not rig.regs.shadow


@pytest.mark.parametrize("code", ["a1 20f00000", "a3 20f00000"])
def test_a_hole_is_reported_by_its_guest_physical_address(rig: Rig, code: str) -> None:
    rig.page_first_64k()
    rig.memory.write(0x3000 + 4 * 15, (0xFEE0_0003).to_bytes(4, "little"))
    rig.code(code)
    access = "read" if code.startswith("a1") else "write"
    assert rig.core.run(rig.regs, 100) == Hole(0xFEE0_0020, 4, access)
    assert (rig.core.retired, rig.regs.rip) == (0, CODE)


def test_a_breakpoint_stops_before_its_instruction_and_can_be_passed(rig: Rig) -> None:
    rig.code("90 90 90 ebfb")
    rig.core.set_breakpoints([0x7002])
    for _ in range(3):
        assert rig.core.run(rig.regs, 100, past=True) == Breakpoint(0x7002)
        assert rig.regs.rip == 0x7002
    rig.core.set_breakpoints([])
    assert rig.core.run(rig.regs, 100) == Budget()


def test_a_write_from_outside_is_seen_by_code_that_was_translated(rig: Rig) -> None:
    rig.code("b001 ebfc")
    rig.core.run(rig.regs, 10)
    assert rig.regs.gpr[0] & 0xFF == 1
    rig.code("b002 ebfc")
    rig.core.run(rig.regs, 10)
    assert rig.regs.gpr[0] & 0xFF == 2


def test_code_that_one_vcpu_writes_is_seen_by_another(rig: Rig) -> None:
    rig.code("b001 ebfc")
    other = rig.vcpu()
    rig.core.run(other, 10)
    rig.memory.write(0x6000, bytes.fromhex("c606017003 f4"))  # mov byte [7001], 3
    rig.regs.rip = 0x6000
    rig.core.run(rig.regs, 1)
    rig.core.run(other, 10)
    assert other.gpr[0] & 0xFF == 3


def test_vcpus_keep_their_own_registers(rig: Rig) -> None:
    rig.code("40 ebfd")  # inc ax
    other = rig.vcpu()
    rig.core.run(rig.regs, 10)
    rig.core.run(other, 4)
    assert (rig.regs.gpr[0], other.gpr[0]) == (5, 2)


def test_flags_read_back_as_written(rig: Rig) -> None:
    for flags in (0x2, 0x8D7, 0x246, 0x602, 0x3_0202):
        rig.regs.rflags = flags
        assert rig.regs.rflags == flags | 2
    rig.regs.rflags = 2
    rig.code("31c0 90")  # xor ax, ax: ZF and PF
    rig.core.run(rig.regs, 1)
    assert rig.regs.rflags & 0x8D5 == 0x44


@pytest.mark.parametrize(
    "leave", ["e680", "f4", "0f0b", "cd21", "a100f0", "0f31", "90", "ea ffffffff"]
)
@pytest.mark.parametrize(
    "make", ["f9", "f8", "31c0", "fd", "38c0", "b001 2c02", "fd f9"]
)
def test_flags_survive_every_way_out(rig: Rig, make: str, leave: str) -> None:
    rig.code(make + "9c 58" + "90" * 20)  # pushf; pop ax
    rig.core.run(rig.regs, make.count(" ") + 3)
    wanted = rig.regs.gpr[0] & 0xFFFF
    fresh = rig.vcpu()
    rig.memory.write(0x6000, bytes.fromhex(make + leave))
    fresh.rip = 0x6000
    rig.core.run(fresh, 1 + make.count(" ") + 1)
    assert fresh.rflags & 0xFFFF == wanted
    fresh.set_segment(CS, Segment(0, 0, 0xFFFF, 0x9B00))
    fresh.rip = 0x7000 + len(bytes.fromhex(make))
    rig.core.run(fresh, 2)
    assert fresh.gpr[0] & 0xFFFF == wanted


def test_native_carries_out_the_one_instruction(rig: Rig) -> None:
    rig.code("0fa2 0fa2")
    event = rig.core.run(rig.regs, 10)
    assert isinstance(event, Intercepted)
    assert rig.core.native(rig.regs, event) == Budget()
    assert (rig.regs.rip, rig.core.retired) == (0x7002, 1)
    assert rig.regs.gpr[3] & 0xFFFF_FFFF == int.from_bytes(b"Genu", "little")
    assert isinstance(rig.core.run(rig.regs, 10), Intercepted)


def test_rom_takes_no_writes(rig: Rig) -> None:
    rom = rig.memory.add(0x10_0000, 0x1000, "ROM", rom=True)
    rig.core.map(rom)
    rig.regs.set_segment(3, Segment(0xFFFF, 0xF_FFF0, 0xFFFF, 0x9300))
    rig.code("a21000")  # mov [0x10], al
    assert rig.core.run(rig.regs, 1) == Hole(0x10_0000, 1, "write")


def test_another_version_of_unicorn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unicorn, "__version__", "2.1.9")
    with pytest.raises(ProcessorError, match=r"unicorn 2\.1\.9.*2\.1\.4"):
        open_core()


def test_another_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "CFLAGS_NEXT_TB", 0x40)
    with pytest.raises(ProcessorError, match="laid out otherwise"):
        open_core()


@pytest.mark.parametrize("msr", sorted(layout.MSRS))
def test_a_register_that_lies_elsewhere_is_found_before_a_guest_runs(
    monkeypatch: pytest.MonkeyPatch, msr: int
) -> None:
    prove.cache_clear()
    monkeypatch.setitem(layout.MSRS, msr, 0x800)
    with pytest.raises(ProcessorError, match=r"keeps MSR|keeps"):
        open_core()


def test_the_control_page_lies_where_no_page_table_can_point() -> None:
    assert probe.CONTROL_PAGE >= 1 << 52
    assert ctypes.sizeof(ctypes.c_void_p) == 8


OVERWRITES = "2e c606067090 40 41 ebf6"
"""mov byte [cs:7006h], nop; inc ax, which is overwritten; inc cx; jmp 7000h."""


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 7, 1001])
def test_code_that_overwrites_itself_is_counted_once_however_it_is_cut(
    rig: Rig, budget: int
) -> None:
    rig.code(OVERWRITES)
    done = 0
    while done < 1001:
        assert rig.core.run(rig.regs, min(budget, 1001 - done)) == Budget()
        done += rig.core.retired
    # 250 rounds of four, and one more store; the nop is there from the first round on.
    assert (done, rig.regs.rip) == (1001, 0x7006)
    assert (rig.regs.gpr[0] & 0xFFFF, rig.regs.gpr[1] & 0xFFFF) == (0, 250)


def test_paged_code_that_overwrites_itself_is_counted_once(rig: Rig) -> None:
    rig.page_first_64k()
    rig.code("c605 07700000 90 40 41 ebf5")
    assert rig.core.run(rig.regs, 1) == Budget()
    assert (rig.core.retired, rig.regs.rip) == (1, 0x7007)
    assert rig.core.run(rig.regs, 8) == Budget()
    assert (rig.regs.rip, rig.regs.gpr[1]) == (0x7007, 2)  # nine: two rounds, a store


def test_an_event_after_code_was_overwritten_is_counted_exactly(rig: Rig) -> None:
    rig.code("2e c606067090 40 41 f4")
    assert rig.core.run(rig.regs, 100) == Intercepted(intercepts.HLT, 0)
    assert (rig.core.retired, rig.regs.rip) == (3, 0x7008)


def test_each_iteration_of_rep_over_its_own_code_is_counted_once(rig: Rig) -> None:
    rig.code("b90400 bf0a70 b090 f3aa 40 40 40 40 f4")  # four INC AX become NOP
    assert rig.core.run(rig.regs, 100) == Intercepted(intercepts.HLT, 0)
    # MOV three times, STOSB four times and once more to find CX zero, NOP four times.
    assert (rig.core.retired, rig.regs.rip) == (12, 0x700E)
    assert rig.regs.gpr[0] & 0xFFFF == 0x90


def test_a_breakpoint_on_an_overwriting_instruction_can_be_passed(rig: Rig) -> None:
    rig.code(OVERWRITES)
    rig.core.set_breakpoints([CODE])
    assert rig.core.run(rig.regs, 100) == Breakpoint(CODE)
    assert rig.core.run(rig.regs, 100, past=True) == Breakpoint(CODE)
    assert (rig.core.retired, rig.regs.gpr[1] & 0xFFFF) == (4, 1)


def test_input_to_its_own_code_leaves_the_next_run_its_count(rig: Rig) -> None:
    rig.code("ba5500 bf0670 6c 90 90 90")  # INSB to 7006h, where it stands
    assert rig.core.run(rig.regs, 100) == PortAccess(0x55, 1, False, 0)
    other = rig.vcpu()
    other.rip = 0x8000
    rig.memory.write(0x8000, b"\x90" * 8)
    assert rig.core.run(other, 3) == Budget()
    assert (rig.core.retired, other.rip) == (3, 0x8003)


def test_the_flags_of_an_add_are_right_at_the_exit_after_it(rig: Rig) -> None:
    rig.code("00d2 f4")  # add dl, dl
    rig.regs.gpr[2] = 0
    assert rig.core.run(rig.regs, 100) == Intercepted(intercepts.HLT, 0)
    assert rig.regs.rflags == 0x46  # ZF and PF


ARITHMETIC = [
    bytes.fromhex(code)
    for code in (
        "00d2", "28da", "10da", "18da", "20da", "08da", "30da", "38da", "01d3", "29d3",
        "11d3", "19d3", "21d3", "fec2", "feca", "40", "48", "d0e2", "d0ea", "d0fa",
        "c0e203", "c1eb05", "f6da", "f7db", "0fafda", "f6e2", "d1d3", "d0ca", "0fa3d3",
        "6601d3", "6629d3", "6611d3", "6619d3", "660fafda", "84da", "f8", "f9", "f5",
        "0fc1da", "0fb0da", "9e", "eb00", "7200", "7500",
    )
]  # fmt: skip
"""Operations on DL, EBX and EAX, and jumps to the next instruction."""
EXITS = [bytes.fromhex(code) for code in ("f4", "0fa2", "e480", "e680", "cd20")]
VALUES = (0, 1, 2, 4, 0x10, 0x46, 0x7F, 0x80, 0x84, 0xFF, 0x8000, 0xFFFF_FFFF)


def test_the_flags_at_an_exit_are_those_that_single_steps_come_to(rig: Rig) -> None:
    """Each instruction alone leaves its flags in RFLAGS; nothing is restored then."""
    random = Random(2024)
    for _ in range(3000):
        body = [random.choice(ARITHMETIC) for _ in range(random.randint(1, 5))]
        code = b"".join([*body, random.choice(EXITS), b"\xeb\xfe"])
        values = [random.choice([*VALUES, random.getrandbits(32)]) for _ in range(8)]
        rflags = random.choice((2, 3, 0x46, 0x97, 0x8D7))
        seen = []
        for budget in (100, 1):
            rig.regs = rig.vcpu()
            rig.code(code.hex())
            rig.regs.rflags = rflags
            for index in (0, 1, 2, 3, 6, 7):
                rig.regs.gpr[index] = values[index]
            while isinstance(rig.core.run(rig.regs, budget), Budget):
                pass
            seen.append((rig.regs.rflags, rig.regs.rip, list(rig.regs.gpr)))
        assert seen[0] == seen[1], code.hex()


def test_the_first_start_with_paging_marks_what_it_reaches_and_nothing_else() -> None:
    rig = Rig()
    rig.page_first_64k()
    rig.code("a1 00 40 00 00 90")  # mov eax, [0x4000]
    assert rig.core.run(rig.regs, 2) == Budget()
    table = struct.unpack("<16I", rig.memory.read(0x3000, 64))
    assert [n for n in range(16) if table[n] & 0x20] == [4, 7]
