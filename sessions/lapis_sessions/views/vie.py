"""The instruction in the making, and what could be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.disasm import disassemble
from lapis_engine.vie import state as vie
from lapis_engine.why import entry_commands
from lapis_sessions.views import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vie.state import VieState
    from lapis_engine.why.entry_commands import Tried
    from lapis_sessions.views.requests import RequestView

BITS: Final = (
    "INIT", "MMIO", "INOUT", "OTHER", "INST_FETCH", "INST_DECODE", "PENDING_MMIO",
    "PENDING_INOUT", "REPEAT", "USER_FALLBACK", "COMPLETE",
)  # fmt: skip
"""`VIES_*` from bit 0 up."""
SLOT_STATES: Final = {
    vie.VR_NONE: "none",
    vie.VR_PENDING: "pending",
    vie.VR_DONE: "done",
}


@dataclass(frozen=True, slots=True)
class MemorySlot:
    """An access to memory."""

    state: str
    """none, pending or done."""
    gpa: int
    bytes: int
    data: int


@dataclass(frozen=True, slots=True)
class PortSlot:
    """An access to a port."""

    state: str
    port: int
    bytes: int
    in_: bool
    data: int


@dataclass(frozen=True, slots=True)
class MsrSlot:
    """An access to an MSR."""

    state: str
    msr: int
    read: bool
    data: int


@dataclass(frozen=True, slots=True)
class SlotsView:
    """What the instruction asked for, and was given."""

    read: MemorySlot
    write: MemorySlot
    inout: PortSlot
    msr: MsrSlot


@dataclass(frozen=True, slots=True)
class VieView:
    """The instruction that a vCPU has in the making."""

    vcpu: int
    rip: int
    status: int
    """0 when there is none."""
    bits: tuple[str, ...]
    bytes: str
    """In hex."""
    text: str
    gpa: int
    slots: SlotsView
    request: RequestView | None
    commands: tuple[Tried, ...]
    """What would become of each entry command."""


def of(machine: Machine, number: int) -> VieView:
    """Return the instruction that a vCPU has in the making."""
    vcpu = machine.vcpu(number)
    state, regs = vcpu.vie, vcpu.regs
    lines = disassemble(state.code, regs.linear_rip, regs.code_bits, 1)
    waiting = [requests.of(r) for r in machine.pending() if r.vcpu == number]
    return VieView(
        vcpu=number,
        rip=regs.rip,
        status=state.status,
        bits=tuple(name for n, name in enumerate(BITS) if state.status >> n & 1),
        bytes=state.code.hex(),
        text=f"{lines[0].mnemonic} {lines[0].operands}".strip() if lines else "",
        gpa=state.gpa,
        slots=_slots(state),
        request=waiting[0] if waiting else None,
        commands=tuple(entry_commands.try_all(machine.vm, vcpu)),
    )


def _slots(state: VieState) -> SlotsView:
    """Return the slots: two for memory, one for ports, one for MSRs."""
    read, write = (
        MemorySlot(SLOT_STATES[slot.state], slot.gpa, slot.bytes, slot.data)
        for slot in (state.read, state.write)
    )
    port, msr = state.inout, state.msr
    asked = MsrSlot("none", 0, read=False, data=0)
    if msr is not None:
        asked = MsrSlot("pending", msr.msr, msr.read, msr.value)
    there = SLOT_STATES[port.state]
    inout = PortSlot(there, port.port, port.bytes, port.read, port.data)
    return SlotsView(read, write, inout, asked)


def text(view: VieView) -> str:
    """Return the instruction in the making, and what could be done about it."""
    head = f"vCPU {view.vcpu}, RIP {view.rip:#x}"
    if view.status:
        code = bytes.fromhex(view.bytes).hex(" ") or "not fetched"
        out = [f"{head}: {view.text}".rstrip(": "), f"bytes  {code}"]
        out += [f"status {view.status:#x}  {' '.join(view.bits)}"]
        out += _slots_text(view.slots)
    else:
        out = [f"{head}: no instruction is in the making"]
    if view.request is not None:
        out.append(f"asks   {requests.text(view.request)}")
    for each in view.commands:
        mark = "+" if each.accepted else "-"
        out.append(f"{mark} {each.command:<25} {each.why}")
    return "\n".join(out)


def _slots_text(slots: SlotsView) -> Iterator[str]:
    yield _slot("read", slots.read, slots.read.gpa, slots.read.bytes)
    yield _slot("write", slots.write, slots.write.gpa, slots.write.bytes)
    yield _slot("inout", slots.inout, slots.inout.port, slots.inout.bytes)
    yield _slot("msr", slots.msr, slots.msr.msr, None)


def _slot(
    name: str, slot: MemorySlot | PortSlot | MsrSlot, at: int, size: int | None
) -> str:
    if slot.state == "none":
        return f"{name:<6} none"
    many = f", {size} bytes" if size is not None else ""
    return f"{name:<6} {slot.state} at {at:#x}{many}, data {slot.data:#x}"
