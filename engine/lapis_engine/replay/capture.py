"""Taking a checkpoint of a machine, and putting it back."""

from __future__ import annotations

# A compiled record looks up the classes of its fields when it is made.
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lapis_engine.copies import copied
from lapis_engine.replay import pages
from lapis_engine.replay.parts import parts

if TYPE_CHECKING:
    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.pages import Pages
    from lapis_engine.vmm.written import Written

EVENTS: Final = 4096
"""Events that a checkpoint keeps, for those who look back from it."""


class Position(NamedTuple):
    """A point in the life of a machine; later ones compare greater."""

    retired: int
    """Instructions of all vCPUs since the machine was made."""
    seq: int
    """Number of the next event."""
    now: int
    """Virtual time, ns."""

    @property
    def text(self) -> str:
        """The point in words."""
        return f"instruction {self.retired}, event {self.seq}, {self.now} ns"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a machine at one point. Belongs to that machine alone."""

    at: Position
    retired: tuple[int, ...]
    """Instructions of each vCPU."""
    registers: tuple[bytes, ...]
    """Raw processor state of each vCPU."""
    parts: tuple[tuple[Any, ...], ...]
    """Values of the fields of `parts.parts`."""
    pages: Pages
    events: tuple[Logged, ...]
    """The last ones, oldest first."""
    printed: int
    """Bytes of what the guest printed."""
    writes: Mapping[str, tuple[Written, ...]]
    """The last ones to what makes interrupts; no state."""


def position(machine: Machine) -> Position:
    """Return where a machine is."""
    retired = sum([vcpu.retired for vcpu in machine.vcpus])
    return Position(retired, machine.log.next_seq, machine.now)


def take(machine: Machine, base: Checkpoint | None = None) -> Checkpoint:
    """Return the state; pages that are as in `base` are shared with it."""
    values = tuple(
        tuple(copied([getattr(part.holder, name) for name in part.fields]))
        for part in parts(machine)
    )
    return Checkpoint(
        position(machine),
        tuple(vcpu.retired for vcpu in machine.vcpus),
        tuple(vcpu.regs.context.state_bytes() for vcpu in machine.vcpus),
        values,
        pages.take(machine.vm.memory, base.pages if base is not None else None),
        tuple(machine.log.last(EVENTS)),
        sum(map(len, machine.consoles.values())),
        dict(machine.vm.writes),
    )


def put(machine: Machine, checkpoint: Checkpoint) -> None:
    """Make the machine what it was; breakpoints stay as they are now."""
    for part, values in zip(parts(machine), checkpoint.parts, strict=True):
        for name, value in zip(part.fields, copied(values), strict=True):
            setattr(part.holder, name, value)
    for vcpu, raw in zip(machine.vcpus, checkpoint.registers, strict=True):
        vcpu.regs.context.load_bytes(raw)
        vcpu.stopped_at = None
    machine.log.restore(checkpoint.events, checkpoint.at.seq)
    machine.vm.writes = dict(checkpoint.writes)
    machine.vm.core.answers.forget()
    machine.vm.timers.moved = True
    pages.put(machine.vm.memory, checkpoint.pages)
    machine.vm.map_anew()
