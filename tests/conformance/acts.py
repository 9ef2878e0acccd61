"""What a line of a scenario can do: acts of the guest, of the user, of userspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.looks import delivered
from conformance.words import exit_words, outcome, valued
from lapis_engine.cpu.delivery import Pending
from lapis_engine.errors import EngineError, EntryError
from lapis_engine.machine.stop import NotRunnableError
from lapis_engine.saved import transfer
from lapis_engine.saved.lapic import RecordError
from lapis_engine.vmm import clock
from lapis_engine.vmm.entry import DEFAULT, DiscardInstr
from lapis_engine.vmm.run import run as run_vm

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.script import Script

# Acts of the guest.


def store(s: Script, n: int, at: str, value: str, size: str = "4") -> str:
    return outcome(s.rig.store(n, s.address(n, at), int(value, 0), int(size)))


def load(s: Script, n: int, at: str, size: str = "4") -> str:
    return valued(*s.rig.load(n, s.address(n, at), int(size)))


def wrmsr(s: Script, n: int, msr: str, value: str) -> str:
    return outcome(s.rig.wrmsr(n, int(msr, 0), int(value, 0)))


def rdmsr(s: Script, n: int, msr: str) -> str:
    return valued(*s.rig.rdmsr(n, int(msr, 0)))


def write_cr8(s: Script, n: int, value: str) -> str:
    return outcome(s.rig.write_cr8(n, int(value, 0)))


def read_cr8(s: Script, n: int) -> str:
    return valued(*s.rig.read_cr8(n))


def port_in(s: Script, n: int, port: str, size: str) -> str:
    return valued(*s.rig.port_in(n, int(port, 0), int(size)))


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
    return delivered(s, n) or failed.replace("HLT", "")


def go(s: Script, n: int, count: str = "1") -> str:
    """Run on from where it is, interrupts as they are."""
    return exit_words(s.rig.enter(n, int(count)))


# Acts of the user and of bhyve's userspace.


def enter(s: Script, n: int) -> str:
    """VM_RUN with VEC_DEFAULT, once."""
    try:
        return exit_words(run_vm(s.rig.vm, s.vcpu(n), DEFAULT, 1).exit)
    except EntryError as error:
        return error.errno


def discard(s: Script, n: int) -> str:
    """VM_RUN with VEC_DISCARD_INSTR, stopped before the guest."""
    return exit_words(run_vm(s.rig.vm, s.vcpu(n), DiscardInstr(), 0).exit)


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
    clock.pass_time(s.rig.vm, s.rig.vm.now + int(ns))
    return ""


def import_apic(s: Script, n: int, *fields: str) -> str:
    """Import the exported APIC with the vectors of `bank=1,2` in it; name a refusal."""
    vm = s.rig.vm
    state = transfer.export_apic(vm, vm.vcpus[n])
    for field in fields:
        name, _, vectors = field.partition("=")
        bits = sum(1 << int(vector, 0) for vector in vectors.split(","))
        words = [bits >> 32 * word & 0xFFFF_FFFF for word in range(8)]
        state["lapic"][f"vlp_{name}"] = words
    try:
        transfer.import_apic(vm, vm.vcpus[n], state, "a scenario")
    except RecordError as error:
        return error.reason
    return ""


def in_delivery(s: Script, n: int, vector: str) -> str:
    """VM_SET_INTINFO: an exit has interrupted the delivery of this interrupt."""
    s.vcpu(n).event = Pending(int(vector, 0), "external", None)
    return ""


def resume_cpu(s: Script, n: int, base: str) -> str:
    """VM_RESUME_CPU after userspace has set CS.base, and RIP to 0."""
    vcpu = s.vcpu(n)
    vcpu.regs.set_segment(1, vcpu.regs.segment(1)._replace(base=int(base, 0)))
    # FreeBSD has no run-states: 3 stands for a vCPU that has been started.
    vcpu.regs.rip, vcpu.active, vcpu.run_state = 0, True, 3
    s.rig.vm.debug_cpus &= ~(1 << n)
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
    "import-apic": import_apic,
    "in-delivery": in_delivery,
    "resume-cpu": resume_cpu,
    "pass": pass_time,
}
