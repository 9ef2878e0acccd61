"""How a scenario writes what came of an act: a fault, an exit record, a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.vmm import exits

if TYPE_CHECKING:
    from conformance.rig import Done

FAULTS = {6: "#UD", 13: "#GP", 14: "#PF"}


def exit_words(out: exits.Exit | None) -> str:  # noqa: C901, PLR0912 - exits
    """Write an exit record in short; nothing for one that is the schedule's."""
    match out:
        case None | exits.Bogus():
            return ""
        case exits.InstEmul():
            return f"INST_EMUL {len(out.inst)} {out.inst[:2].hex()}".rstrip()
        case exits.SpinupAp():
            return f"SPINUP_AP {out.vcpu} {out.rip:#x}"
        case exits.IpiExit():
            return f"IPI {out.mode} {out.vector:#x} {','.join(map(str, out.cpuset))}"
        case exits.Inout():
            kind, tail = ("in", "") if out.read else ("out", f" {out.eax:#x}")
            return f"INOUT {kind} {out.bytes} {out.port:#x}{tail}"
        case exits.Rdmsr():
            return f"RDMSR {out.msr:#x}"
        case exits.Wrmsr():
            return f"WRMSR {out.msr:#x} {out.value:#x}"
        case exits.Errno():
            return f"ERRNO {out.errno}"
        case exits.EngineFaultExit():
            return f"PANIC {out.text}"
        case exits.Mmio():
            kind = "read" if out.read else "write"
            return f"MMIO {kind} {out.bytes} {out.gpa:#x} {out.data:#x}"
        case exits.RunState():
            return f"RUN_STATE {out.state:#x}"
        case exits.SuspendedExit():
            return f"SUSPENDED {out.how}"
        case _:
            return out.code


def outcome(done: Done) -> str:
    """Write what became of an act: a fault, an exit, or nothing."""
    if done.fault is not None:
        return FAULTS.get(done.fault, f"#{done.fault}")
    return exit_words(done.exit)


def valued(done: Done, value: int) -> str:
    return outcome(done) or f"{value:#x}"
