"""A virtual machine as a record: what it is made of and what it remembers.

`build` makes one, `run` enters it, and `clock` lets time pass. Here are only changes of
a field or two, which many make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

# A compiled record looks up the classes of its fields when it is made.
from lapis_engine.cpu.core import Core  # noqa: TC001
from lapis_engine.cpu.delivery import pending
from lapis_engine.cpu.model.catalog import DEFAULT, Cpu
from lapis_engine.events import Suspended
from lapis_engine.memory.iospace import IoSpace  # noqa: TC001
from lapis_engine.memory.physical import PhysicalMemory  # noqa: TC001
from lapis_engine.profiles.switches import Profile  # noqa: TC001
from lapis_engine.units import NS
from lapis_engine.vmm import exits, written
from lapis_engine.vmm.costs import FREE, Costs
from lapis_engine.vmm.interference import InterferenceState
from lapis_engine.vmm.power import RESETS
from lapis_engine.vmm.printing import Printing  # noqa: TC001
from lapis_engine.vmm.run_state import SpinupState
from lapis_engine.vmm.traps import TrapState
from lapis_engine.vmm.vcpu import Vcpu  # noqa: TC001
from lapis_engine.vmm.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.fault import GuestFault
    from lapis_engine.devices.device import Device
    from lapis_engine.devices.ioapic.state import IoapicState
    from lapis_engine.devices.pic.state import PicState
    from lapis_engine.events import EngineFault
    from lapis_engine.shadow import Shadow
    from lapis_engine.vie.world import AnyBus
    from lapis_engine.vmm.power import PowerOn
    from lapis_engine.vmm.run_state import BootIpi


MAX_SLICE: Final = 1 << 24
"""Instructions in one run of the processor, at most."""


@dataclass(slots=True)
class Attention:
    """What makes a run look around before its budget is used up.

    Devices, IPIs and observers of the events ask for it; each run begins without.
    """

    kick: bool = False
    """Something may have made another vCPU able to run."""
    stop_asked: bool = False
    """Come back as soon as the present instruction and its effects are complete."""

    def ask_stop(self) -> None:
        """Ask for a stop after the present instruction and its effects."""
        self.stop_asked = True

    def must_stop(self) -> bool:
        """Tell whether a stop was asked for in what has just happened."""
        return self.stop_asked

    def forget_stop(self) -> None:
        """Forget that a stop was asked for before this."""
        self.stop_asked = False


@dataclass(slots=True)
class Timers:
    """When a timer next needs attention, as `clock` found it last."""

    moved: bool = True
    """It must be found anew."""
    next: int | None = None
    """ns of virtual time, or None."""


@dataclass(eq=False)
class Vm:
    """A virtual machine: vCPUs, their APICs, memory and devices."""

    profile: Profile
    note: Callable[..., None]
    """Told every event, in order."""
    core: Core
    memory: PhysicalMemory
    ports: IoSpace
    mmio: IoSpace
    devices: list[Device]
    vcpus: list[Vcpu]
    """By number."""
    float_ports: bool = False
    """A port that no device claims reads all ones, as on an ISA bus; else it is a
    request to the user."""
    float_mmio: bool = False
    """So does an address with neither memory nor a device."""
    tsc_hz: int = NS
    cpu: Cpu = DEFAULT
    costs: Costs = FREE
    """What accesses take, ns."""
    pic: PicState | None = None
    ioapic: IoapicState | None = None
    hpet: Device | None = None
    pirq: Device | None = None
    """Who routes the interrupt pins of PCI."""
    buses: list[AnyBus] = field(default_factory=list)
    """The machine as the guest's instructions see it, by vCPU."""

    now: int = 0
    """Virtual time, ns."""
    consoles: dict[str, bytearray] = field(default_factory=dict)
    """What the guest printed, by port."""
    suspended: exits.SuspendedExit | None = None
    panic: exits.EngineFaultExit | None = None
    """What was a panic of the host; nothing runs after it."""
    debug_cpus: int = 0
    """vCPUs that `vm_suspend_cpu` holds, a bit each."""
    startup_cpus: int = 0
    """vCPUs that wait for SIPI under boot_ipi startup-cpus, a bit each."""
    spinup: SpinupState = field(default_factory=SpinupState)
    boot_ipi_due: BootIpi | None = None
    """What an ICR write left for `startup_cpus.handle`."""
    exit_due: exits.Exit | None = None
    """Exit record that a handler has filled, for the next entry to return."""
    interference: InterferenceState = field(default_factory=InterferenceState)
    """The user's rules on IPIs, and the IPIs that they hold back."""
    power_on: PowerOn | None = None
    """What a reset starts the machine again with; None when it stops for one."""
    rebooted_at: int | None = None
    """Instructions of all vCPUs at the last reset; None before the first."""
    traps: TrapState = field(default_factory=TrapState)
    """What goes to the user though a device serves it."""
    watch_at: int | None = None
    """ns at which `on_watch` is called, at that very instruction; no timer, and nothing
    moves for it."""
    unknown: tuple[str, ...] = ()
    """What a file that it was read from did not tell (`saved.system`), by name."""
    owed: int = 0
    """ns that the accesses of the present instruction take, until they are paid."""
    _faults: int = 0
    """Exceptions that the engine raised since an instruction retired."""

    tally: dict[str, int] = field(default_factory=dict)
    """How many exits of each kind there were since the machine was made; no state."""
    writes: dict[str, tuple[Written, ...]] = field(default_factory=dict)
    """The last ones to what makes interrupts, oldest first (`written`); no state."""

    attention: Attention = field(default_factory=Attention)
    timers: Timers = field(default_factory=Timers)
    entered: int | None = None
    """vCPU that is in `vm_run` (bhyve VCPU_RUNNING), or None: then it is the user who
    acts. For observers of events, whom no argument reaches."""
    printing: list[Printing] = field(default_factory=list)
    """Each is told what a port prints, as it does; they change nothing."""
    heard_ports: tuple[tuple[int, int], ...] = ()
    """Ports, first and bytes, of which each access is to be heard: none is answered
    where it runs."""
    on_msr: Callable[[Vcpu, int], None] | None = None
    """Told a vCPU and an MSR before the engine serves a RDMSR or WRMSR; it changes
    nothing."""
    longest: int = MAX_SLICE
    """Instructions after which a run looks around, at most: who has `on_round` called
    wants that often."""
    on_written: Callable[[Written], None] | None = None
    """Told each write to what makes interrupts (`written`)."""
    on_watch: Callable[[], None] | None = None
    on_round: Callable[[], None] | None = None
    """Called after each round of a run."""

    def shadows(self) -> list[Shadow]:
        """Return what of RAM is covered, and how it is seen at present."""
        return [
            shadow
            for device in self.devices
            if device.shadow is not None
            for shadow in device.shadow(device.state)
        ]

    def map_anew(self) -> None:
        """Let the processor reach the memory that is seen at present."""
        self.core.replace(self.memory.show(self.shadows()))
        self.core.hide(
            [
                (where.first, where.size)
                for device in self.devices
                if device.hides is not None
                for where in device.hides(device.state)
            ]
        )

    def wrote(
        self, vcpu: Vcpu, key: str, what: str, value: int, was: tuple[int, bool]
    ) -> None:
        """Remember a write to what makes interrupts; fields of `Written`."""
        rip = None if self.entered is None else vcpu.regs.rip
        item = Written(what, value, *was, self.now, vcpu.id, rip)
        self.writes[key] = written.kept(self.writes.get(key, ()), item)
        if self.on_written is not None:
            self.on_written(item)

    def raise_fault(self, vcpu: Vcpu, fault: GuestFault) -> None:
        """Owe the guest an exception at the next entry."""
        self._faults += 1
        vcpu.event = pending(fault)

    def faults_in_a_row(self, most: int) -> int:
        """Return the exceptions without an instruction between; from `most` on anew."""
        count = self._faults
        if count >= most:
            self._faults = 0
        return count

    def suspend(self, how: str, source: int, why: str, status: int = 0) -> None:
        """Stop the whole machine for good; the first cause wins (`vm_suspend`)."""
        if self.suspended is None:
            self.suspended = exits.SuspendedExit(how, source, self.now, status, why)
            if self.power_on is None or how not in RESETS:
                self.note(Suspended(source, how, why))

    def fault(self, event: EngineFault) -> None:
        """Report what was a panic of the host; nothing runs after the first one."""
        self.note(event)
        if self.panic is None:
            self.panic = exits.EngineFaultExit(event.text)

    def triple_fault(self, vcpu: Vcpu) -> None:
        """Shut down: a fault while #DF was delivered."""
        rip = vcpu.regs.rip
        self.suspend("triple-fault", vcpu.id, f"vCPU {vcpu.id} at RIP {rip:#x}")


@dataclass(slots=True, eq=False)
class Run:
    """One `vm_run`: what its functions tell each other, and what came of it.

    Nothing of it is state of the machine.
    """

    vm: Vm
    vcpu: Vcpu
    budget: int = 0
    """Instructions after which it comes back."""
    pause_yields: bool = False
    """PAUSE gives the rest of the turn away."""
    ran: int = 0
    """Instructions that have retired."""
    ahead: int = 0
    """ns that iterations of a REP have gone ahead of what is accounted."""
    yielded: bool = False
    """The vCPU spins and has given its turn away."""
    kicked: bool = False
    """When it came back, something might have made another vCPU able to run."""
    exit: exits.Exit = exits.BOGUS
    """Why it came back."""

    def is_interrupted(self) -> bool:
        """Tell whether the loop must look around before the next REP iteration."""
        vm, attention = self.vm, self.vm.attention
        return (
            attention.kick
            or attention.stop_asked
            or vm.exit_due is not None
            or vm.boot_ipi_due is not None
            or vm.suspended is not None
            or vm.panic is not None
        )
