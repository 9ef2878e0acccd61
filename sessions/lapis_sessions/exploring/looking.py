"""What vCPUs do to memory and to each other, as a schedule goes on.

It finds three things: where a preemption may come, who shares which memory, and who
spins. A vCPU spins when it is back at an access, and its registers and what it wrote
are as they were when it was there before in the same tenure, and nothing else came of
the round. It goes on only when one of the bytes of that round, read or written, has
changed, or an event came to it: until then each further round is like the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.state import mode
from lapis_engine.events import (
    ExtIntDelivered,
    Halted,
    IpiSent,
    NmiDelivered,
    VectorDelivered,
)
from lapis_engine.machine.accesses import Accesses
from lapis_engine.vmm import arbitration
from lapis_sessions.exploring.forks import WRITER, Spin

if TYPE_CHECKING:
    from lapis_engine.events import Logged
    from lapis_engine.machine.accesses import RamAccess
    from lapis_engine.machine.machine import Machine

OFTEN: Final = 4
"""Rounds after which it is looked less often whether a vCPU spins: when their number
is a power of two."""


class Looking:
    """Looks on at one machine, from the window's beginning to its end."""

    def __init__(self, machine: Machine) -> None:
        """Begin to look."""
        self._machine = machine
        self._accesses = Accesses(machine, self._accessed)
        machine.log.observers.append(self._noted)
        self.shared: frozenset[int] = frozenset()
        """Bytes at whose accesses a preemption may come."""
        self.stops = False
        """Whether a tenure is to be interrupted behind each access to one of them."""
        self.begin()

    def rest(self) -> None:
        """Look no more."""
        self._accesses.rest()
        self._machine.log.observers.remove(self._noted)

    def begin(self) -> None:
        """Forget all: the machine stands at the window's beginning."""
        self._stored: RamAccess | None = None
        """The last store, of which nobody has seen yet whether it changes anything."""
        self.touched: dict[int, int] = {}
        self.spinning: dict[int, Spin] = {}
        """vCPUs that spin, and how."""
        self.begin_tenure(None)

    def begin_tenure(self, vcpu: int | None) -> None:
        """Take note that another vCPU goes on; None before any does."""
        self.judge()
        self.alert()
        if vcpu is not None:
            self.spinning.pop(vcpu, None)
        self.counts: set[int] = set()
        """What its vCPU had retired where a preemption may come."""
        self._done: list[RamAccess] = []
        self._seen: dict[tuple[int, int, bool], int] = {}
        self._visits: dict[tuple[object, bytes], tuple[int, int, int]] = {}
        self._suspect: tuple[int, int, bool] | None = None

    # Told by the machine.

    def _accessed(self, access: RamAccess) -> bool:
        self.judge()
        self._done.append(access)
        if access.is_write:
            self._stored = access
        vcpu, at, gpa, size, is_write, _ = access
        bit = 1 << (vcpu + WRITER if is_write else vcpu)
        touched, is_shared = self.touched, False
        for byte in range(gpa, gpa + size):
            touched[byte] = touched.get(byte, 0) | bit
            is_shared = is_shared or byte in self.shared
        if is_shared:
            self.counts.add(at)
        key = gpa, size, is_write
        count = self._seen[key] = self._seen.get(key, 0) + 1
        if count > 1 and (count <= OFTEN or not count & count - 1):
            self._suspect = key
            return True
        return is_shared and self.stops

    def _noted(self, logged: Logged) -> None:
        event = logged.event
        number = getattr(event, "vcpu", None)
        if not isinstance(number, int) or number < 0:  # it is a device's
            return
        here = self._machine.vcpu(number).retired
        match event:
            case IpiSent():
                # A WRMSR is counted by then, a store to the ICR's page is not.
                is_x2apic = mode(self._machine.vcpu(number).apic) == "x2apic"
                at = here - 1 if is_x2apic else here
                self.counts |= {at, at + 1}
            case VectorDelivered() | NmiDelivered() | ExtIntDelivered():
                self.counts |= {here, here + 1}
            case Halted():
                self.counts.add(here - 1)
            case _:
                pass
        if number != self._machine.vm.entered:
            self.spinning.pop(number, None)

    # Asked by who gives the turns.

    def judge(self) -> None:
        """Let go on who spins for a byte that the last store has changed."""
        stored, self._stored = self._stored, None
        if stored is None or not self.spinning:
            return
        changed = self._changed([stored])
        for vcpu, spin in list(self.spinning.items()):
            if not changed.isdisjoint(spin.bytes):
                del self.spinning[vcpu]

    def alert(self) -> None:
        """Let go on who spins and would take an event now.

        Not all are told of as a vCPU's: INTR of the 8259 pair is a line to all.
        """
        vm = self._machine.vm
        for vcpu in list(self.spinning):
            if arbitration.wakes(vm, vm.vcpus[vcpu]):
                del self.spinning[vcpu]

    def spins(self, vcpu: int) -> Spin | None:
        """Return how a vCPU spins; None if it does not."""
        key, self._suspect = self._suspect, None
        if key is None:
            return None
        machine = self._machine
        exits = sum(machine.vm.tally.values())
        here = len(self._done), exits, machine.log.next_seq
        state = machine.vcpu(vcpu).regs.context.state_bytes()
        before = self._visits.get((key, state))
        self._visits[key, state] = here
        if before is None or before[1:] != here[1:]:
            return None
        round_ = self._done[before[0] :]
        if self._changed(round_):
            return None
        used = {byte for it in round_ for byte in range(it.gpa, it.gpa + it.size)}
        # What is now is as before the first store: a byte that was another one before
        # a later store has changed twice.
        shows = any(self._changed([it]) & self.shared for it in round_)
        return Spin(tuple(sorted(used)), shows)

    def _changed(self, done: list[RamAccess]) -> frozenset[int]:
        """Return the bytes that are not what they were before these accesses."""
        old: dict[int, int | None] = {}
        for it in done:
            if it.is_write:
                for index in range(it.size):
                    was = None if it.before is None else it.before[index]
                    old.setdefault(it.gpa + index, was)
        peek = self._machine.vm.memory.peek
        return frozenset(
            at for at, was in old.items() if was is None or peek(at, 1) != bytes([was])
        )
