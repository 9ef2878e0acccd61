"""The request protocol and the effects of instructions, by bhyve.md 1.2.5."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import pytest

from lapis_engine.cpu.fault import GP, PF_, PF_P, PF_U, PF_W, GuestFault
from lapis_engine.cpu.paging import Linear, LinearHole
from lapis_engine.cpu.registers import (
    CR0_PE,
    CS,
    DF,
    DS,
    EFER_LMA,
    ES,
    FS,
    RAX,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    SEG_CODE,
    SEG_DB,
    SEG_L,
    SEG_P,
    SEG_S,
    SEG_WRITABLE,
    SS,
    Registers,
    Segment,
)
from lapis_engine.cpu.selfcheck import open_core
from lapis_engine.errors import EntryError, UnmappedError
from lapis_engine.memory.physical import PhysicalMemory
from lapis_engine.vie.decode import decode, decode_port
from lapis_engine.vie.execute import emulate
from lapis_engine.vie.fetch import fetch
from lapis_engine.vie.pending import (
    discard,
    fulfill_inout,
    fulfill_mmio,
    pending,
    start_inout,
    start_mmio,
    start_unknown,
)
from lapis_engine.vie.ports import emulate_port
from lapis_engine.vie.repeat import Progress, Result
from lapis_engine.vie.request import InoutRequest, InstEmulRequest, MmioRequest
from lapis_engine.vie.state import VieState

if TYPE_CHECKING:
    from lapis_engine.cpu.core import Core

DEVICE = 0xD000_0000
RAM = 0x10_0000
DONE, PENDING = Progress(Result.DONE, 1), Progress(Result.PENDING, 0)


@cache
def core() -> Core:
    return open_core()


def new_registers(bits: int = 64, cpl: int = 0) -> Registers:
    regs = core().new_registers()
    regs.efer = EFER_LMA if bits == 64 else 0
    regs.cr0 = CR0_PE
    flags = SEG_P | SEG_S | (cpl << 13)
    mode = {16: 0, 32: SEG_DB, 64: SEG_L}[bits]
    for index in (ES, SS, DS):
        data = Segment(0x10, 0, 0xFFFF_FFFF, flags | SEG_WRITABLE)
        regs.set_segment(index, data)
    regs.set_segment(CS, Segment(8, 0, 0xFFFF_FFFF, flags | SEG_CODE | mode))
    regs.rflags = 2
    for index in range(16):
        regs.gpr[index] = 0
    regs.rip = 0x1000
    assert regs.code_bits == bits
    assert regs.cpl == cpl
    return regs


@dataclass
class Flat:
    """Identity-mapped memory: RAM in the first 2 MiB, not-present pages by choice."""

    ram: bytearray = field(default_factory=lambda: bytearray(0x20_0000))
    missing: set[int] = field(default_factory=set)
    users: list[bool] = field(default_factory=list)

    def translate(
        self,
        linear: int,
        *,
        write: bool = False,
        user: bool = False,
        fetch: bool = False,
    ) -> int:
        assert not fetch
        self.users.append(user)
        if linear >> 12 in self.missing:
            error = (PF_W if write else 0) | (PF_U if user else 0)
            raise GuestFault(PF_, error, linear)
        return linear

    def peek(self, linear: int) -> int | None:
        return None if linear >> 12 in self.missing else linear

    def read(self, linear: int, size: int, *, user: bool = False) -> bytes:
        gpa = self.translate(linear, user=user)
        if gpa + size > len(self.ram):
            raise LinearHole(gpa, size, write=False)
        return bytes(self.ram[gpa : gpa + size])

    def write(self, linear: int, data: bytes, *, user: bool = False) -> None:
        gpa = self.translate(linear, write=True, user=user)
        if gpa + len(data) > len(self.ram):
            raise LinearHole(gpa, len(data), write=True)
        self.ram[gpa : gpa + len(data)] = data


@dataclass
class FakeBus:
    """Serves what `reads`, `writes` and `ports` say; logs all it is asked."""

    reads: dict[int, int] = field(default_factory=dict)
    writes: set[int] = field(default_factory=set)
    ports: dict[int, int] = field(default_factory=dict)
    log: list[tuple[object, ...]] = field(default_factory=list)

    def read(self, gpa: int, size: int) -> int | None:
        self.log.append(("read", gpa, size))
        return self.reads.get(gpa)

    def write(self, gpa: int, size: int, value: int) -> bool:
        self.log.append(("write", gpa, size, value))
        return gpa in self.writes

    def port_in(self, port: int, size: int) -> int | None:
        self.log.append(("in", port, size))
        return self.ports.get(port)

    def port_out(self, port: int, size: int, value: int) -> bool:
        self.log.append(("out", port, size, value))
        return port in self.ports


class World:
    """One vCPU on one instruction."""

    def __init__(self, code: str, bits: int = 64, cpl: int = 0) -> None:
        self.code = bytes.fromhex(code)
        self.regs = new_registers(bits, cpl)
        self.gpr = self.regs.gpr
        self.linear = Flat()
        self.bus = FakeBus()
        self.state = VieState()
        self.limit = 1

    def start(self, gpa: int = DEVICE) -> Progress:
        instruction = decode(self.code, self.regs.code_bits)
        assert instruction is not None
        start_mmio(self.state, self.code, instruction, gpa)
        return self.go()

    def go(self) -> Progress:
        return emulate(self.state, self.regs, self.linear, self.bus, self.limit)

    def start_port(self, *, keeps_upper_rax: bool = True) -> Progress:
        instruction = decode_port(self.code, self.regs.code_bits)
        assert instruction is not None
        start_inout(self.state, self.code, instruction)
        return self.go_port(keeps_upper_rax=keeps_upper_rax)

    def go_port(self, *, keeps_upper_rax: bool = True) -> Progress:
        return emulate_port(
            self.state,
            self.regs,
            self.linear,
            self.bus,
            keeps_upper_rax=keeps_upper_rax,
            limit=self.limit,
        )

    def answer_read(self, gpa: int, size: int, data: int) -> Progress:
        fulfill_mmio(self.state, MmioRequest(read=True, gpa=gpa, bytes=size, data=data))
        return self.go()

    def answer_write(self, gpa: int, size: int) -> Progress:
        fulfill_mmio(self.state, MmioRequest(read=False, gpa=gpa, bytes=size))
        return self.go()

    def registers(self) -> tuple[int, ...]:
        return (*self.gpr, self.regs.rip, self.regs.rflags)


@pytest.fixture
def load() -> World:
    """mov eax, [rbx], with the request pending."""
    world = World("8b03")
    world.gpr[RBX], world.gpr[RAX] = DEVICE, 0xAAAA_BBBB_CCCC_DDDD
    assert world.start() == PENDING
    return world


READ = MmioRequest(read=True, gpa=DEVICE, bytes=4)


def test_b1_an_unserved_load_waits_with_nothing_applied(load: World) -> None:
    assert pending(load.state) == READ
    assert load.gpr[RAX] == 0xAAAA_BBBB_CCCC_DDDD
    assert load.regs.rip == 0x1000
    assert pending(load.state) == READ


def test_b2_the_answer_is_cut_and_zero_extended(load: World) -> None:
    assert load.answer_read(DEVICE, 4, 0xFFFF_FFFF_1234_5678) == DONE
    assert load.gpr[RAX] == 0x1234_5678
    assert load.regs.rip == 0x1002
    assert load.state == VieState()


@pytest.mark.parametrize(
    "answer",
    [
        MmioRequest(read=True, gpa=DEVICE, bytes=2, data=1),
        MmioRequest(read=True, gpa=DEVICE + 4, bytes=4, data=1),
        MmioRequest(read=False, gpa=DEVICE, bytes=4, data=1),
    ],
)
def test_b3_a_wrong_answer_is_refused_and_the_request_stays(
    load: World, answer: MmioRequest
) -> None:
    before = load.registers()
    with pytest.raises(EntryError, match="the pending request") as refused:
        fulfill_mmio(load.state, answer)
    assert refused.value.errno == "EINVAL"
    assert pending(load.state) == READ
    assert load.registers() == before
    assert load.answer_read(DEVICE, 4, 7) == DONE


def test_b4_a_port_answer_does_not_fit_a_memory_request(load: World) -> None:
    with pytest.raises(EntryError, match="no port request"):
        fulfill_inout(load.state, InoutRequest(0x60, 4, read=True))
    assert pending(load.state) == READ


def movs_between_devices(df: int = 0) -> World:
    world = World("a5")
    world.gpr[RSI], world.gpr[RDI] = DEVICE, DEVICE + 0x100
    world.regs.rflags = 2 | df
    return world


@pytest.mark.parametrize(("df", "step"), [(0, 4), (DF, -4)])
def test_b6_movs_between_devices_asks_twice(df: int, step: int) -> None:
    world = movs_between_devices(df)
    assert world.start() == PENDING
    assert pending(world.state) == READ
    assert world.answer_read(DEVICE, 4, 0x1_CAFE_F00D) == PENDING
    assert pending(world.state) == MmioRequest(
        read=False, gpa=DEVICE + 0x100, bytes=4, data=0xCAFE_F00D
    )
    assert (world.gpr[RSI], world.regs.rip) == (DEVICE, 0x1000)
    assert world.answer_write(DEVICE + 0x100, 4) == DONE
    assert world.gpr[RSI] == DEVICE + step
    assert world.gpr[RDI] == DEVICE + 0x100 + step
    assert world.regs.rip == 0x1001


def test_b6_an_engine_device_is_read_once_although_the_write_waits() -> None:
    world = movs_between_devices()
    world.bus.reads[DEVICE] = 0x55
    assert world.start() == PENDING
    assert world.answer_write(DEVICE + 0x100, 4) == DONE
    assert world.bus.log == [("read", DEVICE, 4), ("write", DEVICE + 0x100, 4, 0x55)]


def test_b7_rep_insb_asks_once_an_element() -> None:
    world = World("f36c")
    world.gpr[RCX], world.gpr[RDI], world.gpr[RDX] = 3, RAM, 0x60
    world.limit = 100
    outcome = world.start_port()
    for n in range(3):
        assert outcome.result is Result.PENDING
        assert pending(world.state) == InoutRequest(0x60, 1, read=True)
        assert world.gpr[RCX] == 3 - n
        assert world.gpr[RDI] == RAM + n
        assert world.regs.rip == 0x1000
        fulfill_inout(world.state, InoutRequest(0x60, 1, read=True, eax=0x41 + n))
        outcome = world.go_port()
    assert outcome == DONE
    assert (world.gpr[RCX], world.gpr[RDI], world.regs.rip) == (0, RAM + 3, 0x1002)
    assert world.linear.ram[RAM : RAM + 4] == b"ABC\0"


@pytest.mark.parametrize("code", ["f36c", "f36f"])
def test_b8_rep_with_a_count_of_zero_only_moves_rip(code: str) -> None:
    world = World(code)
    assert world.start_port() == Progress(Result.DONE, 0)
    assert world.bus.log == []
    assert world.regs.rip == 0x1002


def test_b9_out_ignores_the_answers_eax_but_not_its_port() -> None:
    world = World("ef")
    world.gpr[RAX], world.gpr[RDX] = 0x1_0000_BEEF, 0xABCD_0CF8
    assert world.start_port() == PENDING
    request = InoutRequest(0xCF8, 4, read=False, eax=0xBEEF)
    assert pending(world.state) == request
    for wrong in (
        InoutRequest(0xCF9, 4, read=False),
        InoutRequest(0xCF8, 2, read=False),
        InoutRequest(0xCF8, 4, read=True),
    ):
        with pytest.raises(EntryError) as refused:
            fulfill_inout(world.state, wrong)
        assert refused.value.errno == "EINVAL"
        assert pending(world.state) == request
    fulfill_inout(world.state, InoutRequest(0xCF8, 4, read=False, eax=0x1234))
    assert world.go_port() == DONE
    assert world.gpr[RAX] == 0x1_0000_BEEF
    assert world.regs.rip == 0x1001


@pytest.mark.parametrize(
    ("keeps", "expected"),
    [(False, 0x0000_0000_5566_77AB), (True, 0x1122_3344_5566_77AB)],
)
def test_b10_the_upper_rax_of_a_narrow_in_is_a_switch(
    *, keeps: bool, expected: int
) -> None:
    world = World("ec")
    world.gpr[RAX], world.gpr[RDX] = 0x1122_3344_5566_7788, 0x60
    assert world.start_port(keeps_upper_rax=keeps) == PENDING
    fulfill_inout(world.state, InoutRequest(0x60, 1, read=True, eax=0xFFAB))
    assert world.go_port(keeps_upper_rax=keeps) == DONE
    assert world.gpr[RAX] == expected


def test_b12_an_answer_to_nothing_is_refused() -> None:
    state = VieState()
    with pytest.raises(EntryError, match="no MMIO request"):
        fulfill_mmio(state, READ)
    with pytest.raises(EntryError, match="no port request"):
        fulfill_inout(state, InoutRequest(0x60, 1, read=True))


def test_b13_an_unknown_instruction_is_owed_as_its_bytes() -> None:
    state = VieState()
    start_unknown(state, b"\x87\x03", DEVICE)
    assert pending(state) == InstEmulRequest(b"\x87\x03", DEVICE)
    with pytest.raises(EntryError):
        fulfill_mmio(state, READ)
    discard(state)
    assert pending(state) is None


def test_b15_a_discarded_instruction_reads_again() -> None:
    world = movs_between_devices()
    before = world.registers()
    world.start()
    world.answer_read(DEVICE, 4, 1)
    discard(world.state)
    assert pending(world.state) is None
    assert world.registers() == before
    assert world.start() == PENDING
    assert pending(world.state) == READ


LOADS = [
    # code, bits, what the device answers, RAX afterwards (0x1122334455667788 before)
    ("8a03", 64, 0xFF, 0x1122_3344_5566_77FF),
    ("8a23", 64, 0xFF, 0x1122_3344_5566_FF88),
    ("668b03", 64, 0xFEDC, 0x1122_3344_5566_FEDC),
    ("8b03", 64, 0xFEDC_BA98, 0xFEDC_BA98),
    ("488b03", 64, 0xFEDC_BA98_7654_3210, 0xFEDC_BA98_7654_3210),
    ("0fb603", 64, 0x80, 0x80),
    ("660fb603", 64, 0x80, 0x1122_3344_5566_0080),
    ("480fb703", 64, 0x8000, 0x8000),
    ("0fbe03", 64, 0x80, 0xFFFF_FF80),
    ("660fbe03", 64, 0x80, 0x1122_3344_5566_FF80),
    ("480fbf03", 64, 0x8000, 0xFFFF_FFFF_FFFF_8000),
    ("486303", 64, 0x8000_0000, 0xFFFF_FFFF_8000_0000),
    ("6303", 64, 0x8000_0000, 0x8000_0000),
    ("a1000000d000000000", 64, 0x1234_5678, 0x1234_5678),
    ("a0000000d0", 32, 0x99, 0x1122_3344_5566_7799),
]


@pytest.mark.parametrize(("code", "bits", "data", "rax"), LOADS)
def test_a_load_writes_its_register_by_width(
    code: str, bits: int, data: int, rax: int
) -> None:
    world = World(code, bits)
    world.gpr[RBX], world.gpr[RAX] = DEVICE, 0x1122_3344_5566_7788
    world.bus.reads[DEVICE] = data
    assert world.start() == DONE
    assert world.gpr[RAX] == rax
    assert world.regs.rip == 0x1000 + len(world.code)
    assert world.state == VieState()


STORES = [
    ("8803", 64, 1, 0x88),
    ("8823", 64, 1, 0x77),
    ("668903", 64, 2, 0x7788),
    ("8903", 64, 4, 0x5566_7788),
    ("488903", 64, 8, 0x1122_3344_5566_7788),
    ("c603fe", 64, 1, 0xFE),
    ("66c7038180", 64, 2, 0x8081),
    ("48c703feffffff", 64, 8, 0xFFFF_FFFF_FFFF_FFFE),
    ("a3000000d0", 32, 4, 0x5566_7788),
    ("67668907", 16, 4, 0x5566_7788),
]


@pytest.mark.parametrize(("code", "bits", "size", "data"), STORES)
def test_a_store_hands_over_as_many_bytes_as_it_has(
    code: str, bits: int, size: int, data: int
) -> None:
    world = World(code, bits)
    world.gpr[RBX] = world.gpr[RDI] = DEVICE
    world.gpr[RAX] = 0x1122_3344_5566_7788
    assert world.start() == PENDING
    request = MmioRequest(read=False, gpa=DEVICE, bytes=size, data=data)
    assert pending(world.state) == request
    world.state.write.clear()
    world.bus.writes.add(DEVICE)
    assert world.go() == DONE
    assert world.bus.log[-1] == ("write", DEVICE, size, data)


ADDRESSES = [
    # code, bits, RBX, RSI, segment base given to FS, low 12 bits of the address
    ("8b84b3efbeadde", 64, 0x1111, 1, 0, 0x004),
    ("648b03", 64, 0x10, 0, 0x7000, 0x010),
    ("678b03", 64, 0xFFFF_FFFF_0000_0020, 0, 0, 0x020),
    ("8b00", 16, 0xFFFF, 0x21, 0, 0x020),
    ("8b0500000000", 64, 0, 0, 0, 0x006),
]


@pytest.mark.parametrize(("code", "bits", "rbx", "rsi", "base", "low"), ADDRESSES)
def test_the_operand_must_be_where_the_processor_says(
    code: str, bits: int, rbx: int, rsi: int, base: int, low: int
) -> None:
    world = World(code, bits)
    world.gpr[RBX], world.gpr[RSI] = rbx, rsi
    world.regs.set_base(FS, base)
    world.bus.reads[DEVICE | low] = 1
    assert world.start(DEVICE | low) == DONE
    world.regs.rip = 0x1000
    world.gpr[RBX], world.gpr[RSI] = rbx, rsi
    assert world.start(DEVICE | (low ^ 8)) == Progress(Result.UNHANDLED, 0)
    assert pending(world.state) == InstEmulRequest(world.code, DEVICE | (low ^ 8))


def test_an_access_over_a_page_boundary_is_not_handled() -> None:
    world = World("8b03")
    world.gpr[RBX] = DEVICE + 0xFFE
    assert world.start(DEVICE + 0xFFE).result is Result.UNHANDLED


def test_rip_wraps_in_16_bit_code() -> None:
    world = World("8a07", 16)
    world.gpr[RBX], world.regs.rip = 0, 0xFFFE
    world.bus.reads[DEVICE] = 1
    assert world.start() == DONE
    assert world.regs.rip == 0


def test_the_shadow_of_sti_ends_with_the_instruction() -> None:
    world = World("8b03")
    world.gpr[RBX], world.regs.shadow = DEVICE, True
    assert world.start() == PENDING
    assert world.regs.shadow
    assert world.answer_read(DEVICE, 4, 0) == DONE
    assert not world.regs.shadow


def test_rep_movs_from_a_device_to_memory_goes_on_to_the_limit() -> None:
    world = World("f3a5")
    world.gpr[RSI], world.gpr[RDI], world.gpr[RCX] = DEVICE, RAM, 5
    world.bus.reads = {DEVICE + 4 * n: 0x100 + n for n in range(5)}
    world.limit = 3
    assert world.start() == Progress(Result.REPEAT, 3)
    assert world.state == VieState()
    assert (world.gpr[RCX], world.regs.rip) == (2, 0x1000)
    assert world.gpr[RSI] == DEVICE + 12
    assert world.start(DEVICE + 12) == Progress(Result.DONE, 2)
    assert (world.gpr[RCX], world.gpr[RDI], world.regs.rip) == (0, RAM + 20, 0x1002)
    assert world.linear.ram[RAM : RAM + 20 : 4] == bytes(range(5))


def test_movs_from_memory_to_a_device_writes_what_memory_holds() -> None:
    world = World("48a5")
    world.linear.ram[RAM : RAM + 8] = bytes(range(8))
    world.gpr[RSI], world.gpr[RDI] = RAM, DEVICE
    assert world.start() == PENDING
    assert pending(world.state) == MmioRequest(
        read=False, gpa=DEVICE, bytes=8, data=0x0706_0504_0302_0100
    )
    assert world.answer_write(DEVICE, 8) == DONE
    assert world.gpr[RSI] == RAM + 8


def test_rep_stos_asks_for_each_element_where_it_is() -> None:
    world = World("f3aa")
    world.gpr[RDI], world.gpr[RCX], world.gpr[RAX] = DEVICE, 2, 0x1FF
    world.limit = 8
    assert world.start() == PENDING
    assert world.answer_write(DEVICE, 1) == Progress(Result.PENDING, 1)
    assert pending(world.state) == MmioRequest(
        read=False, gpa=DEVICE + 1, bytes=1, data=0xFF
    )
    assert world.answer_write(DEVICE + 1, 1) == DONE
    assert (world.gpr[RCX], world.gpr[RDI]) == (0, DEVICE + 2)


def test_a_count_is_masked_by_the_address_size() -> None:
    world = World("67f3aa")
    world.gpr[RCX], world.gpr[RDI] = 0x5_0000_0000, DEVICE
    assert world.start() == Progress(Result.DONE, 0)
    world = World("f3aa", 16)
    world.gpr[RCX], world.gpr[RDI] = 0xA_0001, 0xB_FFFF
    world.bus.writes.add(0xFFFF)
    assert world.start(0xFFFF) == DONE
    assert (world.gpr[RCX], world.gpr[RDI]) == (0xA_0000, 0xB_0000)


def test_a_fault_of_the_target_comes_before_the_device_is_read() -> None:
    world = World("f3a4", cpl=3)
    world.gpr[RSI], world.gpr[RDI], world.gpr[RCX] = DEVICE, RAM, 2
    world.linear.missing.add(RAM >> 12)
    before = world.registers()
    with pytest.raises(GuestFault) as fault:
        world.start()
    assert (fault.value.vector, fault.value.cr2) == (PF_, RAM)
    assert fault.value.error == PF_W | PF_U
    assert not fault.value.error & PF_P
    assert world.bus.log == []
    assert world.registers() == before
    assert world.state == VieState()
    assert all(world.linear.users)


def test_a_fault_after_some_iterations_keeps_them() -> None:
    world = World("f3a4")
    world.gpr[RSI], world.gpr[RDI], world.gpr[RCX] = DEVICE, RAM - 1, 2
    world.linear.missing.add(RAM >> 12)
    world.bus.reads = {DEVICE: 0x77, DEVICE + 1: 0x78}
    world.limit = 8
    assert world.start() == Progress(Result.REPEAT, 1)
    assert (world.gpr[RCX], world.gpr[RDI], world.regs.rip) == (1, RAM, 0x1000)
    with pytest.raises(GuestFault):
        world.start(DEVICE + 1)
    assert world.bus.log == [("read", DEVICE, 1)]


@pytest.mark.parametrize("address", [1 << 47, (1 << 64) - (1 << 47) - 1])
@pytest.mark.parametrize("code", ["a5", "ab", "6c"])
def test_a_string_operand_must_be_canonical(code: str, address: int) -> None:
    world = World(code)
    world.gpr[RSI], world.gpr[RDI] = DEVICE, address
    start = world.start_port if code == "6c" else world.start
    with pytest.raises(GuestFault) as fault:
        start()
    assert (fault.value.vector, fault.value.error) == (GP, 0)
    assert world.bus.log == []


def test_guest_memory_of_the_machine_fits() -> None:
    world = World("f3a4", 32)
    memory = PhysicalMemory()
    memory.add(0, 0x20_0000, "ram")
    memory.add(0xF_F000_0000, 0x1000, "rom", rom=True)
    linear = Linear(world.regs, memory)
    world.gpr[RSI], world.gpr[RDI], world.gpr[RCX] = DEVICE, 0x1F_FFFE, 3
    world.bus.reads = {DEVICE + n: 0x30 + n for n in range(3)}
    instruction = decode(world.code, 32)
    assert instruction is not None
    start_mmio(world.state, world.code, instruction, DEVICE)
    outcome = emulate(world.state, world.regs, linear, world.bus, 9)
    assert outcome == Progress(Result.PENDING, 2)
    assert memory.read(0x1F_FFFE, 2) == b"01"
    assert pending(world.state) == MmioRequest(
        read=False, gpa=0x20_0000, bytes=1, data=0x32
    )
    memory.write(0x1000, world.code)
    assert fetch(world.regs, linear, memory) == world.code + bytes(13)


def test_ins_faults_before_the_port_is_read() -> None:
    world = World("6d")
    world.gpr[RDI], world.gpr[RDX] = RAM - 2, 0x60
    world.linear.missing.add(RAM >> 12)
    world.bus.ports[0x60] = 1
    with pytest.raises(GuestFault):
        world.start_port()
    assert world.bus.log == []
    assert world.state == VieState()


@pytest.mark.parametrize("code", ["6d", "6f"])
def test_string_port_io_with_a_device_as_memory_is_not_handled(code: str) -> None:
    world = World(code)
    world.gpr[RDI] = world.gpr[RSI] = DEVICE
    assert world.start_port().result is Result.UNHANDLED
    assert world.bus.log == []
    assert pending(world.state) == InstEmulRequest(world.code)


def test_outs_shows_what_memory_holds_and_uses_the_override() -> None:
    world = World("646e")
    world.regs.set_base(FS, RAM)
    world.gpr[RSI], world.gpr[RDX] = 5, 0x3F8
    world.linear.ram[RAM + 5] = 0x42
    assert world.start_port() == PENDING
    assert pending(world.state) == InoutRequest(0x3F8, 1, read=False, eax=0x42)
    fulfill_inout(world.state, InoutRequest(0x3F8, 1, read=False))
    assert world.go_port() == DONE
    assert world.gpr[RSI] == 6


def test_an_engine_port_is_served_without_a_request() -> None:
    world = World("e560")
    world.gpr[RAX], world.bus.ports[0x60] = 1 << 40, 0xFFFF_FFFF_1234_5678
    assert world.start_port() == DONE
    assert world.gpr[RAX] == 0x1234_5678
    world = World("66e760")
    world.gpr[RAX], world.bus.ports[0x60] = 0x1234_5678, 0
    assert world.start_port() == DONE
    assert world.bus.log == [("out", 0x60, 2, 0x5678)]


class Pages:
    """Physical memory of two pages, 0x1000 and 0x2000."""

    def read(self, gpa: int, size: int) -> bytes:
        if not 0x1000 <= gpa <= 0x3000 - size:
            raise UnmappedError(gpa, size)
        return bytes((gpa + n) & 0xFF for n in range(size))


@pytest.mark.parametrize(
    ("rip", "expected"),
    [
        (0x1010, bytes(range(0x10, 0x1F))),
        (0x1FFC, bytes([0xFC, 0xFD, 0xFE, 0xFF, *range(11)])),
        (0x2FFC, bytes([0xFC, 0xFD, 0xFE, 0xFF])),
        (0x5000, b""),
        (0x9000, b""),
    ],
)
def test_a_fetch_is_short_where_memory_ends(rip: int, expected: bytes) -> None:
    regs, linear = new_registers(), Flat(missing={9})
    regs.rip = rip
    assert fetch(regs, linear, Pages()) == expected
