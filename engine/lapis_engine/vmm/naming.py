"""Who is at an address, and what its register there is called.

Nothing here touches a device: what is asked for is a name. A name that depends on a
device's state (what has moved, what is behind an index) is that of the moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.apic import titles
from lapis_engine.apic.access import MSR_BASE
from lapis_engine.cpu.layout import EFER
from lapis_engine.devices.device import Device
from lapis_engine.units import MASK32
from lapis_engine.vmm import address_map, msr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.devices.device import RegisterName, Space
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

ICR_LOW: Final = 0x300
"""Offset of the low half of the interrupt command register in the APIC's page."""
PROCESSOR: Final = "processor"
"""Who serves the MSRs that are not the local APIC's."""
MSRS: Final[Mapping[int, tuple[str, str, str | None]]] = {
    msr.TSC: ("IA32_TIME_STAMP_COUNTER", "time-stamp counter", None),
    msr.APICBASE: ("IA32_APIC_BASE", "place and mode of the local APIC", "apicbase"),
    msr.TSC_ADJUST: ("IA32_TSC_ADJUST", "what was added to the counter", None),
    msr.TSC_DEADLINE: ("IA32_TSC_DEADLINE", "when the APIC timer fires", None),
    EFER: ("IA32_EFER", "long mode, SYSCALL, NX", None),
    msr.FS_BASE: ("IA32_FS_BASE", "base of FS", None),
    msr.GS_BASE: ("IA32_GS_BASE", "base of GS", None),
}
"""Those that are in no model, for every processor has them: name, text, and what
`explain` calls it (SDM Vol. 4)."""


class Named(NamedTuple):
    """What is at an address."""

    device: str | None
    """Who answers there; None is nobody."""
    register: str | None = None
    """As its manual calls it; None where it has no name."""
    text: str | None = None
    """What it is, in a few words."""
    explained: str | None = None
    """What `explain` calls its values."""
    within: int = 0
    """Bytes from the register's first to the address."""
    rest: int = 0
    """Bits of such a value that another register holds, in their place."""


NOBODY: Final = Named(None)


def name(vm: Vm, vcpu: Vcpu, kind: str, address: int, *, read: bool) -> Named:
    """Return what `vcpu` reaches there by an access of a `kind` of request."""
    match kind:
        case "msr":
            return _msr(vm, address)
        case "inout":
            found = vm.ports.find(address)
            return NOBODY if found is None else _device(found, "port", address, read)
        case _:
            return _mmio(vm, vcpu, address, read)


def _mmio(vm: Vm, vcpu: Vcpu, gpa: int, read: bool) -> Named:  # noqa: FBT001 - a fact of the access
    server = address_map.mmio(vm, vcpu, gpa)
    if server is None:
        return NOBODY
    if isinstance(server, int):
        found = titles.of(server & ~0xF)
        if found is None:
            return Named(address_map.APIC)
        is_icr = server & ~0xF == ICR_LOW
        rest = vcpu.apic.icr & ~MASK32 if is_icr else 0  # whom it is sent to
        return Named(address_map.APIC, *found, server & 0xF, rest)
    if isinstance(server, Device):
        return _device(server, "mmio", gpa, read)
    return Named(server.name)


def _device(device: Device, space: Space, address: int, read: bool) -> Named:  # noqa: FBT001 - a fact of the access
    found = _register(device, space, address, read)
    if found is None:
        return Named(device.name)
    return Named(
        device.name,
        found.name,
        found.text,
        found.explained,
        address - found.first,
        found.rest,
    )


def _register(
    device: Device,
    space: Space,
    address: int,
    read: bool,  # noqa: FBT001 - a fact of the access
) -> RegisterName | None:
    now = () if device.registers_now is None else device.registers_now(device.state)
    for each in (*now, *device.registers):
        if each.holds(space, address, read=read):
            return each
    return None


def _msr(vm: Vm, number: int) -> Named:
    if msr.is_x2apic(number):
        found = titles.of((number - MSR_BASE) * 16)
        return Named(address_map.APIC, *(found or ()))
    if not msr.is_known(number, vm.profile, vm.cpu.model):
        return NOBODY
    server = address_map.APIC if number == msr.APICBASE else PROCESSOR
    if number in MSRS:
        return Named(server, *MSRS[number])
    known = vm.cpu.model.msrs.get(number)
    return Named(server, None if known is None else known.name)
