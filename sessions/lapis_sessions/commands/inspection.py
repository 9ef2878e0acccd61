"""Commands that look and change nothing, but `mem --touch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.errors import UnmappedError
from lapis_engine.machine.log import KEPT
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import apic as apic_view
from lapis_sessions.views import cpuid as cpuid_view
from lapis_sessions.views import events as events_view
from lapis_sessions.views import machine as machine_view
from lapis_sessions.views import memory as memory_view
from lapis_sessions.views import registers, requests
from lapis_sessions.views.folding import fold
from lapis_sessions.views.memory import MemoryView

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.apic import ApicView
    from lapis_sessions.views.cpuid import CpuidView
    from lapis_sessions.views.events import EventView
    from lapis_sessions.views.machine import VcpuView
    from lapis_sessions.views.memory import InstructionView, RangeView
    from lapis_sessions.views.registers import RegistersView
    from lapis_sessions.views.requests import RequestView

MOST_BYTES = 1 << 20
MOST_TOUCHED = 1 << 12
"""Bytes that `mem --touch` reads."""
MOST_LINES = 10_000
VCPU = Argument("vcpu", "vcpu")


def vcpus(session: Session, _bound: Bound) -> list[VcpuView]:
    """Return one row per vCPU."""
    machine, places = session.machine, session.symbols.places
    return [machine_view.vcpu(machine, each.id, places) for each in machine.vcpus]


def regs(session: Session, bound: Bound) -> RegistersView:
    """Return the registers of a vCPU."""
    return registers.of(session.machine, bound.number("vcpu", session.selected))


def apic(session: Session, bound: Bound) -> ApicView:
    """Return the local APIC of a vCPU."""
    return apic_view.of(session.machine, bound.number("vcpu", session.selected))


def cpuid(session: Session, bound: Bound) -> list[CpuidView]:
    """Return what CPUID answers on the chosen vCPU: one leaf, or all of them."""
    found = (bound.number("leaf"), bound.number("sub", 0)) if "leaf" in bound else None
    return cpuid_view.of(session.machine, session.selected, found)


def pending(session: Session, _bound: Bound) -> list[RequestView]:
    """Return what waits for an answer."""
    return [requests.of(request) for request in session.machine.pending()]


def events(session: Session, bound: Bound) -> list[EventView]:
    """Return the last events, repetitions folded unless --all."""
    count = bound.number("count", 20)
    log = session.machine.log
    if "all" in bound:
        return [events_view.of(logged) for logged in log.last(count)]
    rows = fold(log.last(KEPT))
    rows = rows[max(len(rows) - count, 0) :]
    return [events_view.of(row.logged, row.times) for row in rows]


def memory(session: Session, bound: Bound) -> MemoryView:
    """Return bytes as the selected vCPU, or the bus, sees them."""
    at, size = bound.number("address"), bound.number("length", 64)
    if not 1 <= size <= MOST_BYTES:
        raise CommandError(f"mem: length {size}: it must be 1 to {MOST_BYTES}")
    machine = session.machine
    if "touch" in bound:
        return _touched(session, at, size, physical="physical" in bound)
    if "physical" in bound:
        data = machine.read_physical(at, size)
    else:
        data = machine.read_memory(session.selected, at, size)
    return MemoryView(at, data.hex())


def _touched(session: Session, at: int, size: int, *, physical: bool) -> MemoryView:
    """Read through the bus, as the guest would, and tell what was touched."""
    if size > MOST_TOUCHED:
        raise CommandError(
            f"mem: length {size}: with --touch it must be 1 to {MOST_TOUCHED}"
        )
    found = session.machine.touch(session.selected, at, size, physical=physical)
    return memory_view.touched(at, found)


def disassemble(session: Session, bound: Bound) -> list[InstructionView]:
    """Return instructions in the mode of the selected vCPU."""
    count = bound.number("count", 10)
    if not 1 <= count <= MOST_LINES:
        raise CommandError(f"disas: count {count}: it must be 1 to {MOST_LINES}")
    rip = session.machine.vcpu(session.selected).regs.linear_rip
    at = bound.number("address", rip)
    lines = session.machine.disassemble(session.selected, at, count)
    if not lines:
        raise UnmappedError(at, 1)
    return memory_view.instructions(lines, rip, session.symbols.places)


def memory_map(session: Session, _bound: Bound) -> list[RangeView]:
    """Return who serves which addresses."""
    return memory_view.memory_map(session.machine)


COMMANDS = (
    Command(
        "vcpus", "list the vCPUs with state, mode and RIP", "read-only",
        vcpus, machine_view.vcpus_text, (), ("info threads", "info cpus", "~"),
    ),
    Command(
        "regs", "show the registers of a vCPU", "read-only",
        regs, registers.text, (VCPU,), ("registers", "info registers", "i r"),
    ),
    Command(
        "apic", "show the local APIC of a vCPU", "read-only",
        apic, apic_view.text, (VCPU,), ("lapic", "info lapic", "info apic"),
    ),
    Command(
        "cpuid",
        "show what CPUID answers on the vCPU that is chosen: all leaves, or LEAF with "
        "sub-leaf SUB (0)",
        "read-only", cpuid, cpuid_view.text,
        (Argument("leaf", "value"), Argument("sub", "value")), ("info cpuid",),
    ),
    Command(
        "pending", "list the requests that wait for an answer", "read-only",
        pending, requests.pending_text, (), ("pend",),
    ),
    Command(
        "events",
        "show the last COUNT events (20); what repeats counts once, unless --all",
        "read-only",
        events, events_view.text,
        (Argument("count", "count"), Argument("all", "flag", option=True)), ("log",),
    ),
    Command(
        "mem",
        "show LENGTH (64) bytes of memory; linear unless --physical; never a device "
        "access but with --touch, which reads devices as the guest would: that is an "
        "act, recorded as others are",
        "mutating", memory, memory_view.text,
        (
            Argument("address", "address", required=True),
            Argument("length", "count"),
            Argument("physical", "flag", option=True),
            Argument("touch", "flag", option=True, acts=True),
        ),
        ("x", "memory"),
    ),
    Command(
        "disas", "disassemble COUNT (10) instructions from ADDRESS or from RIP",
        "read-only", disassemble, memory_view.disassembly_text,
        (Argument("address", "address"), Argument("count", "count")),
        ("u", "disassemble"),
    ),
    Command(
        "map", "show who serves which addresses and ports", "read-only",
        memory_map, memory_view.map_text, (), ("mtree", "info mtree"),
    ),
)  # fmt: skip
