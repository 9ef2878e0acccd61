"""Why an IPI was not for a vCPU: what its ICR names, and what was meant perhaps.

SDM Vol. 3A "Determining IPI Destination", "Interrupt Command Register (ICR)", "ICR
Operation in x2APIC Mode".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import destination, icr
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import BROADCAST_XAPIC
from lapis_engine.apic.regs import BOOT
from lapis_engine.vmm.startup import protocols
from lapis_engine.why.reason import Reason

if TYPE_CHECKING:
    from lapis_engine.apic.icr import Ipi
    from lapis_engine.cause import Cause
    from lapis_engine.events import IpiSent
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

MOST_IDS: Final = 4
"""Processors whose ids are told one by one."""
XAPIC_ID: Final = 24
"""Bits by which the id of xAPIC mode stands higher in the upper half of the ICR."""


def missed(vm: Vm, it: Vcpu, sent: IpiSent, *, x2apic: bool) -> Reason:
    """Return why `sent` did not come to `it`; the text goes on after its subject."""
    ipi = icr.decode(sent.icr, x2apic=x2apic, sender=sent.vcpu)
    values = {"icr": sent.icr, "destination": ipi.destination}
    dropped = sent.dropped
    if dropped is not None and not _is_absent(sent):
        others = _others(vm, it, ipi)
        if others:
            text = f"was for {others}, and was dropped: {dropped} (ICR {sent.icr:#x})"
            return Reason("elsewhere", text, values, blocks=True)
        return Reason(
            dropped.code,
            f"was dropped: {dropped} (ICR {sent.icr:#x})",
            values,
            blocks=True,
        )
    lost = _lost(vm, it, ipi)
    if lost is not None:
        return Reason(lost.code, lost.text, values, blocks=True)
    if ipi.shorthand != "none":
        return _shorthand(vm, it, ipi, values)
    deaf = _deaf(vm, it, ipi)
    if deaf is not None:
        return deaf
    hint = _hint(vm, it, ipi)
    name = "logical destination" if ipi.logical else "APIC id"
    head = f"{name} {ipi.destination:#x}"
    ids = _ldrs(vm) if ipi.logical else _ids(vm)
    if not sent.targets:
        text = f"went to {head}, which no APIC has ({ids}){hint}"
        return Reason("destination", text, values, blocks=True)
    if sent.targets == (sent.vcpu,):
        text = f"went to {head}, which is its sender ({ids}){hint}"
        return Reason("to-sender", text, values, blocks=True)
    names = ", ".join(f"vCPU {target}" for target in sent.targets)
    text = f"went to {head}, which is {names} ({ids}){hint}"
    return Reason("elsewhere", text, values, blocks=True)


def _is_absent(sent: IpiSent) -> bool:
    return sent.dropped is not None and sent.dropped.code == "destination"


def _others(vm: Vm, it: Vcpu, ipi: Ipi) -> str:
    """Return whom an IPI names that does not name this vCPU; nothing if it does."""
    if ipi.shorthand != "none" or destination.matches(ipi, it.apic):
        return ""
    named = [vcpu.id for vcpu in vm.vcpus if destination.matches(ipi, vcpu.apic)]
    return ", ".join(f"vCPU {number}" for number in named)


def _lost(vm: Vm, it: Vcpu, ipi: Ipi) -> Cause | None:
    """Return what the profile makes of an INIT or SIPI that names it, if it is lost."""
    if ipi.mode not in BOOT or ipi.shorthand == "self":
        return None
    excluded = ipi.shorthand == "all-but-self" and ipi.sender == it.id
    is_named = ipi.shorthand != "none" or destination.matches(ipi, it.apic)
    if excluded or not is_named:
        return None
    return protocols.of(vm.profile).lost(vm.profile, it)


def _shorthand(vm: Vm, it: Vcpu, ipi: Ipi, values: dict[str, int]) -> Reason:
    if ipi.shorthand == "self":
        text = "went to its sender alone: its shorthand is self"
        return Reason("to-sender", text, values, blocks=True)
    if ipi.shorthand == "all-but-self" and ipi.sender == it.id:
        text = "was for all excluding self, and this vCPU sent it itself"
        return Reason("excludes-self", text, values, blocks=True)
    if it.active and apic_state.hears(it.apic, vm.profile):
        text = (
            f"named vCPU {it.id} by a shorthand, which {vm.profile.name} does not look "
            "at: the id in ICRHI counts"
        )
        return Reason("shorthand", text, values, blocks=True)
    return _off(it, values)


def _off(it: Vcpu, values: dict[str, int]) -> Reason:
    """Say why an APIC that is named heard nothing."""
    if not it.active:
        text = f"did not come to vCPU {it.id}, which is not active"
        return Reason("inactive", text, values, blocks=True)
    base = it.apic.apicbase
    text = (
        f"was not heard: the APIC of vCPU {it.id} is switched off (APICBASE is "
        f"{base:#x}: EN, bit 11, is 0)"
    )
    return Reason("apic-off", text, {**values, "apicbase": base}, blocks=True)


def _deaf(vm: Vm, it: Vcpu, ipi: Ipi) -> Reason | None:
    """Return why an APIC that the destination names did not hear it."""
    if not destination.matches(ipi, it.apic):
        return None
    values = {"icr": ipi.icr, "destination": ipi.destination}
    if not it.active or not apic_state.hears(it.apic, vm.profile):
        return _off(it, values)
    return None


def _hint(vm: Vm, it: Vcpu, ipi: Ipi) -> str:
    """Return what the sender meant, if another reading names this vCPU."""
    own, high = apic_state.apic_id(it.apic), ipi.icr >> 32
    if ipi.x2apic and BROADCAST_XAPIC in {ipi.destination, high >> XAPIC_ID}:
        return "; in x2APIC mode everyone is 0xffffffff, and not 0xff"
    if ipi.x2apic and high == own << XAPIC_ID and own:
        return f"; in x2APIC mode the id is in bits 63:32, so {own:#x} is not shifted"
    if not ipi.x2apic and own and not ipi.destination:
        return "; in xAPIC mode the id is in bits 63:56 of the ICR, and they were 0"
    if ipi.logical and ipi.destination == own:
        return f"; {own:#x} is the APIC id of vCPU {it.id}, and bit 11 makes it logical"
    logical = apic_state.logical_id(it.apic)
    logical = logical if ipi.x2apic else logical >> XAPIC_ID
    if not ipi.logical and logical and ipi.destination == logical:
        return f"; it is the logical id of vCPU {it.id}, and bit 11 is 0: physical"
    return "" if ipi.logical else f"; vCPU {it.id} has {own:#x}" * _is_crowd(vm)


def _is_crowd(vm: Vm) -> bool:
    return len(vm.vcpus) > MOST_IDS


def _ids(vm: Vm) -> str:
    """Return who has which APIC id."""
    ids = [apic_state.apic_id(vcpu.apic) for vcpu in vm.vcpus]
    if _is_crowd(vm):
        return f"the ids are {min(ids):#x} to {max(ids):#x}"
    return ", ".join(f"vCPU {number} has {own:#x}" for number, own in enumerate(ids))


def _ldrs(vm: Vm) -> str:
    """Return who has which logical id."""
    ldrs = [apic_state.logical_id(vcpu.apic) for vcpu in vm.vcpus[:MOST_IDS]]
    more = ", ..." if _is_crowd(vm) else ""
    return f"the LDRs are {', '.join(f'{ldr:#x}' for ldr in ldrs)}{more}"
