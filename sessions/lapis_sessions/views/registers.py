"""The registers of a vCPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import GPR_NAMES, SEGMENT_NAMES
from lapis_sessions.plain import FLAT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.machine.machine import Machine

GPR_ROWS: Final = (
    ("rax", "rbx", "rcx", "rdx"), ("rsi", "rdi", "rbp", "rsp"),
    ("r8", "r9", "r10", "r11"), ("r12", "r13", "r14", "r15"),
    ("rip", "rflags", "efer", "cr0"), ("cr2", "cr3", "cr4", "dr7"),
)  # fmt: skip
SEGMENTS: Final = ("cs", "ss", "ds", "es", "fs", "gs", "tr", "ldtr")


@dataclass(frozen=True, slots=True)
class RegistersView:
    """The registers of one vCPU."""

    vcpu: int
    mode: str
    """real, protected, compat or long."""
    cpl: int
    regs: Mapping[str, int] = field(metadata=FLAT)
    """As `values` names them."""


def of(machine: Machine, number: int) -> RegistersView:
    """Return the registers of a vCPU."""
    it = machine.vcpu(number)
    return RegistersView(it.id, it.regs.mode, it.regs.cpl, values(it.regs))


def values(regs: Registers) -> dict[str, int]:
    """Return every register by name; hidden parts are `cs.base`, `gdtr.limit` ..."""
    found = dict(zip(GPR_NAMES, map(int, regs.gpr), strict=True))
    found |= {"rip": regs.rip, "rflags": regs.rflags}
    segments = {name: regs.segment(i) for i, name in enumerate(SEGMENT_NAMES)}
    for name, segment in (segments | {"ldtr": regs.ldtr, "tr": regs.tr}).items():
        found[name] = segment.selector
        found[f"{name}.base"] = segment.base
        found[f"{name}.limit"] = segment.limit
        found[f"{name}.flags"] = segment.flags
    for name, table in (("gdtr", regs.gdtr), ("idtr", regs.idtr)):
        found[f"{name}.base"], found[f"{name}.limit"] = table.base, table.limit
    found |= {"cr0": regs.cr0, "cr2": regs.cr2, "cr3": regs.cr3, "cr4": regs.cr4}
    found["efer"] = regs.efer
    return found | {f"dr{n}": int(regs.dr[n]) for n in (0, 1, 2, 3, 6, 7)}


def text(view: RegistersView) -> str:
    """Return the registers of one vCPU in rows."""
    regs = view.regs
    out = [f"vCPU {view.vcpu}, {view.mode} mode, CPL {view.cpl}"]
    out += [
        "  ".join(f"{name:<6} {regs[name]:016x}" for name in names)
        for names in GPR_ROWS
    ]
    for name in SEGMENTS:
        out.append(
            f"{name:<6} {regs[name]:04x}  base {regs[f'{name}.base']:016x}  "
            f"limit {regs[f'{name}.limit']:08x}  flags {regs[f'{name}.flags']:08x}"
        )
    for name in ("gdtr", "idtr"):
        base, limit = regs[f"{name}.base"], regs[f"{name}.limit"]
        out.append(f"{name:<6}       base {base:016x}  limit {limit:08x}")
    return "\n".join(out)
