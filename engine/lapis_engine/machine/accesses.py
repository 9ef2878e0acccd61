"""What vCPUs read and write in memory, told as it happens, for who searches schedules.

While somebody listens the processor counts by instruction, which is slower; without
him it costs nothing. He changes nothing, but may have a run end behind the instruction.
There are no watchpoints meanwhile: the processor has one listener.

# Not modelled: reads of the engine's own, as of page tables, of descriptor tables, and
# of an operand of an instruction that it carries out; and fetches of code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.stops import Reached
    from lapis_engine.machine.machine import Machine


class RamAccess(NamedTuple):
    """An access of a vCPU's to RAM, about to be made; one of the engine's is made."""

    vcpu: int
    at: int
    """Instructions that the vCPU had retired before the one that makes it."""
    gpa: int
    size: int
    """Bytes."""
    is_write: bool
    before: bytes | None
    """What lay there before a write; None for a read, and where it was not seen."""


class Accesses:
    """Tells of the accesses of one machine."""

    def __init__(self, machine: Machine, tell: Callable[[RamAccess], bool]) -> None:
        """Begin; `tell` says of each whether the run is to end behind it."""
        self._machine, self._tell = machine, tell
        vm = machine.vm
        ram = [(each.gpa, each.size) for each in vm.memory.regions if not each.rom]
        vm.core.watch(ram, ram, self._accessed)
        self._others, vm.memory.on_write = vm.memory.on_write, self._stored

    def rest(self) -> None:
        """Tell no more."""
        vm = self._machine.vm
        vm.core.watch((), (), self._accessed)
        vm.memory.on_write = self._others

    def _accessed(self, number: int, access: Reached) -> bool:
        vm = self._machine.vm
        if vm.entered is None:
            return False
        at = vm.vcpus[vm.entered].retired + number - 1
        is_write, gpa, size = access
        before = vm.memory.peek(gpa, size) if is_write else None
        ends = self._tell(RamAccess(vm.entered, at, gpa, size, is_write, before))
        if ends:
            vm.attention.ask_stop()
        return ends

    def _stored(self, gpa: int, size: int) -> None:
        """Tell of what the engine stores, as when an event is delivered."""
        vm = self._machine.vm
        if self._others is not None:
            self._others(gpa, size)
        if vm.entered is None:
            return
        at = vm.vcpus[vm.entered].retired
        if self._tell(RamAccess(vm.entered, at, gpa, size, True, None)):  # noqa: FBT003
            vm.attention.ask_stop()
