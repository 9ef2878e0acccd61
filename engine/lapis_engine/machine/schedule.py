"""Whose turn it is: the deterministic schedule over `vmm.run`.

Every choice follows from the vCPUs' state and from what has run before, so splitting a
run into smaller ones changes nothing. Time is not taken from anywhere: while every
vCPU sleeps, it jumps to the next deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.machine.stop import Turn
from lapis_engine.vie import pending
from lapis_engine.vmm import arbitration, clock, run_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Run, Vm

POLICIES: Final = ("round-robin", "lockstep", "only")
"""round-robin: a quantum each; lockstep: an instruction each; only: one vCPU."""
DEADLINES: Final = 20_000
"""Timer deadlines in a row that may wake nobody before the machine counts as halted."""


class Schedule:
    """The policy and where it stands."""

    def __init__(self, vm: Vm, quantum: int) -> None:
        """Begin with vCPU 0 under round-robin; `quantum` counts instructions."""
        self._vm = vm
        self.policy = POLICIES[0]
        self.only = 0
        """The vCPU that policy "only" runs."""
        self.quantum = quantum
        self.current = 0
        """The vCPU whose turn it is."""
        self._left = quantum

    @property
    def turn(self) -> Turn:
        """How far the present turn has come."""
        return Turn(self.current, self._left)

    def put_back(self, turn: Turn) -> None:
        """Take `choose` back, after which nothing ran."""
        self.current, self._left = turn

    def choose(self) -> Vcpu | None:
        """Return the vCPU whose turn it is, letting time pass while all sleep."""
        vcpus = self._vm.vcpus
        if self.policy == "only":
            vcpu = vcpus[self.only]
            return vcpu if self._has_turn(vcpu) or self._sleep([vcpu]) else None
        while True:
            for turn in range(len(vcpus)):
                vcpu = vcpus[(self.current + turn) % len(vcpus)]
                if self._has_turn(vcpu):
                    if turn:
                        self._turn_to(vcpu.id)
                    return vcpu
            if not self._sleep(vcpus):
                return None

    def upcoming(self) -> Vcpu | None:
        """Return whose turn it will be, or None while all sleep; nothing changes."""
        vcpus = self._vm.vcpus
        if self.policy == "only":
            return vcpus[self.only] if self._has_turn(vcpus[self.only]) else None
        turns = [*vcpus[self.current :], *vcpus[: self.current]]
        return next((vcpu for vcpu in turns if self._has_turn(vcpu)), None)

    def budget(self, vcpu: Vcpu, limit: int) -> tuple[int, bool]:
        """Return for how many instructions `vcpu` may run now, at most `limit`.

        And whether it is alone in being able to run: then it is not held to its
        quantum; the vm comes back when that changes (`Run.kicked`). One that spins
        beside others gives its turn away with PAUSE.
        """
        alone = self.policy == "only" or self._is_alone(vcpu)
        return limit if alone else min(self._left, limit), alone

    def _is_alone(self, vcpu: Vcpu) -> bool:
        for other in self._vm.vcpus:
            if other is not vcpu and self._has_turn(other):
                return False
        return True

    def charge(self, vcpu: Vcpu, run: Run, *, alone: bool) -> None:
        """Take what `vcpu` has just run from its turn; move on when that is over."""
        if self.policy == "only":
            return
        if not alone:
            self._left -= run.ran
        kicked = run.kicked and alone
        if kicked and self._vm.suspended is not None:
            # A replay looks round between the last instruction and what it set off.
            self._turn_to(vcpu.id)
        elif run.yielded or kicked or self._left <= 0:
            self._turn_to((vcpu.id + 1) % len(self._vm.vcpus))

    def _turn_to(self, number: int) -> None:
        self.current = number
        self._left = 1 if self.policy == "lockstep" else self.quantum

    def _has_turn(self, vcpu: Vcpu) -> bool:
        """Tell whether an entry would do something or has something to report."""
        vm = self._vm
        stopped = vm.suspended is not None or vm.panic is not None
        if stopped or pending.pending(vcpu.vie) is not None:
            return True
        owed = vm.spinup.request is not None or vm.exit_due is not None
        if owed and vcpu.id == 0:
            return True
        if vm.debug_cpus >> vcpu.id & 1 or not vcpu.active:
            return False
        if not run_state.can_run(vcpu.run_state):
            return False
        return not vcpu.halted or arbitration.wakes(vm, vcpu)

    def _sleep(self, vcpus: Sequence[Vcpu]) -> bool:
        """Jump to the next deadline until one of `vcpus` has a turn.

        Tells whether one has. A timer that wakes nobody is given up after
        `DEADLINES`; running again goes on from there.
        """
        for _ in range(DEADLINES):
            deadline = clock.deadline(self._vm)
            held = self._vm.interference.held
            if deadline is None or not (held or any(_could_wake(v) for v in vcpus)):
                return False
            clock.pass_time(self._vm, max(deadline, self._vm.now))
            if any(self._has_turn(v) for v in vcpus):
                return True
        return False


def _could_wake(vcpu: Vcpu) -> bool:
    """Tell whether an interrupt could ever wake it: halted with IF set."""
    running = not run_state.is_pending(vcpu.run_state)
    return running and vcpu.halted and vcpu.regs.interrupts
