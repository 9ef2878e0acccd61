"""The guest's own breakpoints: DR0 to DR7, RF, TF and the shadow of MOV SS.

Numbers are the manual's: SDM Vol. 3B "Debug Registers" and "Debug Exceptions".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from conformance.rig import CODE, HANDLERS, Rig
from rigs import machines

from lapis_engine.cpu.registers import CS, SS, Segment
from lapis_engine.events import DebugHit, ExceptionRaised
from lapis_engine.replay import capture
from lapis_engine.replay.digest import state_fields
from lapis_engine.vmm import exits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.machine import Machine

DATA = 0x20_0000
EMPTY = 0xFFFF_0FF0
"""DR6 after reset (SDM Vol. 3A "Processor State After Reset")."""
BS, BD = 0x4000, 0x2000
TF, RF = 0x100, 0x1_0000
L0, L1 = 1, 4
EXECUTE, WRITE, IO, ACCESS = range(4)
LEN = {1: 0, 2: 1, 4: 3, 8: 2}


def field(number: int, what: int, size: int = 1) -> int:
    """R/Wn, LENn and Ln of DR7."""
    return (what | LEN[size] << 2) << (16 + 4 * number) | 1 << (2 * number)


def rig_with(
    code: str, dr: Sequence[int], dr7: int, *, wide: bool = True, flags: int = 2
) -> Rig:
    rig = Rig(wide=wide)
    regs = rig.vcpu(0).regs
    rig.vm.memory.write(CODE, bytes.fromhex(code).ljust(0x40, b"\x90"))
    for number, address in enumerate(dr):
        regs.dr[number] = address
    regs.dr[7] = dr7 | 0x400
    regs.rip, regs.rflags = CODE, flags
    regs.gpr[3] = DATA
    return rig


def trap(rig: Rig, budget: int = 20) -> tuple[int, int, int]:
    """Run into #DB; return the offset of the RIP that it pushed, DR6 and RF there."""
    since = rig.machine.log.next_seq
    out = rig.enter(0, budget)
    events = rig.events(since)
    vectors = [e.vector for e in events if isinstance(e, ExceptionRaised)]
    assert (type(out), vectors) == (exits.Hlt, [1]), events
    regs = rig.vcpu(0).regs
    assert regs.rip == HANDLERS + 16 + 1
    wide = regs.code_bits == 64
    size = 8 if wide else 4
    frame = rig.vm.memory.peek(regs.gpr[4], 3 * size)
    rip, _, pushed = struct.unpack("<QQQ" if wide else "<III", frame)
    return rip - CODE, regs.dr[6] & 0xFFFF_FFFF, pushed & RF


MODES = pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
STORE, LOAD = "8803", "8a03"
"""mov [rbx], al and mov al, [rbx]."""


@MODES
def test_an_instruction_is_hit_before_it_is_begun(wide: bool) -> None:
    rig = rig_with("90 90 90", [0, CODE + 2], field(1, EXECUTE), wide=wide)
    assert trap(rig) == (2, EMPTY | 2, 0)
    hit = next(e.event for e in rig.machine.log.last(9) if e.event.kind == "debug")
    assert hit == DebugHit(0, "execute", 1, CODE + 2, 1, CODE + 2)


@MODES
@pytest.mark.parametrize(
    ("what", "code", "size", "at", "hit"),
    [
        (WRITE, STORE, 1, 0, True),
        (WRITE, LOAD, 1, 0, False),
        (ACCESS, STORE, 1, 0, True),
        (ACCESS, LOAD, 1, 0, True),
        (WRITE, STORE, 4, 2, True),  # mov [rbx + 0], one byte of four
        (WRITE, STORE, 1, 1, False),
        (WRITE, "8903", 1, 3, True),  # four bytes over one
        (WRITE, "8903", 1, 4, False),
        (WRITE, "8943fe", 2, 0, True),  # from two bytes below
        (WRITE, "ff03", 4, 0, True),  # inc: reads and writes
        (ACCESS, "3b03", 4, 0, True),  # cmp
    ],
)
def test_data_is_hit_after_the_access(
    wide: bool, what: int, code: str, size: int, at: int, hit: bool
) -> None:
    address = DATA + at
    rig = rig_with(f"90 {code} 90", [address], field(0, what, size), wide=wide)
    if not hit:
        assert rig.enter(0, 3) is None
        assert rig.vcpu(0).regs.dr[6] & 0xFFFF_FFFF == EMPTY
        return
    assert trap(rig) == (1 + len(code) // 2, EMPTY | 1, 0)


@MODES
def test_low_bits_of_the_address_do_not_count(wide: bool) -> None:
    rig = rig_with(STORE, [DATA + 3], field(0, WRITE, 4), wide=wide)
    assert trap(rig) == (2, EMPTY | 1, 0)


def test_an_access_over_a_page_is_found_in_the_second() -> None:
    rig = rig_with("48894bfc 90", [DATA + 2], field(0, WRITE, 1))
    rig.vcpu(0).regs.gpr[3] = DATA
    assert trap(rig) == (4, EMPTY | 1, 0)


def test_pushes_and_strings_are_accesses() -> None:
    rig = rig_with("50 90", [0], field(0, WRITE, 8))
    rig.vcpu(0).regs.dr[0] = rig.vcpu(0).regs.gpr[4] - 8
    assert trap(rig) == (1, EMPTY | 1, 0)
    rig = rig_with("f3aa 90", [DATA + 2], field(0, WRITE))
    regs = rig.vcpu(0).regs
    regs.gpr[1], regs.gpr[7] = 5, DATA
    assert trap(rig) == (0, EMPTY | 1, 0)  # after the third iteration
    assert regs.gpr[1] == 2


@MODES
@pytest.mark.parametrize("what", [WRITE, ACCESS])
def test_two_hits_of_one_instruction_are_one_trap(wide: bool, what: int) -> None:
    dr7 = field(0, what) | field(1, WRITE, 4) | field(2, WRITE)
    rig = rig_with(STORE, [DATA, DATA, DATA + 9], dr7, wide=wide)
    assert trap(rig) == (2, EMPTY | 3, 0)


def test_a_single_step_and_data_are_one_trap() -> None:
    rig = rig_with(STORE, [DATA], field(0, WRITE), flags=2 | TF)
    assert trap(rig) == (2, EMPTY | BS | 1, 0)


@MODES
def test_rf_lets_an_instruction_through_once(wide: bool) -> None:
    rig = rig_with("90 ebfd", [CODE], field(0, EXECUTE), wide=wide, flags=2 | RF)
    assert rig.enter(0, 2) is None
    assert rig.vcpu(0).regs.rip == CODE
    assert trap(rig) == (0, EMPTY | 1, 0)


def test_rf_is_kept_over_a_rep() -> None:
    rig = rig_with("f3aa 90", [CODE], field(0, EXECUTE), flags=2 | RF)
    regs = rig.vcpu(0).regs
    regs.gpr[1], regs.gpr[7] = 50, DATA
    assert rig.enter(0, 20) is None
    assert regs.rflags & RF
    assert rig.enter(0, 31) is None
    assert (regs.gpr[1], regs.rip, regs.rflags & RF) == (0, CODE + 2, 0)


@pytest.mark.parametrize(
    ("code", "length"),
    [
        ("0fa2", 2),  # cpuid
        ("0f31", 2),  # rdtsc
        ("f390", 2),  # pause
        ("0f20c0", 3),  # mov rax, cr0
        ("0f22c0", 3),  # mov cr0, rax: intercepted
        ("440f20c0", 4),  # mov rax, cr8
        ("0f21c0", 3),  # mov rax, dr0
        ("ec", 1),
        ("f4", 1),
    ],
)
@pytest.mark.parametrize("how", ["execute", "resume", "step"])
def test_what_the_engine_carries_out(code: str, length: int, how: str) -> None:
    """Before it, past it, and the single step after it."""
    dr7 = 0 if how == "step" else field(0, EXECUTE)
    flags = 2 | {"execute": 0, "resume": RF, "step": TF}[how]
    rig = rig_with(f"{code} 90", [CODE], dr7, flags=flags)
    regs = rig.vcpu(0).regs
    regs.gpr[0], regs.gpr[1], regs.gpr[2] = regs.cr0, 0x10, 0x40
    if how == "resume":
        assert rig.enter(0, 1) is None or code == "f4"
        assert (regs.rip, regs.rflags & RF) == (CODE + length, 0)
        return
    expected = (length, EMPTY | BS, 0) if how == "step" else (0, EMPTY | 1, 0)
    assert trap(rig) == expected


@pytest.mark.parametrize(
    ("port", "size", "code", "hit"),
    [
        (0x40, 1, "e440", True),  # in al, 0x40
        (0x40, 1, "e640", True),
        (0x40, 1, "e441", False),
        (0x40, 4, "e443", True),
        (0x43, 1, "e440", False),
        (0x43, 1, "e540", True),  # in eax, 0x40: four ports
    ],
)
@MODES
def test_ports(wide: bool, port: int, size: int, code: str, hit: bool) -> None:
    rig = rig_with(f"{code} 90", [port], field(0, IO, size), wide=wide)
    rig.vm.float_ports = True
    rig.vcpu(0).regs.cr4 |= 8
    if hit:
        assert trap(rig) == (2, EMPTY | 1, 0)
    else:
        assert rig.enter(0, 2) is None


def test_ports_are_not_watched_without_cr4_de() -> None:
    rig = rig_with("e440 90", [0x40], field(0, IO))
    assert rig.enter(0, 2) is None


def test_string_io_hits_the_port_and_the_memory() -> None:
    rig = rig_with("f36c 90", [0x40, DATA + 1], field(0, IO) | field(1, WRITE))
    regs = rig.vcpu(0).regs
    regs.cr4 |= 8
    regs.gpr[1], regs.gpr[2], regs.gpr[7] = 3, 0x40, DATA + 1
    assert trap(rig) == (0, EMPTY | 3, 0)
    assert regs.gpr[1] == 2


@pytest.mark.parametrize("code", ["8b03", "8903", "0103", "a5"])
def test_data_of_a_device(code: str) -> None:
    """mov and add on the IOAPIC, and a string: whoever carries the instruction out."""
    rig = rig_with(f"{code} 90", [0xFEC0_0010], field(0, ACCESS, 4))
    regs = rig.vcpu(0).regs
    regs.gpr[3] = regs.gpr[6] = 0xFEC0_0010
    regs.gpr[7] = DATA
    assert trap(rig) == (len(code) // 2, EMPTY | 1, 0)


# MOV SS.


@pytest.mark.parametrize("code", ["8ed0", "8e13"])
def test_mov_ss_holds_everything_off_for_an_instruction(code: str) -> None:
    """mov ss, ax and mov ss, [rbx], with a trap on its data and on what follows it."""
    dr7 = field(0, ACCESS, 2) | field(1, EXECUTE)
    rig = rig_with(f"{code} 90 90", [DATA, CODE + 2], dr7, wide=False, flags=2 | TF)
    regs = rig.vcpu(0).regs
    regs.gpr[0] = regs.selector(2)
    rig.vm.memory.write(DATA, regs.selector(2).to_bytes(2, "little"))
    hit = 1 if code == "8e13" else 0
    assert trap(rig) == (3, EMPTY | BS | hit, 0)


def test_sti_holds_nothing_off() -> None:
    rig = rig_with("fb 90 90", [CODE + 1], field(0, EXECUTE))
    assert trap(rig) == (1, EMPTY | 1, 0)


@pytest.mark.parametrize("cut", [1, 2, 20])
@pytest.mark.parametrize(
    ("code", "wide"),
    [
        ("8e53fb", False),  # mov ss, [rbx - 5]: it ends with the byte of STI
        ("368e53fb", False),
        ("8e93fbfbfbfb", True),  # mov ss, [rbx - 0x4040405]
        ("17", False),  # pop ss
        ("6617", False),
        ("8ed0", True),
    ],
)
def test_it_is_told_by_the_instruction(code: str, wide: bool, cut: int) -> None:
    """Whatever its last byte is, and however the run is cut; STI behind it is STI."""
    length = len(bytes.fromhex(code))
    held, free = CODE + length, CODE + length + 3
    dr7 = field(0, EXECUTE) | field(1, EXECUTE)
    rig = rig_with(f"{code} 90 90 fb 90 f4", [held, free], dr7, wide=wide)
    regs = rig.vcpu(0).regs
    regs.gpr[0] = selector = regs.selector(2)
    regs.gpr[3] = DATA + (0x404_0405 if wide else 5)
    for place in (DATA, regs.gpr[4]):
        rig.vm.memory.write(place, selector.to_bytes(2, "little"))
    found: list[ExceptionRaised] = []
    for _ in range(0, 20, cut):
        rig.enter(0, cut)
        found = [e for e in rig.events(0) if isinstance(e, ExceptionRaised)]
        if found:
            break
    assert [(e.vector, e.rip) for e in found] == [(1, free)]
    assert not rig.vcpu(0).in_ss_shadow


def test_what_mov_ss_holds_off_comes_before_an_interrupt_handler_runs() -> None:
    """INT n behind it: the #DB comes at the first instruction of its handler."""
    rig = rig_with("8e13 cd40", [DATA], field(0, ACCESS, 2), wide=False)
    regs = rig.vcpu(0).regs
    rig.vm.memory.write(DATA, regs.selector(2).to_bytes(2, "little"))
    assert isinstance(rig.enter(0, 9), exits.Hlt)
    at = int.from_bytes(rig.vm.memory.peek(regs.gpr[4], 4), "little")
    assert (regs.rip, at) == (HANDLERS + 16 + 1, HANDLERS + 16 * 0x40)


# MOV DR.


def vector_of(rig: Rig, count: int = 1) -> list[int]:
    since = rig.machine.log.next_seq
    rig.enter(0, count)
    events = rig.events(since)
    return [e.vector for e in events if isinstance(e, ExceptionRaised)]


@pytest.mark.parametrize(
    ("code", "value", "number", "reads"),
    [
        ("0f23d8", 0xFFFF_8000_1234_5678, 3, 0xFFFF_8000_1234_5678),
        ("0f23f0", 0, 6, 0xFFFF_0FF0),
        ("0f23f0", 0xFFFF_FFFF, 6, 0xFFFF_EFFF),
        ("0f23f8", 0, 7, 0x400),
        ("0f23f8", 0xFFFF_D800, 7, 0xFFFF_0400),  # nothing of it enables
        ("0f23e0", 0, 6, 0xFFFF_0FF0),  # DR4 is DR6
        ("0f23e8", 0xD000_0300, 7, 0xD000_0700),  # DR5 is DR7
    ],
)
def test_what_is_written_reads_so(
    code: str, value: int, number: int, reads: int
) -> None:
    read = f"0f21{0xC0 | number << 3 | 1:02x}"
    rig = rig_with(f"{code} {read}", [], 0)
    rig.vcpu(0).regs.gpr[0] = value
    assert vector_of(rig, 2) == []
    assert rig.vcpu(0).regs.gpr[1] == reads


@pytest.mark.parametrize("code", ["0f23f0", "0f23f8"])
def test_the_high_half_of_dr6_and_dr7_is_refused(code: str) -> None:
    rig = rig_with(code, [], 0)
    rig.vcpu(0).regs.gpr[0] = 1 << 32
    assert vector_of(rig) == [13]


@pytest.mark.parametrize("code", ["0f21e0", "0f21e8", "0f23e0", "0f23e8"])
def test_dr4_and_dr5_are_undefined_with_cr4_de(code: str) -> None:
    rig = rig_with(code, [], 0x2000)  # GD comes after it
    rig.vcpu(0).regs.cr4 |= 8
    assert vector_of(rig) == [6]


@pytest.mark.parametrize("de", [0, 8])
@pytest.mark.parametrize(
    ("code", "with_de", "without"),
    [
        ("0f21e0", 6, 13),  # mov rax, dr4
        ("0f23e8", 6, 13),  # mov dr5, rax
        ("0f21c0", 13, 13),
        ("440f21c0", 6, 6),  # mov rax, dr8
        ("66440f23f8", 6, 6),
        ("f4", 13, 13),
    ],
)
def test_what_is_no_register_comes_before_the_cpl(
    code: str, with_de: int, without: int, de: int
) -> None:
    """SDM Vol. 2B "MOV - Move to/from Debug Registers", at CPL 3."""
    rig = rig_with(code, [], 0)
    for table in 0x9_0000, 0x9_1000, 0x9_2000:  # U, all the way down
        rig.vm.memory.write(table, bytes([rig.vm.memory.read(table, 1)[0] | 4]))
    regs = rig.vcpu(0).regs
    regs.cr4 = regs.cr4 | de
    regs.set_segment(CS, Segment(0x13, 0, 0xFFFF_FFFF, 0xA0_FB00))
    regs.set_segment(SS, Segment(0x1B, 0, 0xFFFF_FFFF, 0xC0_F300))
    rig.enter(0, 1)
    raised = next(e for e in rig.events(0) if isinstance(e, ExceptionRaised))
    vector = with_de if de else without
    assert (raised.vector, raised.error) == (vector, None if vector == 6 else 0)


@pytest.mark.parametrize("pause", ["f390", "66f390", "f340 90", "2ef390", "f366 90"])
@pytest.mark.parametrize("cut", [1, 2, 3, 20])
def test_pause_right_behind_what_sets_tf(pause: str, cut: int) -> None:
    """The trap is behind PAUSE, however the run is cut."""
    rig = rig_with(f"9c 66810c240001 9d {pause} 90 90", [], 0)
    length = len(bytes.fromhex(pause))
    found: list[ExceptionRaised] = []
    for _ in range(0, 20, cut):
        rig.enter(0, cut)
        found = [e for e in rig.events(0) if isinstance(e, ExceptionRaised)]
        if found:
            break
    assert [(e.vector, e.rip - CODE) for e in found] == [(1, 8 + length)]


@MODES
@pytest.mark.parametrize("code", ["0f21c0", "0f23f8"])
def test_gd_guards_and_is_gone_in_the_handler(wide: bool, code: str) -> None:
    rig = rig_with(f"90 {code}", [], 0x2000, wide=wide)
    assert trap(rig) == (1, EMPTY | BD, 0)
    assert rig.vcpu(0).regs.dr[7] == 0x400


# Beside the user's own.


def test_the_users_breakpoint_comes_first() -> None:
    rig = rig_with("90 90 90", [CODE + 1], field(0, EXECUTE))
    rig.machine.break_at(CODE + 1)
    assert rig.enter(0, 9) == exits.Debug(CODE + 1)
    assert rig.vcpu(0).regs.dr[6] & 0xFFFF_FFFF == EMPTY
    assert trap(rig) == (1, EMPTY | 1, 0)


def test_another_vcpu_goes_past() -> None:
    rig = Rig(cpus=2)
    rig.bring_up(1)
    code = bytes.fromhex("90 ffc0 ebfb")
    rig.vm.memory.write(CODE, code)
    rig.vm.memory.write(CODE + 0x1000, code)
    for vcpu in rig.machine.vcpus:
        vcpu.regs.rip = CODE
    rig.vcpu(0).regs.dr[0], rig.vcpu(0).regs.dr[7] = CODE + 1, 0x401
    assert isinstance(rig.enter(0, 50), exits.Hlt)
    assert rig.enter(1, 300) is None
    assert rig.vcpu(1).regs.gpr[0] == 100


# However it is cut.

MIX = "b90a000000 8803 8a03 50 58 f3aa 8903 ff03 e440 53 0fa2 5b 66a5 ebe5"
"""mov ecx, 10; mov [rbx], al; mov al, [rbx]; push; pop; rep stosb; mov [rbx], eax; inc;
in; push; cpuid; pop; movsw; jmp to the first."""


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("flags", [2, 2 | TF, 2 | RF])
def test_a_run_may_be_cut_anywhere(cut: int, flags: int) -> None:
    digests = set()
    for size in (cut, 60):
        dr7 = field(0, WRITE, 4) | field(1, EXECUTE) | field(2, IO) | field(3, ACCESS)
        rig = rig_with(MIX, [DATA, CODE + 13, 0x40, DATA + 8], dr7, flags=flags)
        regs = rig.vcpu(0).regs
        regs.cr4 |= 8
        regs.gpr[6], regs.gpr[7] = DATA, DATA + 0x10
        handler = bytes.fromhex("814c2410 00000100 48cf").ljust(16, b"\x90")
        rig.vm.memory.write(HANDLERS + 16, handler)
        while rig.vcpu(0).retired < 420:
            left = 420 - rig.vcpu(0).retired
            rig.enter(0, min(size, left))
        digests.add(tuple(state_fields(rig.machine)))
    assert len(digests) == 1


# In real mode, and over a way back.


def real(code: str, dr: Sequence[int], dr7: int) -> Machine:
    """A machine in real mode at 1000:0000; #DB goes to 1000:0100, which halts."""
    image = bytes.fromhex(code).ljust(0x100, b"\x90") + b"\xf4\xeb\xfd"
    m = machines.machine(image)
    m.vm.memory.write(4, bytes.fromhex("00010010"))
    regs = m.vcpus[0].regs
    regs.gpr[4] = 0x8000
    for number, address in enumerate(dr):
        regs.dr[number] = address
    regs.dr[7] = dr7 | 0x400
    return m


@pytest.mark.parametrize(
    ("code", "address", "what", "pushed"),
    [
        ("90 90 90", 0x1_0002, EXECUTE, 2),
        ("8807 90", 0x300, WRITE, 2),  # mov [bx], al
        ("a00003 90", 0x300, ACCESS, 3),
        ("9c 90", 0x7FFE, WRITE, 1),  # pushf
    ],
)
def test_in_real_mode(code: str, address: int, what: int, pushed: int) -> None:
    m = real(code, [address], field(0, what))
    m.vcpus[0].regs.gpr[3] = 0x300
    assert m.run(20).reason == "halted"
    regs = m.vcpus[0].regs
    assert (regs.rip, regs.dr[6]) == (0x101, EMPTY | 1)
    ip = int.from_bytes(m.vm.memory.peek(regs.gpr[4], 2), "little")
    assert ip == pushed


def test_what_is_armed_follows_a_checkpoint() -> None:
    """Armed, taken back, and armed again: no list of ours remembers it."""
    m = real("90 90 90 90 ebfa", [0x1_0002], field(0, EXECUTE))
    start = capture.take(m)
    assert m.run(20).reason == "halted"
    first = state_fields(m)
    m.vcpus[0].regs.dr[7] = 0x400
    capture.put(m, start)
    m.vcpus[0].regs.dr[7] = 0x400
    assert m.run(20).reason == "budget"
    capture.put(m, start)
    assert m.run(20).reason == "halted"
    assert state_fields(m) == first
