"""Traps: addresses, ports and MSRs whose accesses go to the user, whoever serves them.

What the engine models stays as it is and is not asked: the user answers in its place.
`bus` and `handlers` look here first; without traps that costs them one test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.apic import state as apic_state
from lapis_engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.vmm.vm import Vm

LIMITS: Final = {"mmio": 1 << 48, "port": 1 << 16, "msr": 1 << 32}
"""Spaces, and how many addresses each has; 48 bits are what a page table can name."""
APIC_PAGE: Final = 0x1000
APIC_MSRS: Final = ((0x1B, 1), (0x6E0, 1), (0x800, 0x100))
"""IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC registers: (first, size)."""


@dataclass(frozen=True, slots=True)
class Trap:
    """A range whose accesses go to the user."""

    number: int
    space: str
    """mmio, port or msr."""
    first: int
    size: int

    @property
    def text(self) -> str:
        """The trap in words."""
        size = f"/{self.size:#x}" if self.size > 1 else ""
        return f"trap {self.number}: {self.space} {self.first:#x}{size}"


@dataclass(slots=True)
class TrapState:
    """All traps, by space, each in the order in which they were set."""

    mmio: list[Trap] = field(default_factory=list)
    port: list[Trap] = field(default_factory=list)
    msr: list[Trap] = field(default_factory=list)
    next_number: int = 1
    """Numbers of traps are not used again."""


def of(state: TrapState, space: str) -> list[Trap]:
    """Return the traps of a space; raise `EngineError` when there is no such space."""
    if space not in LIMITS:
        raise EngineError(f"there is no space {space!r}: {', '.join(LIMITS)}")
    found: list[Trap] = getattr(state, space)
    return found


def listed(state: TrapState) -> list[Trap]:
    """Return all traps by number."""
    every = [*state.mmio, *state.port, *state.msr]
    return sorted(every, key=lambda trap: trap.number)


def hits(traps: Sequence[Trap], address: int, size: int) -> bool:
    """Tell whether an access touches one of them."""
    return any(
        trap.first < address + size and address < trap.first + trap.size
        for trap in traps
    )


def add(vm: Vm, space: str, first: int, size: int) -> Trap:
    """Set a trap; raise `EngineError` when there cannot be one."""
    traps = of(vm.traps, space)
    trap = Trap(vm.traps.next_number, space, first, size)
    _check(vm, trap, traps)
    vm.traps.next_number += 1
    traps.append(trap)
    return trap


def clear(state: TrapState, number: int | None = None) -> None:
    """Take one trap away, or all; what is pending from it still is.

    Raises `EngineError` when there is no such trap.
    """
    every = listed(state)
    if number is not None and all(trap.number != number for trap in every):
        known = ", ".join(str(trap.number) for trap in every) or "none"
        raise EngineError(f"there is no trap {number}; there are: {known}")
    for traps in (state.mmio, state.port, state.msr):
        traps[:] = [t for t in traps if number is not None and t.number != number]


def _check(vm: Vm, trap: Trap, traps: Sequence[Trap]) -> None:
    what = f"{trap.space} {trap.first:#x}/{trap.size:#x} cannot be trapped"
    limit = LIMITS[trap.space]
    if trap.size < 1 or trap.first < 0 or trap.first + trap.size > limit:
        raise EngineError(
            f"{what}: a range has at least 1 address and ends by {limit - 1:#x}"
        )
    for other in traps:
        if hits([other], trap.first, trap.size):
            raise EngineError(f"{what}: it overlaps {other.text}")
    if trap.space == "mmio":
        for region in vm.memory.regions:
            if hits([trap], region.gpa, region.size):
                raise EngineError(
                    f"{what}: {region.name} is at {region.gpa:#x} to "
                    f"{region.end - 1:#x}, which the processor reaches by itself"
                )
    if not vm.profile.lapic_trappable and _has_apic(vm, trap):
        raise EngineError(
            f"{what}: in profile {vm.profile.name} the local APIC is always the "
            f"engine's (switch lapic_trappable)"
        )


def _has_apic(vm: Vm, trap: Trap) -> bool:
    if trap.space == "mmio":
        pages = {apic_state.base(vcpu.apic) for vcpu in vm.vcpus}
        return any(hits([trap], page, APIC_PAGE) for page in pages)
    return trap.space == "msr" and any(hits([trap], *msrs) for msrs in APIC_MSRS)


def server(vm: Vm, trap: Trap) -> str:
    """Say who would serve the first address of a trap, or nothing."""
    if _has_apic(vm, Trap(0, trap.space, trap.first, 1)):
        return "local APIC"
    space = {"mmio": vm.mmio, "port": vm.ports}.get(trap.space)
    device = None if space is None else space.find(trap.first)
    return "" if device is None else device.name
