"""What a line of a scenario can look at; nothing here changes the machine."""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING

from lapis_engine.apic import access
from lapis_engine.apic import state as apic_state
from lapis_engine.cause import sentence
from lapis_engine.cpu.registers import GPR_NAMES, SEGMENT_NAMES
from lapis_engine.events import (
    EngineFault,
    ExtIntDelivered,
    IoapicEnded,
    NmiDelivered,
    Oddity,
    VectorDelivered,
)
from lapis_engine.vmm import unreached

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.script import Script

BANKS = ("isr", "irr", "tmr")


def _vectors(bits: int) -> str:
    return " ".join(f"{vector:#x}" for vector in range(256) if bits >> vector & 1)


def delivered(s: Script, n: int) -> str:
    """What entered the processor in the last act."""
    found = []
    for event in s.rig.events(s.since):
        if event.vcpu != n:
            continue
        match event:
            case VectorDelivered():
                found.append(f"{event.vector:#x}")
            case NmiDelivered():
                found.append("nmi")
            case ExtIntDelivered():
                found.append(f"extint-{event.vector:#x}")
            case _:
                pass
    return " ".join(found)


def bank(name: str) -> Callable[[Script, int], str]:
    return lambda s, n: _vectors(getattr(s.vcpu(n).apic, name))


def field(s: Script, n: int, name: str) -> str:
    """A field of the state of the APIC."""
    value = getattr(s.vcpu(n).apic, name)
    return "none" if value is None else f"{value:#x}"


def peek(s: Script, n: int, at: str) -> str:
    """A register without side effects, in any mode."""
    vm = s.rig.vm
    return f"{access.peek(s.vcpu(n).apic, int(at, 0), vm.now, vm.profile):#x}"


def run_state(s: Script, n: int) -> str:
    vcpus = s.rig.machine.vcpus if n < 0 else [s.vcpu(n)]
    return " ".join(hex(v.run_state) for v in vcpus)


def timer(s: Script, n: int) -> str:
    """How many ns the timer still runs, or stopped."""
    due = s.vcpu(n).apic.timer_deadline
    return "stopped" if due is None else str(due - s.rig.vm.now)


def pending(s: Script, n: int) -> str:
    """What waits beside the IRR: nmi, extint, an exception."""
    vcpu = s.vcpu(n)
    found = {
        "nmi": vcpu.nmi_pending,
        "extint": vcpu.extint_pending,
        "exception": vcpu.event is not None,
    }
    return " ".join(name for name, there in found.items() if there)


def cs_rip(s: Script, n: int) -> str:
    """CS selector, CS base, RIP."""
    regs = s.vcpu(n).regs
    cs = regs.segment(1)
    return f"{cs.selector:#x} {cs.base:#x} {regs.rip:#x}"


def handler(s: Script, n: int) -> str:
    """Vector of the handler that has just been entered, at 0xB000 + 16 * vector."""
    return f"{(s.vcpu(n).regs.rip - 0xB000) >> 4:#x}"


def reg(s: Script, n: int, name: str) -> str:
    """A register, or several of them: cr0, efer, rip, rflags, dr6, rdx, others.

    `others` is all general-purpose registers but RDX, or-ed.
    """
    regs = s.vcpu(n).regs
    if name == "others":
        return hex(functools.reduce(operator.or_, [*regs.gpr[:2], *regs.gpr[3:]]))
    if name in GPR_NAMES:
        return f"{regs.gpr[GPR_NAMES.index(name)]:#x}"
    if name.startswith("dr"):
        return f"{regs.dr[int(name[2:])]:#x}"
    return f"{getattr(regs, name):#x}"


def seg(s: Script, n: int, name: str) -> str:
    """Selector, base, limit and access byte; base and limit for GDTR and IDTR."""
    regs = s.vcpu(n).regs
    if name in SEGMENT_NAMES:
        it = regs.segment(SEGMENT_NAMES.index(name))
    else:
        it = getattr(regs, name)
    words = f"{it.base:#x} {it.limit:#x}"
    if name in {"gdtr", "idtr"}:
        return words
    return f"{it.selector:#x} {words} {it.flags >> 8 & 0xFF:#x}"


def faults(s: Script, _n: int) -> str:
    """What panicked, since the machine was made."""
    found = [e.text for e in s.rig.events(0) if isinstance(e, EngineFault)]
    return "; ".join(found)


def oddities(s: Script, _n: int) -> str:
    """Names of what was odd in the last act."""
    found = [e.name for e in s.rig.events(s.since) if isinstance(e, Oddity)]
    return "; ".join(found)


def ioapic_eois(s: Script, _n: int) -> str:
    """Pins of the IOAPIC that the last act ended; + where the line still asserts."""
    found = [e for e in s.rig.events(s.since) if isinstance(e, IoapicEnded)]
    return " ".join(f"{e.pin}{'+' * e.again}" for e in found)


def mode(s: Script, n: int) -> str:
    return apic_state.mode(s.vcpu(n).apic)


def active(s: Script, _n: int) -> str:
    """Numbers of the vCPUs that have been started."""
    return " ".join(str(v.id) for v in s.rig.machine.vcpus if v.active)


LOOKS: dict[str, Callable[..., str]] = {
    **{name: bank(name) for name in BANKS},
    "delivered": delivered,
    "field": field,
    "peek": peek,
    "run-state": run_state,
    "sipi-vector": lambda s, n: hex(s.vcpu(n).sipi_vector),
    "timer": timer,
    "pending": pending,
    "cs-rip": cs_rip,
    "rip-in-handler": handler,
    "advanced": lambda s, n: str(s.vcpu(n).regs.rip & 0xFFF),
    "halted": lambda s, n: "yes" if s.vcpu(n).halted else "no",
    "active": active,
    "mode": mode,
    "faults": faults,
    "oddities": oddities,
    "ioapic-eois": ioapic_eois,
    "startup-cpus": lambda s, _n: hex(s.rig.vm.startup_cpus),
    "superseded": lambda s, _n: str(s.rig.vm.spinup.superseded),
    "why-not": lambda s, n: sentence(s.rig.machine.why_not_runnable(n)),
    "unreached": lambda s, n: unreached.text(s.vcpu(n).unreached or ()),
    "reg": reg,
    "seg": seg,
}
