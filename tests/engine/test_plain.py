"""Accesses that are answered where the instruction runs, without an exit.

The oracle of what they get is the device itself, asked afterwards; that of whole
guests is counting by instruction, where each access is an exit.
"""

from __future__ import annotations

import ctypes as c
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.machines import fingerprint
from rigs.plain_guests import ACCESSES, DEAR, START, interrupted, machine, ways

from lapis_engine.apic import access, timer
from lapis_engine.apic import plain as apic_plain
from lapis_engine.apic import state as apic_state
from lapis_engine.cpu import answers as table
from lapis_engine.cpu import blocks, selfcheck
from lapis_engine.devices import pit, pmtimer, uart
from lapis_engine.devices.uart.priority import identify
from lapis_engine.devices.uart.regs import IIR_NONE
from lapis_engine.plain import Plain
from lapis_engine.profiles.catalog import SDM
from lapis_engine.vmm.costs import FREE, Costs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.device import Device
    from lapis_engine.machine.machine import Machine

needs_blocks = pytest.mark.skipif(
    isinstance(blocks.find(), str), reason="the compiled part is not there"
)


@pytest.fixture(autouse=True)
def _way() -> Iterator[None]:
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
    status = device.access.read(deepcopy(device.state), 0x3FD, 1, now)
    is_settled = (identify(device.state) != IIR_NONE) == device.state.line
    is_plain = _reads_as_said(device, 0x3FD, 1, now, on)
    assert is_plain == (is_settled and not status & 2), "an overrun is read away"


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
        read = access.read_mmio(state, 0x390, 4, now, SDM)[0]
        assert read == count > 0, "but where rounding would show a tick too many"


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


@needs_blocks
@pytest.mark.parametrize("seed", range(40))
def test_a_guest_comes_to_the_same_with_and_without_exits(seed: int) -> None:
    found = ways(seed)
    assert found.whole == found.cut == found.by_instruction


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
    guest = machine(code)
    guest.run(3000)
    size = 3 + name.startswith(("pm", "line", "float", "drop", "apic base", "cpuid"))
    least = 3000 // (size + 3) - 20
    assert guest.vm.core.answers.table.count > least


# Who wants to see an access does.


def _reading(body: bytes, **changes: object) -> Machine:
    code = START + body + b"\xe9" + (-len(body) - 5).to_bytes(4, "little", signed=True)
    guest = machine(code)
    if changes:
        guest.vm.profile = replace(guest.vm.profile, **changes)  # type: ignore[arg-type]
    guest.run(2000)
    return guest


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
    guest = _reading(ACCESSES[name])
    guest.trap(space, first)
    stop = guest.run(100)
    assert stop.reason == "exit"
    assert stop.retired < 10
    assert guest.pending()


def test_a_catch_stops_at_the_very_access() -> None:
    guest = _reading(ACCESSES["apic base"])
    guest.catches.add("msr", msr=0x1B)
    places = set()
    for _ in range(20):
        stop = guest.run(100)
        assert stop.reason == "catch"
        places.add(guest.vcpus[0].regs.rip)
    assert len(places) == 1


def test_the_events_of_accesses_have_their_own_times() -> None:
    guest = _reading(ACCESSES["apic base"])
    times = [logged.at for logged in guest.log.last(20)]
    # mov, rdmsr, add, add, jmp
    assert [b - a for a, b in pairwise(times)] == [5] * 19


def test_a_single_step_is_taken_behind_an_access_that_would_be_answered() -> None:
    guest = _reading(ACCESSES["rdtsc"])
    regs = guest.vcpus[0].regs
    regs.rflags |= 0x100
    guest.catches.add("exception")
    stop = guest.run(50)
    assert stop.reason == "catch"
    assert stop.retired <= 3


def test_a_way_of_another_profile_stays_an_exit() -> None:
    guest = _reading(ACCESSES["float"], in_keeps_upper_rax=False)
    assert guest.vm.core.answers.table.count == 0


def test_what_is_done_from_outside_is_read() -> None:
    """The user's hand on the APIC, between two runs, shows in the next read."""
    guest = _reading(ACCESSES["irr"])
    assert guest.vcpus[0].regs.gpr[0] == 0
    apic = guest.vcpus[0].apic
    apic.irr |= 1 << 0x41
    guest.run(20)
    assert guest.vcpus[0].regs.gpr[0] == 2


@needs_blocks
@pytest.mark.parametrize("cut", [1, 7, 3000])
def test_what_nobody_serves_reads_ones_whatever_was_written_there(cut: int) -> None:
    """A loop of fifty reads and writes of a float address; EBX adds up what is read."""
    body = ACCESSES["float in memory"] + ACCESSES["drop in memory"]
    back = (-(len(body) + 7)).to_bytes(4, "little", signed=True)
    # mov ebp, 50; body; dec ebp; jnz body; jmp $
    code = START + b"\xbd" + (50).to_bytes(4, "little") + body
    it = machine(code + b"\x4d\x0f\x85" + back + b"\xeb\xfe")
    for _ in range(0, 3000, cut):
        it.run(cut)
    assert it.vcpus[0].regs.gpr[3] == -50 & 0xFFFF_FFFF


def test_after_a_reset_nothing_of_before_is_read() -> None:
    """A triple fault is no access, and starts the machine again within one run."""
    # and the first read after it goes to memory
    tpr = ACCESSES["tpr"]
    code = START + tpr + bytes.fromhex("a300000700") + tpr * 3 + ACCESSES["tpr = 0x35"]
    # lidt of a table without entries; ud2
    code += bytes.fromhex("0f011d00000800") + tpr * 6 + bytes.fromhex("0f0b")
    guest = machine(code, on_reset="reboot")
    guest.run(100)
    assert any(logged.event.kind == "reset" for logged in guest.log.last(50))
    assert guest.read_physical(0x7_0000, 4) == bytes(4)


@needs_blocks
@pytest.mark.parametrize("costs", [FREE, DEAR], ids=["free", "dear"])
@pytest.mark.parametrize("x2apic", [False, True])
def test_the_eoi_of_a_handler_is_answered_and_told(x2apic: bool, costs: Costs) -> None:
    """Interrupts by self IPIs: what a handler does is the same with each an exit."""
    found = []
    for way in ("blocks", "count"):
        selfcheck.count_by_instruction(on=way == "count")
        guest = interrupted(costs, x2apic=x2apic)
        guest.run(4000)
        ended = [e.at for e in guest.log.last(3000) if e.event.kind == "eoi"]
        found.append((fingerprint(guest), ended))
        answered = guest.vm.core.answers.table.count
        assert (answered > len(ended) - 3) == (way == "blocks")
    assert found[0] == found[1]
    assert len(found[0][1]) > 100
