"""The words of a scenario: one line an act or a look, and what must come of it.

    0 store 0x300 0xC4500               vCPU 0 stores to its APIC page; nothing else
    run-state -> 2 0x4000 0x4000        what is seen then
    0 wrmsr 0x830 0 -> #GP              an act with a result of its own

A line is `[vCPU] verb arguments [-> result]`. A result left out is an empty one: no
exit, no fault, no value. Numbers are compared as numbers, the rest as text, where *
stands for anything. `#` at the start of a line is a comment.
"""

from __future__ import annotations

import functools
import operator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from conformance.rig import Done, Rig

from lapis_engine.apic import access
from lapis_engine.apic import state as apic_state
from lapis_engine.cpu.registers import GPR_NAMES, SEGMENT_NAMES
from lapis_engine.errors import EngineError, EntryError
from lapis_engine.events import (
    EngineFault,
    ExtIntDelivered,
    IoapicEnded,
    NmiDelivered,
    Oddity,
    VectorDelivered,
)
from lapis_engine.machine import NotRunnableError
from lapis_engine.vmm import exits
from lapis_engine.vmm.entry import DEFAULT, DiscardInstr

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.vmm.vcpu import Vcpu

PAGE = 0x1000
BANKS = ("isr", "irr", "tmr")
FAULTS = {6: "#UD", 13: "#GP", 14: "#PF"}


class Script:
    """Runs the lines of one case on one machine."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.since = 0
        """Number of the first event of the last act."""

    def run(self, text: str) -> None:
        """Run every line; an AssertionError shows the line and what came instead."""
        for line in text.strip().splitlines():
            words = line.split()
            if words and not words[0].startswith("#"):
                self._line(line.strip(), words)

    def _line(self, line: str, words: list[str]) -> None:
        wanted = words[words.index("->") + 1 :] if "->" in words else []
        words = words[: words.index("->")] if "->" in words else words
        number = int(words.pop(0)) if words[0].isdigit() else -1
        verb, arguments = words[0], words[1:]
        if verb in ACTS:
            self.since = self.rig.machine.log.next_seq
            found = ACTS[verb](self, number, *arguments)
        else:
            found = LOOKS[verb](self, number, *arguments)
        assert _agree(wanted, found.split()), f"{line}\ncame to: {found or 'nothing'}"

    def vcpu(self, number: int) -> Vcpu:
        return self.rig.vcpu(number)

    def address(self, number: int, at: str) -> int:
        """Below 0x1000 it is an offset in the vCPU's own APIC page."""
        value = int(at, 0)
        if value >= PAGE:
            return value
        return apic_state.base(self.vcpu(number).apic) + value


def _agree(wanted: list[str], found: list[str]) -> bool:
    if wanted and wanted[-1] == "*":
        wanted, found = wanted[:-1], found[: len(wanted) - 1]
    return len(wanted) == len(found) and all(map(_same, wanted, found))


def _same(wanted: str, found: str) -> bool:
    try:
        return int(wanted, 0) == int(found, 0)
    except ValueError:
        return fnmatchcase(found, wanted)


# How results are written.


def exit_words(out: exits.Exit | None) -> str:  # noqa: C901 - a table of exits
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


def _value(done: Done, value: int) -> str:
    return outcome(done) or f"{value:#x}"


def _vectors(bits: int) -> str:
    return " ".join(f"{vector:#x}" for vector in range(256) if bits >> vector & 1)


# Acts of the guest.


def store(s: Script, n: int, at: str, value: str, size: str = "4") -> str:
    return outcome(s.rig.store(n, s.address(n, at), int(value, 0), int(size)))


def load(s: Script, n: int, at: str, size: str = "4") -> str:
    return _value(*s.rig.load(n, s.address(n, at), int(size)))


def wrmsr(s: Script, n: int, msr: str, value: str) -> str:
    return outcome(s.rig.wrmsr(n, int(msr, 0), int(value, 0)))


def rdmsr(s: Script, n: int, msr: str) -> str:
    return _value(*s.rig.rdmsr(n, int(msr, 0)))


def write_cr8(s: Script, n: int, value: str) -> str:
    return outcome(s.rig.write_cr8(n, int(value, 0)))


def read_cr8(s: Script, n: int) -> str:
    return _value(*s.rig.read_cr8(n))


def port_in(s: Script, n: int, port: str, size: str) -> str:
    return _value(*s.rig.port_in(n, int(port, 0), int(size)))


def port_out(s: Script, n: int, port: str, size: str, value: str) -> str:
    return outcome(s.rig.port_out(n, int(port, 0), int(size), int(value, 0)))


def cpuid(s: Script, n: int, leaf: str) -> str:
    """Name the feature bits of the APIC that are set: CPUID.1 EDX 9, ECX 21, ECX 24."""
    _, _, ecx, edx = s.rig.cpuid(n, int(leaf, 0))
    if int(leaf, 0) != 1:
        ecx = 0
    found = {"apic": edx >> 9, "x2apic": ecx >> 21, "tsc-deadline": ecx >> 24}
    return " ".join(name for name, bits in found.items() if bits & 1)


def execute(s: Script, n: int, code: str, count: str) -> str:
    """Let it retire so many instructions of this code, in hex."""
    return outcome(s.rig.execute(n, bytes.fromhex(code), int(count)))


def take(s: Script, n: int) -> str:
    """Turn interrupts on before a NOP; say what was delivered instead of it."""
    s.rig.allow_interrupts(n, on=True)
    failed = exit_words(s.rig.execute(n, b"\x90", 1).exit)
    delivered(s, n)
    return delivered(s, n) or failed.replace("HLT", "")


def go(s: Script, n: int, count: str = "1") -> str:
    """Run on from where it is, interrupts as they are."""
    return exit_words(s.rig.enter(n, int(count)))


# Acts of the user and of bhyve's userspace.


def enter(s: Script, n: int) -> str:
    """VM_RUN with VEC_DEFAULT, once."""
    try:
        return exit_words(s.rig.vm.run(s.vcpu(n), DEFAULT, 1))
    except EntryError as error:
        return error.errno


def discard(s: Script, n: int) -> str:
    """VM_RUN with VEC_DISCARD_INSTR, stopped before the guest."""
    return exit_words(s.rig.vm.run(s.vcpu(n), DiscardInstr(), 0))


def run(s: Script, _n: int, limit: str) -> str:
    """Let the machine run its schedule."""
    return s.rig.machine.run(int(limit)).reason


def step(s: Script, n: int, count: str = "1") -> str:
    """Let the machine step a vCPU, userspace's part of the work done."""
    try:
        stop = s.rig.machine.step(n, int(count))
    except NotRunnableError:
        return "not-runnable"
    return "" if stop.reason == "budget" else f"{stop.reason} {exit_words(stop.exit)}"


def bring_up(s: Script, n: int) -> str:
    s.rig.bring_up(n)
    return ""


def host_x2apic(s: Script, n: int) -> str:
    """VM_SET_X2APIC_STATE: the host switches x2APIC mode on."""
    s.vcpu(n).apic.apicbase |= 0x400
    return ""


def _tried(act: Callable[[], object]) -> str:
    try:
        act()
    except EntryError as error:
        return error.errno
    except EngineError:
        return "refused"
    return ""


def kernemu(s: Script, n: int, at: str, size: str, value: str) -> str:
    gpa = s.address(n, at)
    machine = s.rig.machine
    return _tried(lambda: machine.kernemu_write(n, gpa, int(size), int(value, 0)))


def write(s: Script, n: int, at: str, value: str) -> str:
    """Write a register in no time, as KERNEMU does."""
    return kernemu(s, n, at, "4", value)


def read(s: Script, n: int, at: str, size: str = "4") -> str:
    """Read a register in no time, side effects and all."""
    try:
        value = s.rig.machine.kernemu_read(n, s.address(n, at), int(size))
    except EntryError as error:
        return error.errno
    return f"{value:#x}"


def set_run_state(s: Script, n: int, state: str, vector: str = "0") -> str:
    machine = s.rig.machine
    return _tried(lambda: machine.set_run_state(n, int(state, 0), int(vector, 0)))


def send(s: Script, n: int, icr: str) -> str:
    """The user sends an IPI; say whom it reaches."""
    return " ".join(map(str, s.rig.machine.send_ipi(n, int(icr, 0)).targets))


def msi(s: Script, _n: int, address: str, data: str) -> str:
    """A device writes `data` to `address`; say whom it reaches."""
    try:
        sent = s.rig.machine.send_msi(int(address, 0), int(data, 0))
    except EntryError as error:
        return error.errno
    return " ".join(map(str, sent.targets))


def arrive(s: Script, n: int, vector: str, trigger: str = "edge") -> str:
    """A fixed message comes for this vCPU alone."""
    level = 0xC000 if trigger == "level" else 0
    msi(s, n, hex(0xFEE0_0000 | s.vcpu(n).apic.id << 12), hex(level | int(vector, 0)))
    return ""


def pin(s: Script, _n: int, number: str, level: str) -> str:
    s.rig.machine.set_pin(int(number), asserted=level == "1")
    return ""


def line(s: Script, _n: int, number: str, level: str) -> str:
    s.rig.machine.set_line(int(number), asserted=level == "1")
    return ""


def lint(s: Script, n: int, number: str) -> str:
    s.rig.machine.pulse_lint(int(number), None if n < 0 else n)
    return ""


def nmi(s: Script, n: int) -> str:
    s.rig.machine.inject_nmi(n)
    return ""


def pass_time(s: Script, _n: int, ns: str) -> str:
    s.rig.vm.pass_time(s.rig.vm.now + int(ns))
    return ""


ACTS: dict[str, Callable[..., str]] = {
    "store": store,
    "load": load,
    "wrmsr": wrmsr,
    "rdmsr": rdmsr,
    "write-cr8": write_cr8,
    "read-cr8": read_cr8,
    "in": port_in,
    "out": port_out,
    "cpuid": cpuid,
    "execute": execute,
    "take": take,
    "go": go,
    "enter": enter,
    "discard": discard,
    "run": run,
    "step": step,
    "bring-up": bring_up,
    "host-x2apic": host_x2apic,
    "kernemu": kernemu,
    "write": write,
    "read": read,
    "set-run-state": set_run_state,
    "send": send,
    "msi": msi,
    "arrive": arrive,
    "pin": pin,
    "line": line,
    "lint": lint,
    "nmi": nmi,
    "pass": pass_time,
}


# Looks, which change nothing.


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
    return value if value is None else f"{value:#x}"


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
    "advanced": lambda s, n: str(s.vcpu(n).regs.rip & 0xFFF),
    "halted": lambda s, n: "yes" if s.vcpu(n).halted else "no",
    "active": lambda s, _n: " ".join(str(v.id) for v in s.rig.machine.vcpus if v.active),
    "mode": mode,
    "faults": faults,
    "oddities": oddities,
    "ioapic-eois": ioapic_eois,
    "startup-cpus": lambda s, _n: hex(s.rig.vm.startup_cpus),
    "superseded": lambda s, _n: str(s.rig.vm.spinup.superseded),
    "why-not": lambda s, n: s.rig.machine.why_not_runnable(n),
    "unreached": lambda s, n: s.vcpu(n).unreached,
    "reg": reg,
    "seg": seg,
}
