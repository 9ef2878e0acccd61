"""Machines in the states about which `why` is asked, and the questions."""

from lapis_engine.apic import priority
from lapis_engine.cpu.delivery import Pending
from lapis_engine.devices.ioapic import pins
from lapis_engine.machine.machine import Machine
from lapis_engine.vmm import exits
from lapis_engine.why import ipi as why_ipi
from lapis_engine.why import vcpu as why_vcpu
from lapis_engine.why import vector as why_vector
from lapis_engine.why.reason import Reason
from rigs.machines import ap_bringup, machine

SPIN = bytes.fromhex("ebfe")
"""jmp $"""
FAR = 5_000_000
BIT = {vector: 1 << vector for vector in (0x31, 0x35, 0x40, 0x51)}
IDS = {1: 0x0100_0000_0000_0000, 3: 0x0300_0000_0000_0000}
"""ICR destinations."""
OLD, BSD = "illumos-pre-13275", "freebsd-13.1-compat"


def rig(cpus: int = 2, profile: str = "sdm", **apic: int) -> Machine:
    """A machine whose APICs are on; vCPU 0 has IF set and these APIC registers."""
    m = machine(SPIN, cpus, profile=profile)
    for vcpu in m.vcpus:
        vcpu.apic.svr = 0x1FF
    m.vcpus[0].regs.rflags = 0x202
    for name, value in apic.items():
        setattr(m.vcpus[0].apic, name, value)
    priority.update(m.vcpus[0].apic)
    return m


def in_irr(number: int) -> Machine:
    """A machine with 0x31 in the IRR of a vCPU, and nothing else."""
    m = rig()
    m.vcpus[number].apic.irr = 1 << 0x31
    return m


def described(m: Machine, *unknown: str) -> Machine:
    """A machine of which a file told all but the names of `unknown`."""
    m.vm.unknown = unknown
    return m


def irq(m: Machine, vector: int, number: int = 0) -> tuple[Reason, ...]:
    return why_vector.irq(m, vector, number).reasons


def why(m: Machine, number: int = 0) -> tuple[Reason, ...]:
    found = why_vcpu.vcpu(m, number)
    return (*found.reasons, *found.wakes, *((found.next,) if found.next else ()))


def dry(m: Machine, icr: int, target: int = 1) -> tuple[Reason, ...]:
    return why_ipi.dry_run(m, 0, icr).verdicts[target].reasons


def pending(m: Machine, number: int, state: int, vector: int = 0) -> Machine:
    m.vcpus[number].run_state, m.vcpus[number].sipi_vector = state, vector
    return m


def halted(m: Machine, **fields: bool) -> Machine:
    m.vcpus[0].halted = True
    for name, value in fields.items():
        setattr(m.vcpus[0], name, value)
    return m


def no_if(m: Machine) -> Machine:
    m.vcpus[0].regs.rflags = 0x2
    return m


def nmi(m: Machine, *, blocked: bool = False) -> Machine:
    m.vcpus[0].nmi_pending, m.vcpus[0].nmi_blocked = True, blocked
    return m


def pic(m: Machine, irq_line: int | None = None) -> Machine:
    """The 8259 pair at 0x20 and 0x28, nothing masked; LINT0 is ExtINT."""
    assert m.vm.pic is not None
    for chip, base in ((m.vm.pic.master, 0x20), (m.vm.pic.slave, 0x28)):
        chip.ready, chip.base = True, base
    m.vcpus[0].apic.lvt_lint0 = 0x700
    if irq_line is not None:
        m.set_line(irq_line, asserted=True)
    return m


def pin(m: Machine, entry: int, *, asserted: bool = False) -> Machine:
    """IOAPIC pin 4 with `entry`."""
    assert m.vm.ioapic is not None
    pins.program(m.vm.ioapic, 4, entry)
    if asserted:
        m.set_pin(4, asserted=True)
    return m


def taken_by_other() -> Machine:
    m = rig()
    m.vcpus[1].apic.irr = BIT[0x31]
    return m


def pulsed() -> Machine:
    m = pic(rig())
    m.pulse_lint(0, 0)
    return m


def pic_masked(imr: int) -> Machine:
    m = pic(rig())
    assert m.vm.pic is not None
    m.vm.pic.master.imr = imr
    m.set_line(4 if imr & 0x10 else 8, asserted=True)
    return m


def pic_two() -> Machine:
    m = pic(rig(), 4)
    m.set_line(3, asserted=True)
    return m


def lint0(entry: int) -> Machine:
    m = pic(rig(), 4)
    m.vcpus[0].apic.lvt_lint0 = entry
    m.vcpus[1].apic.svr = 0xFF
    return m


def spun_up(profile: str = OLD) -> Machine:
    """INIT and SIPI of the hand, before vCPU 0 has run."""
    m = rig(profile=profile)
    m.send_ipi(0, IDS[1] | 0x4500)
    m.send_ipi(0, IDS[1] | 0x4608)
    return m


def in_startup_cpus() -> Machine:
    m = pending(rig(profile="freebsd"), 1, 1)
    m.vm.startup_cpus = 2
    return m


def logical(ldr: int, dfr: int) -> Machine:
    m = rig()
    m.vcpus[1].apic.ldr, m.vcpus[1].apic.dfr = ldr, dfr
    return m


def x2apic() -> Machine:
    m = rig()
    for vcpu in m.vcpus:
        vcpu.apic.apicbase |= 0x400
    return m


def hw_off() -> Machine:
    m = rig()
    m.vcpus[1].apic.apicbase = 0xFEE0_0000
    return m


def in_nmi() -> Machine:
    m = rig()
    m.vcpus[0].nmi_blocked = True
    return m


def shadowed(m: Machine) -> Machine:
    m.vcpus[0].regs.shadow = True
    return m


def in_delivery(m: Machine) -> Machine:
    m.vcpus[0].event = Pending(0x40, "external", None)
    return m


def out_of_sync() -> Machine:
    m = rig(profile="illumos-pre-12936", irr=BIT[0x51])
    m.vcpus[0].apic.isr = BIT[0x40]
    return m


def panicked() -> Machine:
    m = rig(irr=BIT[0x31])
    m.vm.panic = exits.EngineFaultExit("bad pending MMIO state")
    return m


def powered_off() -> Machine:
    m = rig(irr=BIT[0x31])
    m.vm.suspend("poweroff", 0, "isa-debug-exit", 1)
    return m


def asking() -> Machine:
    """The embedded guest at its read of 0xD0000000."""
    m = ap_bringup(2)
    m.run(FAR)
    return m


def scheduled() -> Machine:
    m = rig()
    m.schedule.policy, m.schedule.only = "only", 1
    return m


def broken_bring_up() -> Machine:
    m = ap_bringup(2, profile="freebsd-13.1-broken")
    m.run(200_000)
    return m


def interfered(action: str, icr: int = 0) -> Machine:
    """A rule on the first IPI to vCPU 1, and that IPI."""
    m = rig()
    m.interfere(action, to=1, by=500 if action == "delay" else 0)
    if icr:
        m.send_ipi(0, icr)
    return m


def ticking(m: Machine) -> Machine:
    """Channel 0 of the PIT counts: mode 2, 1000."""
    for port, value in ((0x43, 0x34), (0x40, 0xE8), (0x40, 0x03)):
        m.vm.buses[0].port_out(port, 1, value)
    return m


def eoi_kept(svr: int) -> Machine:
    """A level message has gone out, and its vector is no longer anywhere."""
    return forgotten(pin(rig(svr=svr), 0x8031, asserted=True))


def remote_irr_lost() -> Machine:
    """The pin is as after an import that dropped its read-only bits."""
    m = eoi_kept(0x1FF)
    assert m.vm.ioapic is not None
    m.vm.ioapic.pins[4].entry = 0x8031
    return m


def forgotten(m: Machine) -> Machine:
    for vcpu in m.vcpus:
        vcpu.apic.irr = vcpu.apic.isr = 0
    return m


def sent(icr: int, profile: str = "sdm", **apic: int) -> Machine:
    m = rig(profile=profile, **apic)
    m.send_ipi(0, icr)
    return m


def by_msi() -> Machine:
    """To APIC id 1."""
    m = rig()
    m.send_msi(0xFEE0_1000, 0x31)
    return m
