"""Traps, rules, requests and the instruction in the making as plain data.

The field names are a contract of `lapis exec --json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.cpu.disasm import disassemble
from lapis_engine.events import Answered
from lapis_engine.vie import state as vie
from lapis_engine.vmm import address_map
from lapis_engine.why import entry_commands
from lapis_sessions.views import machine as views

if TYPE_CHECKING:
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vie.state import VieState
    from lapis_engine.vmm.guest_memory import Touched
    from lapis_engine.vmm.traps import Trap
    from lapis_engine.vmm.vm import Vm
    from lapis_sessions.rules.rule import Rule

    Json = dict[str, Any]

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


def trap(vm: Vm, it: Trap) -> Json:
    """Return a trap, with who would serve its first address."""
    return {
        "number": it.number,
        "space": it.space,
        "first": it.first,
        "size": it.size,
        "serves": address_map.trapped_server(vm, it) or "",
    }


def rule(it: Rule) -> Json:
    """Return a rule, and what has become of it."""
    return {
        "number": it.number,
        "text": it.text,
        "how": it.how.kind,
        "state": it.state,
        "answered": it.answered,
        "disabled": it.disabled,
        "last": [{"request": a.request, "given": a.given} for a in it.last],
    }


def vie_context(machine: Machine, number: int) -> Json:
    """Return the instruction that a vCPU has in the making."""
    vcpu = machine.vcpu(number)
    state, regs = vcpu.vie, vcpu.regs
    lines = disassemble(state.code, regs.linear_rip, regs.code_bits, 1)
    waiting = [r for r in machine.pending() if r.vcpu == number]
    return {
        "vcpu": number,
        "rip": regs.rip,
        "status": state.status,
        "bits": [name for n, name in enumerate(BITS) if state.status >> n & 1],
        "bytes": state.code.hex(),
        "text": f"{lines[0].mnemonic} {lines[0].operands}".strip() if lines else "",
        "gpa": state.gpa,
        "slots": _slots(state),
        "request": views.pending(waiting[0]) if waiting else None,
        "commands": [
            each._asdict() for each in entry_commands.try_all(machine.vm, vcpu)
        ],
    }


def _slots(state: VieState) -> Json:
    """Return the slots: two for memory, one for ports, one for MSRs."""
    found: Json = {
        name: {
            "state": SLOT_STATES[slot.state],
            "gpa": slot.gpa,
            "bytes": slot.bytes,
            "data": slot.data,
        }
        for name, slot in (("read", state.read), ("write", state.write))
    }
    port, msr = state.inout, state.msr
    found["inout"] = {
        "state": SLOT_STATES[port.state],
        "port": port.port,
        "bytes": port.bytes,
        "in": port.read,
        "data": port.data,
    }
    found["msr"] = {
        "state": "none" if msr is None else "pending",
        "msr": 0 if msr is None else msr.msr,
        "read": msr is not None and msr.read,
        "data": 0 if msr is None else msr.value,
    }
    return found


def history(machine: Machine, count: int) -> list[Json]:
    """Return the last `count` requests, those that wait still at the end."""
    rows = [
        _answered(logged, logged.event)
        for logged in machine.log.last(machine.log.next_seq)
        if isinstance(logged.event, Answered) and logged.event.what
    ]
    rows += [
        {"seq": None, "at": None} | views.pending(request)
        | {"by": "", "command": "", "value": None, "text": ""}
        for request in machine.pending()
    ]  # fmt: skip
    return rows[max(len(rows) - count, 0) :]


def _answered(logged: Logged, event: Answered) -> Json:
    return {
        "seq": logged.seq,
        "at": logged.at,
        "vcpu": event.vcpu,
        "kind": event.what,
        "read": event.read,
        views.WHERE.get(event.what, "gpa"): event.address,
        "bytes": event.bytes,
        "data": event.data,
        "by": event.by,
        "command": event.command,
        "value": event.value,
        "text": event.text,
    }


def touched(at: int, found: Touched) -> Json:
    """Return bytes, and the device accesses that they cost."""
    accesses = [access._asdict() for access in found.accesses]
    return {"address": at, "bytes": found.data.hex(), "touched": accesses}
