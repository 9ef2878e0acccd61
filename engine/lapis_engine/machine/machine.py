"""A whole machine: its schedule, its history, and the verbs that sessions use.

The same configuration and the same acts give the same history.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules, lvt
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.regs import ESR_SEND_ILLEGAL
from lapis_engine.boot.image import SavedEntry
from lapis_engine.cause import sentence
from lapis_engine.cpu.intercepts import CR3_WRITE
from lapis_engine.cpu.model.catalog import cpu_named
from lapis_engine.errors import ConfigError
from lapis_engine.events import Exited, IpiSent
from lapis_engine.lints.catalog import LINTS
from lapis_engine.lints.live import Lints
from lapis_engine.machine import asleep, requests
from lapis_engine.machine.acts import act
from lapis_engine.machine.catches import Catches
from lapis_engine.machine.debugger import Debugger
from lapis_engine.machine.log import EventLog, both
from lapis_engine.machine.schedule import POLICIES, Schedule
from lapis_engine.machine.start_pages import StartPages
from lapis_engine.machine.stop import NotRunnableError, Stop
from lapis_engine.saved import resumption
from lapis_engine.saved import system as saved_system
from lapis_engine.saved import transfer as saved_state
from lapis_engine.vmm import (
    address_map,
    build,
    exits,
    fabric,
    guest_memory,
    interference,
    ioctls,
    run_state,
    traps,
)
from lapis_engine.vmm.entry import DEFAULT
from lapis_engine.vmm.interference import Rule
from lapis_engine.vmm.run import run as vm_run
from lapis_engine.vmm.startup import power_on, userspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lapis_engine.boot.image import BootPlan
    from lapis_engine.cause import Cause
    from lapis_engine.cpu.disasm import Line
    from lapis_engine.devices.device import Device
    from lapis_engine.events import MessageSent
    from lapis_engine.lints.lint import Lint
    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.config import MachineConfig
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.vmm.exits import Exit
    from lapis_engine.vmm.guest_memory import Touched
    from lapis_engine.vmm.traps import Trap
    from lapis_engine.vmm.vcpu import Vcpu

LINT0_EXTINT: Final = 0x700
"""LVT LINT0: delivery mode ExtINT [10:8], not masked."""
QUIET: Final = (exits.Bogus, exits.Hlt, exits.RunState, exits.DebugCpu)
"""Exits that concern the schedule and not the user."""
REASONS: Final[dict[type, str]] = {
    exits.SuspendedExit: "suspended",
    exits.Debug: "breakpoint",
    exits.EngineFaultExit: "fault",
}
"""Why a run stops at an exit, where it is not just "exit"."""


class Machine(Debugger):
    """vCPUs under a deterministic schedule."""

    def __init__(
        self,
        config: MachineConfig,
        plan: BootPlan,
        devices: Sequence[Device],
        lints: Mapping[str, Lint] = LINTS,
    ) -> None:
        """Build the machine and load `plan`; raise `ConfigError` or `ImageError`."""
        config.check()
        self.config = config
        self.plan = plan
        self.log = EventLog(lambda: self.vm.now)
        self.vm = build.make(
            config.cpus,
            config.profile,
            devices,
            self.log.note,
            float_ports=config.float_ports,
            float_mmio=config.float_mmio,
            tsc_hz=config.tsc_hz,
            cpu=cpu_named(config.cpu, config.hypervisor),
            costs=config.costs,
        )
        self.vm.core.is_strict = config.strict
        self.vm.core.mark_usual(on=config.usual and not config.strict)
        for vcpu in self.vm.vcpus:
            self.vm.core.intercept(vcpu.regs, CR3_WRITE, on=config.strict)
        build.load(self.vm, plan, config.memory)
        if config.virtual_wire:
            # Differs from the SDM: LVT entries are masked at reset. As QEMU
            # (`apic_reset_common`), on whose word the BIOS of Bochs takes IRQ 0.
            self.vm.vcpus[0].apic.lvt_lint0 = LINT0_EXTINT
        if isinstance(plan.entry, SavedEntry):
            resumption.put(self.vm, plan.entry.state)
        if config.on_reset == "reboot":
            self.vm.power_on = power_on.keep(self.vm, plan)
        self.schedule = Schedule(self.vm, config.quantum)
        self.catches = Catches(
            self.log.observers, self.vm.printing, self.vm.attention.ask_stop
        )
        """Event breakpoints."""
        self._attend_stops()
        self.lints = Lints(self.vm, lints)
        self.starts = StartPages(self.vm)
        """The pages that SIPIs named, as they were then; no state of the machine."""
        self.log.observers_of = both(self.lints.observers(), self.starts.observers())
        self.on_act: Callable[[Act, object], None] | None = None
        """Told every act when it is done, with what it returned."""
        self.before_act: Callable[[], None] | None = None
        """Asked before every act that is told; what it raises refuses the act."""
        self.on_turn: Callable[[Vcpu, int], None] | None = None
        """Told after each entry of a vCPU, with the instructions that it retired."""

    def close(self) -> None:
        """Give processor, memory and descriptors back, and tell nobody any more.

        Only its events and counts can be looked at then; to run it raises
        `ProcessorError`. Twice is as good as once.
        """
        self.on_act = self.before_act = self.on_turn = None
        self.vm.core.close()  # before the memory that it runs on
        self.vm.memory.close()

    @property
    def now(self) -> int:
        """Virtual time in ns."""
        return self.vm.now

    @property
    def vcpus(self) -> list[Vcpu]:
        """The vCPUs by number."""
        return self.vm.vcpus

    @property
    def consoles(self) -> dict[str, bytearray]:
        """What the guest printed, by port."""
        return self.vm.consoles

    # Running.

    @act
    def run(self, limit: int) -> Stop:
        """Run the schedule until something happens, at most `limit` instructions."""
        ran = 0
        attention = self.vm.attention
        attention.forget_stop()
        self.catches.forget()
        self._begin()
        goes_on = False
        while ran < limit:
            turn, seq = self.schedule.turn, self.log.next_seq
            vcpu = self.schedule.choose()
            if vcpu is None:
                return self._all_asleep(ran)
            asked = self.asked(vcpu.id, ran)
            if asked is not None:
                return asked
            budget, alone = self.schedule.budget(vcpu, limit - ran)
            budget = self._short_of_goal(vcpu, budget)
            done = vm_run(
                self.vm, vcpu, DEFAULT, budget, pause_yields=not alone, goes_on=goes_on
            )
            ran += done.ran
            if self.on_turn is not None:
                self.on_turn(vcpu, done.ran)
            self.schedule.charge(vcpu, done, alone=alone)
            out = done.exit
            goes_on = isinstance(out, QUIET)
            stop = None if goes_on else self._stop(vcpu, out, ran)
            if stop is not None:
                has_moved = done.ran or self.log.next_seq != seq
                return stop if has_moved else replace(stop, turn=turn)
            asked = self.asked(vcpu.id, ran)
            if asked is not None:
                return asked
            if self._is_at_goal():
                break
        current = self.schedule.current
        return Stop("budget", ran, current, None, f"{ran} instructions")

    @act
    def step(self, number: int, count: int = 1) -> Stop:
        """Run vCPU `number` alone for `count` instructions, everything else frozen.

        Raises `NotRunnableError` at once, with the reason, when it cannot run.
        """
        vcpu = self.vcpu(number)
        why = asleep.why(self.vm, vcpu)
        if why is not None:
            raise NotRunnableError(f"vCPU {number} cannot be stepped: {why}")
        ran = 0
        self.catches.forget()
        self._begin()
        while ran < count:
            done = vm_run(self.vm, vcpu, DEFAULT, count - ran)
            out = done.exit
            ran += done.ran
            if self.on_turn is not None:
                self.on_turn(vcpu, done.ran)
            if isinstance(out, (exits.Hlt, exits.RunState)):
                text = sentence(self.why_not_runnable(number))
                return self.catches.told(Stop("halted", ran, number, None, text))
            is_short = isinstance(out, exits.Bogus)
            stop = None if is_short else self._stop(vcpu, out, ran)
            stop = stop or self.asked(vcpu.id, ran)
            if stop is not None:
                return stop
        return Stop("budget", ran, number, None, f"{ran} instructions")

    def _begin(self) -> None:
        """See who looks on: nobody is told later of what he may stop at."""
        vm = self.vm
        if self.watches.items:
            self.watches.refresh()
        watched = self.log.observers or vm.on_round
        is_seen = watched or not self.lints.can_wait
        vm.core.answers.table.may_note = not is_seen

    def _for_userspace(self, vcpu: Vcpu, out: Exit) -> bool:
        """Let bhyve's userspace deal with an exit that is for it; say if it is."""
        if not userspace.concerns(out):
            return False
        self.log.note(Exited(vcpu.id, out.code, out.text, vcpu.regs.rip))
        userspace.handle(self.vm, out)
        return True

    def _all_asleep(self, ran: int) -> Stop:
        """Stop because no vCPU can run and no timer will change that."""
        text = "; ".join(
            f"vCPU {v.id}: {sentence(self.why_not_runnable(v.id))}" for v in self.vcpus
        )
        stop = Stop("halted", ran, self.schedule.current, None, text)
        return self.catches.told(stop)

    def _stop(self, vcpu: Vcpu, out: Exit, ran: int) -> Stop | None:
        """Stop at an exit, unless it is for bhyve's userspace, or is passed.

        A breakpoint is passed whose condition does not hold.
        """
        number = None
        if isinstance(out, exits.Debug):  # which is the debugger's doing
            point = self.points.judged(vcpu.id, out.linear)
            if point is None:
                return None
            number = point.number
        elif self._for_userspace(vcpu, out):
            return None
        else:
            self.log.note(Exited(vcpu.id, out.code, out.text, vcpu.regs.rip))
        reason = REASONS.get(type(out), "exit")
        return self._told(Stop(reason, ran, vcpu.id, out, out.text, point=number))

    # Requests.

    def pending(self) -> list[PendingRequest]:
        """Return what waits for an answer, by vCPU."""
        return requests.pending(self.vm)

    def pending_on(self, number: int) -> PendingRequest:
        """Return the request of vCPU `number`; raise `EntryError` when it has none."""
        return requests.pending_on(self.vcpu(number))

    @act
    def answer(self, number: int, value: int, by: str = "user") -> None:
        """Fulfil a request; for a write `value` is not used; raise `EntryError`."""
        requests.answer(self.vm, self.vcpu(number), value, by)

    @act
    def answer_fault(
        self,
        number: int,
        name: str,
        error: int | None = None,
        address: int | None = None,
        by: str = "user",
    ) -> None:
        """Raise a fault ("gp") in the instruction that waits; raise `EntryError`."""
        requests.fault(self.vm, self.vcpu(number), name, error, address, by)

    @act
    def answer_by_device(self, number: int, by: str = "device") -> int:
        """Let the engine's own device answer; raise `EntryError`."""
        return requests.by_device(self.vm, self.vcpu(number), by)

    @act
    def discard(self, number: int, by: str = "user") -> None:
        """Forget the instruction that waits; it runs again from RIP."""
        requests.discard(self.vm, self.vcpu(number), by)

    @act
    def trap(self, space: str, first: int, size: int = 1) -> Trap:
        """Hand accesses to mmio, port or msr to the user; raise `EngineError`."""
        return address_map.trap(self.vm, space, first, size)

    @act
    def untrap(self, number: int | None = None) -> None:
        """Take one trap away, or all; raise `EngineError`."""
        traps.clear(self.vm.traps, number)

    @act
    def touch(
        self, number: int, address: int, size: int, *, physical: bool = False
    ) -> Touched:
        """Read through the bus, with side effects; raise `EngineError`."""
        vcpu = self.vcpu(number)
        return guest_memory.touch(self.vm, vcpu, address, size, physical=physical)

    # The user's hand on the fabric.

    @act
    def send_ipi(self, sender: int, icr: int) -> IpiSent:
        """Send what vCPU `sender` would send by writing `icr` to its ICR.

        The ICR itself keeps its value: this is the user's IPI, not the guest's. An
        illegal vector is an error of the sender's APIC all the same.
        """
        apic, profile = self.vcpu(sender).apic, self.vm.profile
        x2apic = apic_state.mode(apic) == "x2apic"
        ipi = apic_icr.decode(icr, x2apic=x2apic, sender=sender)
        sent = fabric.send(self.vm, ipi, "outside", "the user")
        if icr_rules.is_vector_illegal(ipi, profile):
            fabric.route(self.vm, lvt.error(apic, ESR_SEND_ILLEGAL, profile))
        return sent

    @act
    def kernemu_write(self, number: int, gpa: int, size: int, value: int) -> None:
        """Write a device of the engine outside `vm_run`; raise `EntryError`."""
        ioctls.kernemu_write(self.vm, self.vcpu(number), gpa, size, value)

    @act
    def kernemu_read(self, number: int, gpa: int, size: int) -> int:
        """Read a device of the engine outside `vm_run`; raise `EntryError`."""
        return ioctls.kernemu_read(self.vm, self.vcpu(number), gpa, size)

    @act
    def set_pin(self, pin: int, *, asserted: bool) -> None:
        """Add a source to an IOAPIC pin, or take one away; raise `EngineError`."""
        ioctls.set_pin(self.vm, pin, asserted=asserted)

    @act
    def set_line(self, irq: int, *, asserted: bool) -> None:
        """Move an ISA line; raise `EngineError`."""
        ioctls.set_line(self.vm, irq, asserted=asserted)

    @act
    def send_msi(self, address: int, data: int) -> MessageSent:
        """Send a message-signalled interrupt; raise `EntryError`."""
        return ioctls.send_msi(self.vm, address, data)

    @act
    def inject_nmi(self, number: int) -> None:
        """Make an NMI pending."""
        fabric.nmi(self.vm, self.vcpu(number), "the user")

    @act
    def pulse_lint(self, lint: int, number: int | None = None) -> None:
        """Pulse LINT0 or LINT1 of one vCPU, or of all; raise `EngineError`."""
        vcpus = self.vcpus if number is None else [self.vcpu(number)]
        ioctls.pulse_lint(self.vm, lint, tuple(vcpus))

    @act
    def set_run_state(self, number: int, state: int, sipi_vector: int = 0) -> None:
        """Set the run-state of a vCPU; raise `EntryError`."""
        ioctls.set_run_state(self.vm, self.vcpu(number), state, sipi_vector)

    @act
    def interfere(
        self,
        action: str,
        mode: str | None = None,
        *,
        to: int | None = None,
        sender: int | None = None,
        vector: int | None = None,
        nth: int = 1,
        by: int = 0,
    ) -> Rule:
        """Drop, delay or duplicate IPIs (fields of `Rule`); raise `EngineError`."""
        rule = Rule(0, action, mode, to, sender, vector, nth, by)
        return interference.add(self.vm.interference, rule, len(self.vcpus))

    @act
    def clear_interference(self, number: int | None = None) -> None:
        """Take one rule on IPIs away, or all; raise `EngineError`."""
        interference.clear(self.vm.interference, number)

    @act
    def set_lint(self, name: str, *, on: bool) -> None:
        """Switch a lint, or "all"; raise `EngineError`."""
        self.lints.switch(name, on=on)

    @act
    def set_isrvec(self, *, on: bool) -> None:
        """Switch the stack that checks the ISRs; raise `EngineError`."""
        ioctls.set_isrvec(self.vm, on=on)

    @act
    def import_apic(
        self, number: int, saved: Mapping[str, Any], source: str, *, lenient: bool
    ) -> list[str]:
        """Put a saved APIC onto vCPU `number`; return remarks, or `RecordError`."""
        return saved_state.import_apic(
            self.vm, self.vcpu(number), saved, source, lenient=lenient
        )

    def check_apic(
        self, number: int, saved: Mapping[str, Any], *, lenient: bool
    ) -> None:
        """Raise `RecordError` where `import_apic` would; nothing is changed."""
        saved_state.prepared(self.vm, self.vcpu(number), saved, lenient=lenient)

    @act
    def import_system(self, saved: Mapping[str, Any]) -> None:
        """Put a saved IOAPIC and 8259 pair in, and what is not known of the rest.

        Raises `RecordError`.
        """
        saved_system.import_system(self.vm, saved)

    # How turns are given.

    @act
    def set_quantum(self, quantum: int) -> None:
        """Change the instructions of a turn; raise `ConfigError`."""
        replace(self.config, quantum=quantum).check()
        self.schedule.quantum = quantum

    @act
    def set_schedule(self, policy: str, only: int | None = None) -> None:
        """Choose how turns are given; raise `ConfigError` or `EngineError`.

        `only` is the vCPU of policy "only", and None for the others.
        """
        if policy not in POLICIES:
            raise ConfigError(f"there is no schedule {policy!r}: {', '.join(POLICIES)}")
        if (policy == "only") != (only is not None):
            raise ConfigError(
                f"schedule {policy} takes {'a' if policy == 'only' else 'no'} vCPU"
            )
        if only is not None:
            self.schedule.only = self.vcpu(only).id
        self.schedule.policy = policy

    # Looking.

    def vcpu_state(self, number: int) -> str:
        """Return never-started, wait-for-sipi, running, halted or suspended."""
        vcpu = self.vcpu(number)
        if self.vm.suspended is not None:
            return "suspended"
        name = run_state.name(vcpu.run_state)
        return "halted" if name == "running" and vcpu.halted else name

    def why_not_runnable(self, number: int) -> Cause | None:
        """Return why vCPU `number` would not retire an instruction now, or None."""
        return asleep.why(self.vm, self.vcpu(number))

    def read_physical(self, gpa: int, size: int) -> bytes:
        """Return RAM or ROM; never a device access. Raises `UnmappedError`."""
        return self.vm.memory.read(gpa, size)

    def read_memory(self, number: int, linear: int, size: int) -> bytes:
        """Return memory as vCPU `number` sees it, without A or D bits, or faults."""
        return guest_memory.read(self.vm.memory, self.vcpu(number), linear, size)

    def disassemble(
        self,
        number: int,
        at: int | None = None,
        count: int = 8,
        *,
        physical: bool = False,
        is_att: bool = False,
    ) -> list[Line]:
        """Disassemble in its mode, from RIP by default, as Intel or AT&T write it."""
        vcpu, memory = self.vcpu(number), self.vm.memory
        return guest_memory.code(
            memory, vcpu, at, count, physical=physical, is_att=is_att
        )
