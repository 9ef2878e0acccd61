"""Accesses that are answered where the instruction runs, without an exit.

The oracle of what they get is the device itself, asked afterwards; that of whole
guests is counting by instruction, where each access is an exit.
"""

from __future__ import annotations

import ctypes as c
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.machines import BASE, MEMORY, fingerprint

from lapis_engine.apic import access, timer
from lapis_engine.apic import plain as apic_plain
from lapis_engine.apic import state as apic_state
from lapis_engine.boot import flat
from lapis_engine.cpu import answers as table
from lapis_engine.cpu import blocks, selfcheck
from lapis_engine.devices import pit, pmtimer, uart
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.plain import Plain
from lapis_engine.profiles.catalog import SDM
from lapis_engine.vmm.costs import FREE, Costs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.device import Device

needs_blocks = pytest.mark.skipif(
    isinstance(blocks.find(), str), reason="the compiled part is not there"
)


@pytest.fixture(autouse=True)
def ways() -> Iterator[None]:
    """Let a test choose how machines count."""
    before = selfcheck._by_instruction
    yield
    selfcheck.count_by_instruction(on=before)


# Plain registers say what a read gives, later as well.

TIMES = st.integers(0, 10**10)
WRITES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 255)), max_size=8)


def _reads_as_said(device: Device, address: int, size: int, now: int, on: int) -> bool:
    """Whether a register is plain; if it is, see what it gives `on` ns later."""
    assert device.plain is not None
    said = device.plain(device.state, address, size, now)
    if said is None:
        return False
    then = now + on
    if device.timer is not None:
        due = device.timer.deadline(device.state)
        then = then if due is None else max(now, min(then, due - 1))
    if said.until is not None:
        then = min(then, said.until - 1)
    before = deepcopy(device.state)
    assert device.access.read(device.state, address, size, then) == said.at(then)
    assert device.state == before, "a plain read changes nothing"
    return True


@given(TIMES, TIMES)
def test_the_pm_timer_goes_on_as_it_says(now: int, on: int) -> None:
    assert _reads_as_said(pmtimer.device(), pmtimer.COUNT, 4, now, on)


@given(WRITES, TIMES, TIMES)
def test_the_line_status_stays_as_it_says(
    writes: list[tuple[int, int]], now: int, on: int
) -> None:
    device = uart.device()
    for offset, value in writes:
        device.access.write(device.state, 0x3F8 + offset, 1, value, now)
    _reads_as_said(device, 0x3FD, 1, now, on)


def test_a_line_status_with_an_error_is_not_plain() -> None:
    device = uart.device()
    for value in (0x10, 1, 2):  # loopback, and a byte more than there is room for
        port = 0x3FC if value == 0x10 else 0x3F8
        device.access.write(device.state, port, 1, value, 0)
    assert device.state.overrun
    assert device.plain is not None
    assert device.plain(device.state, 0x3FD, 1, 0) is None


@given(
    st.sampled_from([0xB0, 0xB2, 0xB4, 0xB6, 0xB8]),
    st.integers(1, 0xFFFF),
    st.integers(0, 3),
    TIMES,
    st.integers(0, 10**8),
)
@settings(max_examples=300)
def test_port_0x61_stays_as_it_says(
    control: int, count: int, gate: int, now: int, on: int
) -> None:
    device = pit.device()
    for port, value in ((0x61, gate), (0x43, control), (0x42, count & 0xFF)):
        device.access.write(device.state, port, 1, value, now)
    device.access.write(device.state, 0x42, 1, count >> 8, now)
    is_plain = _reads_as_said(device, 0x61, 1, now + 900, on)
    # Mode 0, by which everybody measures the TSC, is.
    assert is_plain or control != 0xB0


@given(
    st.integers(0, 0xFFFF_FFFF),
    st.sampled_from([0, 1, 2, 3, 8, 9, 10, 11]),
    st.sampled_from([0, 1 << 17]),
    TIMES,
    st.integers(0, 1 << 32),
)
@settings(max_examples=300)
def test_the_current_count_falls_as_it_says(
    count: int, divide: int, mode: int, now: int, on: int
) -> None:
    state = apic_state.reset(0, SDM)
    access.write_mmio(state, 0xF0, 4, 0x1FF, now, SDM)
    access.write_mmio(state, 0x320, 4, mode | 0x40, now, SDM)
    access.write_mmio(state, 0x3E0, 4, divide, now, SDM)
    access.write_mmio(state, 0x380, 4, count, now, SDM)
    said = apic_plain.read_mmio(state, 0x390, 4, now, SDM)
    due = timer.deadline(state)
    then = now + on if due is None else min(now + on, due - 1)
    if said is not None:
        assert said.at(then) == access.read_mmio(state, 0x390, 4, then, SDM)[0]
    else:
        assert count, "a count that stands is plain"


# What is said in C is what is said in Python.


@needs_blocks
@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
    st.integers(0, 10**10),
    st.integers(1, 2**60),
    st.booleans(),
    st.sampled_from([2**64 - 1, 2**32 - 1, 1]),
    st.integers(0, 8),
)
def test_c_works_a_value_out_as_python_does(
    base: int,
    origin: int,
    now: int,
    numerator: int,
    denominator: int,
    falls: bool,
    mask: int,
    shift: int,
) -> None:
    library = blocks.find()
    assert not isinstance(library, str)
    library.answers_value.restype = c.c_uint64
    library.answers_value.argtypes = c.c_void_p, c.c_uint64
    said = Plain(base, origin, numerator, denominator, falls, mask, shift)
    record = table.AnswerRecord()
    table._fill(record, said)
    found = library.answers_value(c.byref(record), now)
    assert found == said.at(now) & (2**64 - 1)


# Whole guests.

PROTECTED = (
    # cli; lgdt [cs:0x20]; mov eax, 1; mov cr0, eax; jmp dword 8:0x10040
    bytes.fromhex("fa2e0f0116200066b8010000000f22c066ea4000010008 00").ljust(0x20)
    + (0x17).to_bytes(2, "little")
    + (BASE + 0x28).to_bytes(4, "little")
    + bytes(2)
    + bytes.fromhex("0000000000000000 ffff0000009bcf00 ffff00000093cf00")
)
START = bytes.fromhex("66b81000 8ed8 8ec0 8ed0 bc00000800")
"""`mov ax, 16; mov ds, ax; mov es, ax; mov ss, ax; mov esp, 0x80000`."""


def _apic(offset: int, value: int | None = None) -> bytes:
    """`mov eax, [apic]; add ebx, eax`, or `mov dword [apic], value`."""
    where = (0xFEE0_0000 + offset).to_bytes(4, "little")
    if value is None:
        return b"\xa1" + where + b"\x01\xc3"
    return b"\xc7\x05" + where + value.to_bytes(4, "little")


def _msr(number: int, value: int | None = None) -> bytes:
    """`mov ecx, n; rdmsr; add ebx, eax; add ebx, edx`, or WRMSR of 32 bits."""
    code = b"\xb9" + number.to_bytes(4, "little")
    if value is None:
        return code + bytes.fromhex("0f32 01c3 01d3")
    return code + b"\xb8" + value.to_bytes(4, "little") + bytes.fromhex("31d2 0f30")


def _port(code: str, port: int) -> bytes:
    """`mov edx, port`, the access, `add ebx, eax`."""
    return b"\xba" + port.to_bytes(4, "little") + bytes.fromhex(code) + b"\x01\xc3"


IN8, IN16, IN32, OUT8, OUT32 = "ec", "66ed", "ed", "ee", "ef"
ACCESSES = {
    "rdtsc": bytes.fromhex("0f31 01c3"),
    "rdtscp": bytes.fromhex("0f01f9 01c3 01cb"),
    "cpuid 1": bytes.fromhex("b801000000 0fa2 01cb 01d3"),
    "cpuid 0xb": bytes.fromhex("b80b000000 b901000000 0fa2 01c3"),
    "apic id": _apic(0x20),
    "version by ecx": bytes.fromhex("8b0d3000e0fe 01cb"),
    "tpr": _apic(0x80),
    "ppr": _apic(0xA0),
    "irr": _apic(0x220),
    "current count": _apic(0x390),
    "tpr = 0": _apic(0x80, 0),
    "tpr = 0x35": _apic(0x80, 0x35),
    "tpr by ebx": bytes.fromhex("891d8000e0fe"),
    "eoi": _apic(0xB0, 0),
    "arm": _apic(0x380, 5000),
    "self ipi 0x31": _apic(0x300, 0x4_4031),
    "add to tpr": bytes.fromhex("80058000e0fe10"),
    "pm timer": _port(IN32, pmtimer.COUNT),
    "pm timer, 2 bytes": _port(IN16, 0x5000),
    "line status": _port(IN8, 0x3FD),
    "print": _port(OUT8, 0x3F8),
    "0x61": _port(IN8, 0x61),
    "gate": bytes.fromhex("b001 e661"),
    "mode 0": bytes.fromhex("b0b0 e643 b040 e642 b001 e642"),
    "float": _port(IN8, 0x5555),
    "float, by immediate": bytes.fromhex("e4f0 01c3"),
    "drop": _port(OUT32, 0x5555),
    "ins": bytes.fromhex("bf00000600 ba55550000 6c"),
    "apic base": _msr(0x1B),
    "tsc by msr": _msr(0x10),
    "mtrr cap": _msr(0xFE),
    "move the tsc": _msr(0x10, 12345),
    "fs base": _msr(0xC000_0100),
    "fs base = ": _msr(0xC000_0100, 0x70),
    "gs base": _msr(0xC000_0101),
    "gs base = ": _msr(0xC000_0101, 0x60),
    "kernel gs base": _msr(0xC000_0102),
    "kernel gs base = ": _msr(0xC000_0102, 0x50),
    "mov to gs": bytes.fromhex("8ee8"),
    "by fs": bytes.fromhex("64030500000700"),
    "store to memory": bytes.fromhex("891d00000700"),
    "add": bytes.fromhex("81c315cd5b07"),
    "turn": bytes.fromhex("c1c305"),
    "push": bytes.fromhex("53 5b"),
    "flags": bytes.fromhex("9c 58 01c3"),
    "pause": bytes.fromhex("f390"),
    "sti": bytes.fromhex("fb 0f31 01c3 fa"),
    "lock": bytes.fromhex("f0ff0500000700"),
}
"""Accesses, and what stands between: each leaves what it read in EBX."""
X2APIC = bytes.fromhex("b91b000000 0f32 0d000c0000 0f30")
"""`mov ecx, 0x1b; rdmsr; or eax, 0xc00; wrmsr`."""
BY_MSR = {
    "apic id": _msr(0x802),
    "tpr": _msr(0x808),
    "tpr = 0x45": _msr(0x808, 0x45),
    "ppr": _msr(0x80A),
    "eoi": _msr(0x80B, 0),
    "current count": _msr(0x839),
    "arm": _msr(0x838, 7000),
    "irr": _msr(0x821),
}
"""What takes the place of the page in x2APIC mode."""


def _program(random: Random) -> bytes:
    """Loops, each a few accesses that come a few hundred times in a row."""
    is_x2apic = random.random() < 0.3
    page = (0xFEE0).to_bytes(2, "little")
    served = {name: body for name, body in ACCESSES.items() if page not in body}
    choice = {**served, **BY_MSR} if is_x2apic else ACCESSES
    code = START + _apic(0xF0, 0x1FF) + _apic(0x3E0, random.choice([0, 3, 11]))
    code += _apic(0x320, 0x1_0041 | random.choice([0, 1 << 17]))
    code += X2APIC if is_x2apic else b""
    for _ in range(4):
        names = random.choices(list(choice), k=random.randrange(1, 7))
        body = b"".join(choice[name] for name in names)
        times = random.randrange(3, 120).to_bytes(4, "little")
        # mov ebp, times; body; dec ebp; jnz body
        back = (-(len(body) + 7)).to_bytes(4, "little", signed=True)
        code += b"\xbd" + times + body + b"\x4d\x0f\x85" + back
    return code + bytes.fromhex("ebfe")


def _machine(code: bytes, cpus: int, costs: Costs) -> Machine:
    config = MachineConfig(
        cpus=cpus, memory=MEMORY, quantum=700, float_ports=True, costs=costs
    )
    devices = [pmtimer.device(), uart.device(), pit.device()]
    guest = flat.load(PROTECTED.ljust(0x40, b"\x90") + code, memory_bytes=MEMORY)
    return Machine(config, guest, devices)


def _cuts(random: Random, total: int) -> Iterator[int]:
    while total > 0:
        cut = min(total, random.choice([1, 7, 100, 1000, 20_000]))
        total -= cut
        yield cut


def _history(machine: Machine, cuts: Iterator[int]) -> tuple[object, ...]:
    events: list[object] = []
    for cut in cuts:
        seq = machine.log.next_seq
        stop = machine.run(cut)
        events += machine.log.since(seq)
        if stop.reason != "budget":  # an interrupt finds no IDT, and that is the end
            return stop.text, fingerprint(machine), events
    return fingerprint(machine), events


def _ways(seed: int) -> list[tuple[tuple[object, ...], int]]:
    """What a random guest comes to by blocks, whole and cut, and by instruction."""
    random = Random(seed)
    code, total = _program(random), 5000
    costs = Costs(1009, 211, 29, 101, 53) if random.random() < 0.4 else FREE
    found = []
    for way in ("whole", "cut", "count"):
        selfcheck.count_by_instruction(on=way == "count")
        machine = _machine(code, 1, costs)
        cuts = iter([total]) if way == "whole" else _cuts(Random(seed), total)
        history = _history(machine, cuts)
        found.append((history, machine.vm.core.answers.table.count))
        machine.close()
    return found


@needs_blocks
@pytest.mark.parametrize("seed", range(40))
def test_a_guest_comes_to_the_same_with_and_without_exits(seed: int) -> None:
    whole, cut, counted = _ways(seed)
    assert whole[0] == cut[0] == counted[0]
    assert counted[1] == 0


@needs_blocks
@pytest.mark.parametrize(
    "name",
    [
        "rdtsc", "rdtscp", "cpuid 1", "apic id", "version by ecx", "tpr", "ppr",
        "current count", "tpr = 0x35", "pm timer", "line status", "0x61", "float",
        "float, by immediate", "drop", "apic base", "tsc by msr", "mtrr cap",
        "fs base", "gs base = ", "kernel gs base = ",
    ],
)  # fmt: skip
def test_what_comes_again_and_again_is_answered(name: str) -> None:
    selfcheck.count_by_instruction(on=False)
    body = ACCESSES[name]
    code = START + body + b"\xe9" + (-len(body) - 5).to_bytes(4, "little", signed=True)
    machine = _machine(code, 1, FREE)
    machine.run(3000)
    size = 3 + name.startswith(("pm", "line", "float", "drop", "apic base", "cpuid"))
    least = 3000 // (size + 3) - 20
    assert machine.vm.core.answers.table.count > least


# Who wants to see an access does.


def _reading(body: bytes, **changes: object) -> Machine:
    code = START + body + b"\xe9" + (-len(body) - 5).to_bytes(4, "little", signed=True)
    machine = _machine(code, 1, FREE)
    if changes:
        machine.vm.profile = replace(machine.vm.profile, **changes)  # type: ignore[arg-type]
    machine.run(2000)
    return machine


@pytest.mark.parametrize(
    ("name", "space", "first"),
    [
        ("apic id", "mmio", 0xFEE0_0020),
        ("pm timer", "port", pmtimer.COUNT),
        ("float", "port", 0x5555),
        ("drop", "port", 0x5555),
        ("apic base", "msr", 0x1B),
    ],
)
def test_a_trap_sees_what_was_answered_before(
    name: str, space: str, first: int
) -> None:
    machine = _reading(ACCESSES[name])
    machine.trap(space, first)
    stop = machine.run(100)
    assert stop.reason == "exit"
    assert stop.retired < 10
    assert machine.pending()


def test_a_catch_stops_at_the_very_access() -> None:
    machine = _reading(ACCESSES["apic base"])
    machine.catches.add("msr", msr=0x1B)
    places = set()
    for _ in range(20):
        stop = machine.run(100)
        assert stop.reason == "catch"
        places.add(machine.vcpus[0].regs.rip)
    assert len(places) == 1


def test_the_events_of_accesses_have_their_own_times() -> None:
    machine = _reading(ACCESSES["apic base"])
    times = [logged.at for logged in machine.log.last(20)]
    # mov, rdmsr, add, add, jmp
    assert [b - a for a, b in pairwise(times)] == [5] * 19


def test_a_single_step_is_taken_behind_an_access_that_would_be_answered() -> None:
    machine = _reading(ACCESSES["rdtsc"])
    regs = machine.vcpus[0].regs
    regs.rflags |= 0x100
    machine.catches.add("exception")
    stop = machine.run(50)
    assert stop.reason == "catch"
    assert stop.retired <= 3


def test_a_way_of_another_profile_stays_an_exit() -> None:
    machine = _reading(ACCESSES["float"], in_keeps_upper_rax=False)
    assert machine.vm.core.answers.table.count == 0


def test_what_is_done_from_outside_is_read() -> None:
    """The user's hand on the APIC, between two runs, shows in the next read."""
    machine = _reading(ACCESSES["irr"])
    assert machine.vcpus[0].regs.gpr[0] == 0
    apic = machine.vcpus[0].apic
    apic.irr |= 1 << 0x41
    machine.run(20)
    assert machine.vcpus[0].regs.gpr[0] == 2
