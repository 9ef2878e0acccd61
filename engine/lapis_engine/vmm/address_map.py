"""Who serves an address: the one place that answers, for every kind of access.

The guest's own accesses, KERNEMU's, the user's and the traps' all ask here. Not here:
the access itself (`bus`), and whether a trap takes it from whoever would serve it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from lapis_engine.apic import state as apic_state
from lapis_engine.devices.device import Device
from lapis_engine.errors import EngineError
from lapis_engine.units import PAGE
from lapis_engine.vmm.traps import LIMITS, Trap, hits, of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.memory.physical import Region
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

    Server: TypeAlias = int | Device | Region

APIC_MSRS: Final = ((0x1B, 1), (0x6E0, 1), (0x800, 0x100))
"""IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC registers: (first, size)."""
APIC: Final = "local APIC"


def mmio(vm: Vm, vcpu: Vcpu, gpa: int) -> Server | None:
    """Return who serves `gpa` for `vcpu`, or None.

    That is its APIC, as the offset in the page; or a device; or memory.
    """
    apic = vcpu.apic
    offset = gpa - apic_state.base(apic)
    is_page = 0 <= offset < PAGE
    if is_page and (
        apic_state.mode(apic) == "xapic" or vm.profile.mmio_off != "memory"
    ):
        return offset
    return vm.mmio.find(gpa) or vm.memory.region(gpa)


def device_name(server: Server) -> str | None:
    """Return the name of a device, the APIC one of them; None is memory."""
    if isinstance(server, int):
        return APIC
    return server.name if isinstance(server, Device) else None


# Traps.


def trap(vm: Vm, space: str, first: int, size: int) -> Trap:
    """Set a trap; raise `EngineError` when there cannot be one."""
    traps = of(vm.traps, space)
    wanted = Trap(vm.traps.next_number, space, first, size)
    _check(vm, wanted, traps)
    vm.traps.next_number += 1
    traps.append(wanted)
    return wanted


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
    """Tell whether it covers some APIC, be that in xAPIC mode now or not."""
    if trap.space == "mmio":
        pages = {apic_state.base(vcpu.apic) for vcpu in vm.vcpus}
        return any(hits([trap], page, PAGE) for page in pages)
    return trap.space == "msr" and any(hits([trap], *msrs) for msrs in APIC_MSRS)


def trapped_server(vm: Vm, trap: Trap) -> str | None:
    """Return the name of who would serve the first address of a trap, or None."""
    if _has_apic(vm, Trap(0, trap.space, trap.first, 1)):
        return APIC
    space = {"mmio": vm.mmio, "port": vm.ports}.get(trap.space)
    device = None if space is None else space.find(trap.first)
    return None if device is None else device.name
