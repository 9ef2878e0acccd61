"""The state of a machine as plain data that JSON can hold.

The field names are a contract of `lapis exec --json`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from lapis_engine import explain
from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import icr_text
from lapis_engine.apic.regs import LVTS
from lapis_engine.cause import sentence
from lapis_engine.cpu.registers import GPR_NAMES, SEGMENT_NAMES
from lapis_engine.explain.apic import lvt_text
from lapis_engine.explain.events import describe
from lapis_engine.vmm import exits

if TYPE_CHECKING:
    from lapis_engine.apic.state import ApicState
    from lapis_engine.cpu.disasm import Line
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.events import IpiSent, Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.machine.stop import Stop

Json = dict[str, Any]
WHERE = {"inout": "port", "msr": "msr"}
"""Kind of a request -> name of its address, where that is not gpa."""
LVT_CMCI = 6
"""LVT index of CMCI: it is there when VERSION[23:16] says so."""
CAUSES = frozenset({"dropped", "latched"})
"""Fields of events that say why not; shown as the sentence, which may be empty."""


def stop(record: Stop) -> Json:
    """Return why a run or a step came back."""
    view: Json = {
        "stop": record.reason,
        "retired": record.retired,
        "vcpu": record.vcpu,
        "text": record.text,
    }
    if record.exit is not None:
        view["exit"] = exits.to_dict(record.exit)
    return view


def vcpu(machine: Machine, number: int) -> Json:
    """Return the row of a vCPU."""
    it = machine.vcpu(number)
    return {
        "id": number,
        "state": machine.vcpu_state(number),
        "run_state": it.run_state,
        "mode": it.regs.mode,
        "rip": it.regs.rip,
        "retired": it.retired,
    }


def registers(regs: Registers) -> dict[str, int]:
    """Return every register by name; hidden parts are `cs.base`, `gdtr.limit` ..."""
    values = dict(zip(GPR_NAMES, map(int, regs.gpr), strict=True))
    values |= {"rip": regs.rip, "rflags": regs.rflags}
    segments = {name: regs.segment(i) for i, name in enumerate(SEGMENT_NAMES)}
    for name, segment in (segments | {"ldtr": regs.ldtr, "tr": regs.tr}).items():
        values[name] = segment.selector
        values[f"{name}.base"] = segment.base
        values[f"{name}.limit"] = segment.limit
        values[f"{name}.flags"] = segment.flags
    for name, table in (("gdtr", regs.gdtr), ("idtr", regs.idtr)):
        values[f"{name}.base"], values[f"{name}.limit"] = table.base, table.limit
    values |= {"cr0": regs.cr0, "cr2": regs.cr2, "cr3": regs.cr3, "cr4": regs.cr4}
    values["efer"] = regs.efer
    return values | {f"dr{n}": int(regs.dr[n]) for n in (0, 1, 2, 3, 6, 7)}


def apic(machine: Machine, number: int) -> Json:
    """Return the local APIC of a vCPU."""
    state = machine.vcpu(number).apic
    mode = apic_state.mode(state)
    return {
        "vcpu": number,
        "mode": mode,
        "id": apic_state.apic_id(state),
        "apicbase": state.apicbase,
        "tpr": state.tpr,
        "ppr": state.ppr,
        "isr": priority.vectors(state.isr),
        "irr": priority.vectors(state.irr),
        "tmr": priority.vectors(state.tmr),
        "icr": {
            "raw": state.icr,
            "text": icr_text(state.icr, x2apic=mode == "x2apic"),
        },
        "svr": state.svr,
        "esr": state.esr,
        "ldr": apic_state.logical_id(state),
        "dfr": state.dfr,
        "lvt": lvts(state, machine.config.profile.apic_version),
        "timer": {
            "initial": state.timer_initial,
            "divide": state.timer_divide,
            "deadline": state.timer_deadline,
        },
    }


def lvts(state: ApicState, version: int) -> dict[str, Json]:
    """Return the LVT registers that this APIC has, by short name."""
    has_cmci = (version >> 16) & 0xFF >= LVT_CMCI
    found = {}
    for name in LVTS:
        if name != "lvt_cmci" or has_cmci:
            raw = int(getattr(state, name))
            is_timer = name == "lvt_timer"
            text = explain.explain("lvt", raw).text if is_timer else lvt_text(raw)
            found[name.removeprefix("lvt_")] = {"raw": raw, "text": text}
    return found


def pending(request: PendingRequest) -> Json:
    """Return a request that waits for an answer."""
    return {
        "vcpu": request.vcpu,
        "kind": request.kind,
        "read": request.read,
        WHERE.get(request.kind, "gpa"): request.address,
        "bytes": request.bytes,
        "data": request.data,
    }


def event(logged: Logged, times: int = 1) -> Json:
    """Return an event, the first of `times` alike; `text` is the whole description."""
    record = logged.event
    view: Json = {"seq": logged.seq, "at": logged.at, "vcpu": record.vcpu}
    view["kind"] = record.kind
    view |= {"text": describe(record), "times": times}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in CAUSES:
            value = sentence(value)
        view.setdefault(field.name, list(value) if isinstance(value, tuple) else value)
    return view


def ipi(sent: IpiSent) -> Json:
    """Return an IPI of the user's and its fate."""
    return {
        "icr": sent.icr,
        "mode": sent.mode,
        "text": sent.text,
        "from": sent.vcpu,
        "targets": list(sent.targets),
        "dropped": sentence(sent.dropped),
    }


def instruction(line: Line, rip: int, symbol: str) -> Json:
    """Return one disassembled instruction; `rip` is linear."""
    view: Json = {
        "linear": line.linear,
        "bytes": line.code.hex(),
        "mnemonic": line.mnemonic,
        "operands": line.operands,
        "current": line.linear == rip,
    }
    return view | {"symbol": symbol} if symbol else view


def memory_map(machine: Machine) -> list[Json]:
    """Return who serves which addresses and ports, ascending."""
    rows = [
        {"space": "memory", "first": r.gpa, "last": r.end - 1, "name": r.name}
        for r in machine.vm.memory.regions
    ]
    for device in machine.vm.devices:
        for space, ranges in (("memory", device.mmio), ("port", device.ports)):
            rows += [
                {
                    "space": space,
                    "first": r.first,
                    "last": r.first + r.size - 1,
                    "name": device.name,
                }
                for r in ranges
            ]
    return sorted(rows, key=lambda row: (row["space"], row["first"], row["name"]))
