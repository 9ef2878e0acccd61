"""`vm_run`: the loop between one entry and one exit (bhyve `vm_run`).

Order of a round: entry command, what is pending, run-state, sleep, one event into
the processor, run, deal with what it reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lapis_engine.apic import state as apic_state
from lapis_engine.apic import timer as apic_timer
from lapis_engine.cpu.core import Core
from lapis_engine.cpu.delivery import Pending
from lapis_engine.cpu.intercepts import PAUSE
from lapis_engine.cpu.paging import Linear
from lapis_engine.errors import EntryError
from lapis_engine.events import ModeChanged, Suspended
from lapis_engine.memory.iospace import IoSpace
from lapis_engine.memory.physical import PhysicalMemory
from lapis_engine.vmm import (
    arbitration,
    emulation,
    exits,
    fabric,
    handlers,
    interference,
    run_state,
)
from lapis_engine.vmm.bus import Bus
from lapis_engine.vmm.entry import DEFAULT, Entry
from lapis_engine.vmm.interference import InterferenceState
from lapis_engine.vmm.run_state import SpinupState
from lapis_engine.vmm.startup import reset, spinup_ap
from lapis_engine.vmm.startup import startup_cpus as startup
from lapis_engine.vmm.traps import TrapState
from lapis_engine.vmm.vcpu import Vcpu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_engine.cpu.fault import GuestFault
    from lapis_engine.cpu.intercepts import HwExit, Intercepted
    from lapis_engine.devices.device import Device
    from lapis_engine.events import EngineFault
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.run_state import BootIpi

NS = 1_000_000_000
FAULTS = 1000
"""Exceptions without an instruction retired before the user is told."""
MODE_WATCH = 64
"""Instructions after paging starts in which a 64-bit CS is looked for."""
MAX_SLICE = 1 << 24
"""Instructions in one run of the processor, at most."""


class Vm:
    """A virtual machine: vCPUs, their APICs, memory and devices."""

    now: int
    """Virtual time, ns."""
    ran: int
    """Instructions that the last `run` retired."""
    kick: bool
    """Something may have made another vCPU able to run."""
    yielded: bool
    """The vCPU spins and gave its turn away (only with `pause_yields`)."""
    stop_asked: bool
    """Come back as soon as the present instruction and its effects are complete."""
    watch_at: int | None
    """ns at which `on_watch` is called, at that very instruction; no timer, and nothing
    moves for it."""
    on_round: Callable[[], None] | None
    """Called after each round of `run`."""
    panic: exits.EngineFaultExit | None
    """What was a panic of the host; nothing runs after it."""
    debug_cpus: int
    """vCPUs that `vm_suspend_cpu` holds, a bit each."""
    startup_cpus: int
    """vCPUs that wait for SIPI under boot_ipi startup-cpus, a bit each."""
    spinup: SpinupState
    """Used under boot_ipi spinup-ap."""
    interference: InterferenceState
    """The user's rules on IPIs, and the IPIs that they hold back."""
    boot_ipi_due: BootIpi | None
    """What an ICR write left for `startup.handle`."""
    traps: TrapState
    """What goes to the user though a device serves it."""
    answerer: str
    """Who answers the requests for now: user, rule N or device."""
    exit_due: exits.Exit | None
    """Exit record that a handler has filled."""
    context: Literal["outside", "normal", "critical"]
    """Where handlers run: outside vm_run, in it, or where none may sleep."""
    timers_moved: bool
    """`deadline` must be found anew."""
    _deadline: int | None

    def __init__(
        self,
        vcpus: int,
        profile: Profile,
        devices: Sequence[Device],
        note: Callable[..., None],
        *,
        float_ports: bool = False,
        tsc_hz: int = NS,
    ) -> None:
        """Build a machine without memory, every vCPU in run-state HALT.

        `note` is told every event, in order. With `float_ports` a port that no device
        claims reads all ones, as on an ISA bus; else it is a request to the user.
        """
        self.profile, self.note = profile, note
        self.float_ports, self.tsc_hz = float_ports, tsc_hz
        self.now = self.ran = self._budget = self._faults = 0
        self.debug_cpus = self.startup_cpus = 0
        self.kick = self.yielded = self.pause_yields = self.stop_asked = False
        self._is_consistent_asked, self.timers_moved = False, True
        self.watch_at = self._deadline = None
        self.on_watch: Callable[[], None] | None = None
        self.on_round = self.panic = self.boot_ipi_due = self.exit_due = None
        self.suspended: exits.SuspendedExit | None = None
        self.context, self.answerer = "outside", "user"
        self.spinup, self.traps = SpinupState(), TrapState()
        self.interference = InterferenceState()
        self.consoles: dict[str, bytearray] = {}
        self.core, self.memory = Core(), PhysicalMemory()
        self.memory.on_write = self.core.forget_code
        self.ports, self.mmio = IoSpace("port"), IoSpace("mmio")
        self.devices = list(devices)
        self._claim()
        roles = {device.role: device.state for device in devices}
        self.pic, self.ioapic = roles.get("pic"), roles.get("ioapic")
        self.vcpus = [self._new_vcpu(number) for number in range(vcpus)]
        self.buses = [Bus(self, vcpu, self.traps) for vcpu in self.vcpus]

    def _claim(self) -> None:
        for device in self.devices:
            for where in device.ports:
                self.ports.claim(where, device)
            for where in device.mmio:
                self.mmio.claim(where, device)

    def _new_vcpu(self, number: int) -> Vcpu:
        regs = self.core.new_registers()
        reset.reset(regs)
        linear = Linear(regs, self.memory)
        vcpu = Vcpu(number, regs, linear, apic_state.reset(number, self.profile))
        vcpu.active = self.profile.aps_active or number == 0
        if self.profile.boot_ipi == "startup-cpus" and vcpu.active and number:
            self.debug_cpus |= 1 << number
        return vcpu

    # Time.

    def tsc(self) -> int:
        """Return the time-stamp counter of a vCPU without offset."""
        return self.now * self.tsc_hz // NS

    def deadline(self) -> int | None:
        """Return the ns at which a timer next needs attention, or None."""
        if self.timers_moved:
            times = [apic_timer.deadline(v.apic) for v in self.vcpus]
            times += [d.timer.deadline(d.state) for d in self.devices if d.timer]
            if self.interference.held:
                times.append(interference.deadline(self.interference))
            due = [at for at in times if at is not None]
            self._deadline = min(due) if due else None
            self.timers_moved = False
        return self._deadline

    def account(self, vcpu: Vcpu, retired: int) -> None:
        """Let `retired` instructions of `vcpu` pass on the clock."""
        if retired:
            self._faults = 0
        vcpu.retired += retired
        self.ran += retired
        self.now += retired
        due, watch = self._deadline, self.watch_at
        is_due = due is not None and self.now >= due
        if is_due or self.timers_moved or (watch is not None and self.now >= watch):
            self.pass_time(self.now)

    def pass_time(self, now: int) -> None:
        """Move the clock to `now` ns and fire what has become due."""
        self.now = now
        if self.watch_at is not None and now >= self.watch_at and self.on_watch:
            self.on_watch()
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return
        for vcpu in self.vcpus:
            due = apic_timer.deadline(vcpu.apic)
            if due is not None and due <= now:
                fabric.route(self, apic_timer.expire(vcpu.apic, now, self.profile))
        for device in self.devices:
            if device.timer is not None:
                due = device.timer.deadline(device.state)
                if due is not None and due <= now:
                    fabric.signal(self, device.timer.advance(device.state, now), -1)
        if self.interference.held:
            fabric.release(self)
        self.timers_moved = self.kick = True

    # What others ask of it.

    def see_mode(self, vcpu: Vcpu) -> None:
        """Note a change of mode, and watch for the next part of the way to long mode.

        CR0 is intercepted; the far jump that loads a 64-bit CS is not, and is found
        by taking the instructions after CR0.PG one at a time. Later changes between
        compat and long, as system calls make them, are not events.
        """
        mode = vcpu.regs.mode
        if mode != vcpu.mode:
            self.note(ModeChanged(vcpu.id, vcpu.mode, mode, vcpu.regs.rip))
            vcpu.mode = mode
            vcpu.mode_watch = MODE_WATCH if mode == "compat" else 0

    def peek(self, gpa: int, size: int) -> bytes:
        """Return memory without a fault; short where it ends."""
        region = self.memory.region(gpa)
        if region is None:
            return b""
        return self.memory.read(gpa, min(size, region.end - gpa))

    def native(self, vcpu: Vcpu, hw: Intercepted) -> HwExit:
        """Let the processor do what it reported, and count it."""
        result = self.core.native(vcpu.regs, hw)
        self.account(vcpu, self.core.retired)
        return result

    def raise_fault(self, vcpu: Vcpu, fault: GuestFault) -> None:
        """Owe the guest an exception at the next entry."""
        self._faults += 1
        vcpu.event = Pending(fault.vector, "exception", fault.error, cr2=fault.cr2)

    def suspend(self, how: str, source: int, why: str, status: int = 0) -> None:
        """Stop the whole machine for good; the first cause wins (`vm_suspend`)."""
        if self.suspended is None:
            self.suspended = exits.SuspendedExit(how, source, self.now, status, why)
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

    # Running.

    def ask_stop(self) -> None:
        """Ask for a stop after the present instruction and its effects."""
        self.stop_asked = True

    def must_stop(self) -> bool:
        """Tell whether a stop was asked for in what has just happened."""
        return self.stop_asked

    def forget_stop(self) -> None:
        """Forget that a stop was asked for before this."""
        self.stop_asked = False

    def run(self, vcpu: Vcpu, entry: Entry = DEFAULT, budget: int = 1) -> exits.Exit:
        """Enter `vcpu` for at most `budget` instructions; say why it came back.

        Raises `EntryError` when `entry` is refused, or the vCPU is not active.
        """
        if not vcpu.active:
            raise EntryError("EINVAL", f"vCPU {vcpu.id} is not active")
        self.ran = 0
        self._budget = budget
        self.kick = self.yielded = self.stop_asked = False
        if self.suspended is not None and not isinstance(entry, type(DEFAULT)):
            raise EntryError(
                "EINVAL", f"the machine is suspended ({self.suspended.how})"
            )
        self.context = "normal"
        try:
            out = None if entry is DEFAULT else emulation.enter(self, vcpu, entry)
            self._is_consistent_asked = entry.exit_consistent
            while out is None:
                out = self._round(vcpu, budget)
                if self.on_round is not None:
                    self.on_round()
        finally:
            self.context = "outside"
        return self.panic or out

    def _round(self, vcpu: Vcpu, budget: int) -> exits.Exit | None:
        blocked = self._blocked(vcpu)
        if blocked is not None:
            return blocked
        if self._is_consistent_asked:
            return exits.BOGUS
        over = self.ran >= budget or self.yielded or self.stop_asked
        if over and vcpu.event is None:
            return exits.BOGUS
        window = arbitration.inject(self, vcpu)
        if isinstance(window, exits.TaskSwitch):
            return window
        if self.ran >= budget or self.kick or self.yielded or self.stop_asked:
            return self.suspended or exits.BOGUS
        if self.suspended is not None or self.panic is not None:
            return None  # reported by the next round
        return self._execute(vcpu, window=window)

    def _blocked(self, vcpu: Vcpu) -> exits.Exit | None:
        """Say what keeps the vCPU from the guest (`vm_loop_checks`)."""
        waiting: exits.Exit | None = self.panic
        if waiting is None and vcpu.vie.status:
            waiting = emulation.pending(self, vcpu)
        if self.exit_due or self.boot_ipi_due or self.spinup.request:
            waiting = waiting or self._filled(vcpu)
        waiting = waiting or self.suspended
        if waiting is not None:
            return waiting
        if self._faults >= FAULTS and vcpu.event is not None:
            count, self._faults = self._faults, 0
            return exits.Livelock(vcpu.event.vector, vcpu.regs.rip, count)
        if self.debug_cpus >> vcpu.id & 1:
            return exits.DebugCpu()
        if run_state.is_pending(vcpu.run_state) and not arbitration.boot(self, vcpu):
            return exits.RunState(vcpu.run_state)
        if vcpu.halted and not arbitration.wake(self, vcpu):
            return exits.Hlt(vcpu.regs.interrupts)
        return None

    def _filled(self, vcpu: Vcpu) -> exits.Exit | None:
        """Return an exit record that a handler has filled for this vCPU."""
        if self.exit_due is not None:
            out, self.exit_due = self.exit_due, None
            return out
        if self.boot_ipi_due is not None:
            return startup.handle(self)
        if self.spinup.request is not None:
            return spinup_ap.due(self, vcpu.id)
        return None

    def is_interrupted(self) -> bool:
        """Tell whether the loop must look around before the next REP iteration."""
        return (
            self.kick
            or self.stop_asked
            or self.exit_due is not None
            or self.boot_ipi_due is not None
            or self.suspended is not None
            or self.panic is not None
        )

    def left(self) -> int:
        """Return how many instructions may retire before the loop must look again."""
        left = min(self._budget - self.ran, MAX_SLICE)
        deadline = self.deadline() if self.timers_moved else self._deadline
        if deadline is not None and deadline - self.now < left:
            left = deadline - self.now
        if self.watch_at is not None and self.watch_at - self.now < left:
            left = self.watch_at - self.now
        return max(left, 1)

    def _execute(self, vcpu: Vcpu, *, window: bool) -> exits.Exit | None:
        linear, vcpu.stopped_at = vcpu.stopped_at, None
        past = linear is not None and linear == vcpu.regs.linear_rip
        self.core.intercept(vcpu.regs, PAUSE, on=self.pause_yields)
        # An NMI that is still pending here waits for the end of a shadow.
        shadowed = vcpu.nmi_pending and not vcpu.nmi_blocked
        left = 1 if vcpu.mode_watch or shadowed else self.left()
        hw = self.core.run(vcpu.regs, left, window=window, past=past)
        self.account(vcpu, self.core.retired)
        if vcpu.mode_watch:
            vcpu.mode_watch -= 1
            self.see_mode(vcpu)
        return handlers.handle(self, vcpu, hw)
