"""Accesses that the processor answers itself, and what comes of them later.

What a plain register gives is put where the instruction runs (`cpu.answers`). It is
forgotten with whatever else happens, and an access that somebody wants to see stays an
exit: a trap, a catch, a lint, a search, a profile with ways of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import plain as apic
from lapis_engine.apic import state as apic_state
from lapis_engine.cpu.answers import NEVER, OWN_REGISTERS, Cpuid, OwnRegister, Place
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.intercepts import (
    CPUID,
    HLT,
    MSR,
    PAUSE,
    RDTSC,
    RDTSCP,
    Breakpoint,
    Budget,
    Faulted,
    Hole,
    HwExit,
    Intercepted,
    PortAccess,
    SoftwareInterrupt,
    Watched,
    Window,
)
from lapis_engine.cpu.registers import RAX, RCX
from lapis_engine.devices.device import Device
from lapis_engine.events import MsrAccessed
from lapis_engine.plain import Plain, PlainWrite
from lapis_engine.units import MASK32, MASK64, NS
from lapis_engine.vmm import address_map, bus, clock, cpuid, fabric, msr
from lapis_engine.vmm.costs import FREE
from lapis_engine.vmm.traps import hits

if TYPE_CHECKING:
    from lapis_engine.cpu.answers import Answer, Note
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Run, Vm

QUIET: Final = (Budget, Window, Faulted, SoftwareInterrupt, Breakpoint, Watched)
"""Reports after which registers still read as before."""
QUIET_CODES: Final = frozenset({RDTSC, RDTSCP, PAUSE, HLT})


def begin(vm: Vm, vcpu: Vcpu) -> None:
    """Tell the processor the time at which it starts, and what comes due."""
    answers = vm.core.answers
    answers.begin(vm.now, vcpu.tsc_offset)
    if vm.costs is not FREE:
        table = answers.table
        table.spent, table.tsc_cost = 0, vm.costs.rdtsc
        due = clock.due(vm)
        table.due = NEVER if due is None else due


def expect_eoi(vm: Vm, vcpu: Vcpu) -> None:
    """Have the EOI answered that a vCPU in a handler will write, if it is plain."""
    answers, apic_now = vm.core.answers, vcpu.apic
    if not answers.is_there:
        return
    if apic_state.mode(apic_now) == "x2apic":
        place = Place("msr", apic.EOI_MSR, write=True)
    else:
        gpa = apic_state.base(apic_now) + apic.EOI
        place = Place("mmio", gpa, apic.SIZE, write=True)
    if answers.knows(vcpu.regs.context, place):
        return
    answer = _answer(vm, vcpu, place)
    if answer is not None:
        cost = getattr(vm.costs, place.space)
        answers.put(
            vcpu.regs.context, place, answer, noted=True, cost=cost, expected=True
        )


def is_answered(run: Run, hw: HwExit) -> bool:
    """Put the answer to an access where it runs, if it is plain and comes again.

    Then the instruction at RIP is to be run once more. Whatever is not plain has the
    answers forgotten.
    """
    vm, vcpu = run.vm, run.vcpu
    answers = vm.core.answers
    if not answers.is_there or isinstance(hw, QUIET):
        return False
    if isinstance(hw, Intercepted) and hw.code in QUIET_CODES:
        return False
    place = _place(run, hw)
    if place is None or answers.is_dull(place):
        answers.forget()
        return False
    answer = _answer(vm, vcpu, place)
    if answer is None:
        answers.forget()
        answers.pass_by(place)
        return False
    context = vcpu.regs.context
    is_noted = place.space == "msr" or (place.write and answer is not DROPPED)
    cost = getattr(vm.costs, place.space)
    if answers.put(context, place, answer, noted=is_noted, cost=cost):
        return True
    if place.write and is_noted:
        answers.forget_reads(context)
    return False


def _place(run: Run, hw: HwExit) -> Place | None:
    """Return what an exit accesses, if it is an access at all."""
    gpr = run.vcpu.regs.gpr
    match hw:
        case Hole():
            if hw.access == "fetch":
                return None
            return Place("mmio", hw.gpa, hw.size, hw.access == "write")
        case PortAccess():
            return Place("port", hw.port, hw.size, hw.write)
        case Intercepted(code=code) if code == CPUID:
            return Place("cpuid", (gpr[RAX] & MASK32) << 32 | gpr[RCX] & MASK32)
        case Intercepted(code=code) if code == MSR:
            return Place("msr", gpr[RCX] & MASK32, write=bool(hw.error))
        case _:
            return None


def _answer(vm: Vm, vcpu: Vcpu, place: Place) -> Answer | None:
    """Return what an access gets by itself, or None if somebody must see it."""
    if vm.profile.vie_table != "all" or vcpu.regs.is_armed:
        return None
    match place.space:
        case "port":
            return _port(vm, place)
        case "mmio":
            return _mmio(vm, vcpu, place)
        case "msr":
            return _msr(vm, vcpu, place)
        case "cpuid":
            found = cpuid.answer(vm, vcpu, place.address >> 32, place.address & MASK32)
            return Cpuid(*found)


DROPPED: Final = PlainWrite(0, MASK32, kept=0)
"""A write of which nobody takes note."""


def _port(vm: Vm, place: Place) -> Answer | None:
    port, size = place.address, place.size
    profile = vm.profile
    if profile.inout_sizes == "doubled" or not profile.in_keeps_upper_rax:
        return None
    if hits(vm.traps.port, port, size) or (
        vm.heard_ports and _is_heard(vm, port, size)
    ):
        return None
    device = vm.ports.find(port)
    if device is None:
        if not vm.float_ports:
            return None
        return DROPPED if place.write else Plain((1 << (8 * size)) - 1)
    if place.write:
        if size != 1 or device.plain_write is None:
            return None
        return _unwatched(vm, device.plain_write(device.state, port, size, vm.now))
    if device.plain is None:
        return None
    return device.plain(device.state, port, size, vm.now)


def _is_heard(vm: Vm, port: int, size: int) -> bool:
    return any(
        port < first + length and first < port + size
        for first, length in vm.heard_ports
    )


def _unwatched(vm: Vm, answer: PlainWrite | None) -> PlainWrite | None:
    """Leave out what somebody may stop at when it is printed."""
    ends = {each.last for each in vm.printing}
    if answer is None or not ends:
        return answer
    end = ends.pop()
    return None if ends or end is None else replace(answer, but=end)


def _mmio(vm: Vm, vcpu: Vcpu, place: Place) -> Answer | None:
    gpa, size, profile = place.address, place.size, vm.profile
    if profile.vie_walk_lax or hits(vm.traps.mmio, gpa, size):
        return None
    server = address_map.mmio(vm, vcpu, gpa)
    if server is None and vm.float_mmio:
        return DROPPED if place.write else Plain((1 << (8 * size)) - 1)
    if isinstance(server, int):
        if apic_state.mode(vcpu.apic) != "xapic":
            return None
        if place.write:
            return apic.write_mmio(vcpu.apic, server) if size == apic.SIZE else None
        return apic.read_mmio(vcpu.apic, server, size, vm.now, profile)
    if place.write or not isinstance(server, Device) or server.plain is None:
        return None
    return server.plain(server.state, gpa, size, vm.now)


def _msr(vm: Vm, vcpu: Vcpu, place: Place) -> Answer | None:
    number, profile = place.address, vm.profile
    if hits(vm.traps.msr, number, 1):
        return None
    if number in OWN_REGISTERS:
        is_there = msr.is_known(number, profile, vm.cpu.model)
        return OwnRegister(OWN_REGISTERS[number]) if is_there else None
    if profile.unknown_msr_exits and not msr.is_known(number, profile, vm.cpu.model):
        return None
    if place.write:
        is_x2apic = apic_state.mode(vcpu.apic) == "x2apic"
        if not is_x2apic or not msr.is_x2apic(number):
            return None
        return apic.write_msr(vcpu.apic, number)
    if msr.is_x2apic(number):
        return apic.read_msr(vcpu.apic, number, vm.now, profile)
    if number == msr.TSC:
        return Plain(vcpu.tsc_offset & MASK64, numerator=vm.tsc_hz, denominator=NS)
    value = msr.read(vcpu, number, vm.now, clock.tsc(vm), profile, vm.cpu.model)
    return None if isinstance(value, Breach) else Plain(value)


# What was answered, and is noted.


def account(run: Run, retired: int) -> None:
    """Let `retired` instructions pass, and do what they did that was answered.

    What they took beside is paid at the end: nothing came due before (`clock.charge`).
    """
    vm = run.vm
    answers = vm.core.answers
    if not answers.has_notes and vm.costs is FREE:
        clock.account(run, retired)
        return
    spent, done = answers.table.spent, 0
    for note in answers.notes():
        clock.account(run, note.before - done)
        done = note.before
        vm.now += note.spent
        _take(run, note)
        vm.now -= note.spent
    clock.account(run, retired - done)
    if spent:
        clock.charge(run, spent)


def _take(run: Run, note: Note) -> None:
    """Do for the machine what one access did."""
    vm, vcpu = run.vm, run.vcpu
    if note.space != "msr":
        seen = bus.untrapped(vm, vcpu, "normal")
        if note.space == "port":
            seen.port_out(note.address, 1, note.value)
        else:
            seen.write(note.address, apic.SIZE, note.value)
        return
    number, value = note.address, note.value
    event = MsrAccessed(vcpu.id, number, note.write, value, fault=False)
    if not note.write or number in OWN_REGISTERS:
        vm.note(event)
        return
    time = msr.Clock(vm.now, clock.tsc(vm), vm.tsc_hz)
    outcome = msr.write(vcpu, number, value, time, vm.profile, vm.cpu.model)
    assert not isinstance(outcome, Breach), "a plain write is not refused"
    vm.note(event)
    vm.now += 1  # as behind an exit, what it sets off comes when it has retired
    fabric.route(vm, outcome, "critical")
    vm.now -= 1
