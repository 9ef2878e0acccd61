"""Why the destination of an IPI names a vCPU, or does not.

SDM Vol. 3A "Determining IPI Destination", "Lowest Priority Delivery Mode"; whether it
does is decided by `apic.destination`, and only put into words here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.apic import destination as apic_destination
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import BROADCAST_X2APIC, BROADCAST_XAPIC
from lapis_engine.apic.regs import BOOT, DFR_MODEL
from lapis_engine.vmm.startup import protocols
from lapis_engine.why.reason import Reason

if TYPE_CHECKING:
    from lapis_engine.apic.icr import Ipi
    from lapis_engine.apic.state import ApicState
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def way(vm: Vm, vcpu: Vcpu, ipi: Ipi, *, reached: bool) -> Reason:
    """Return the rule by which the IPI reaches `vcpu`, or does not."""
    profile = vm.profile
    if ipi.mode in BOOT and protocols.of(profile).by_id_alone(profile):
        return _icrhi(vm, vcpu, ipi, reached=reached)
    if ipi.shorthand == "self":
        verb = "is" if reached else "is not"
        text = f"the shorthand is self, and vCPU {vcpu.id} {verb} the sender"
        return _told("shorthand", text, reached, sender=ipi.sender)
    if not vcpu.active:
        text = f"vCPU {vcpu.id} is not active, and does not count for destinations"
        return _told("inactive", text, False, vcpu=vcpu.id)  # noqa: FBT003
    if not apic_state.hears(vcpu.apic, profile):
        base = vcpu.apic.apicbase
        text = f"APICBASE is {base:#x}: EN (bit 11) is 0, and it hears nothing"
        return _told("apicbase", text, False, apicbase=base)  # noqa: FBT003
    named = _shorthand(vcpu, ipi) or _destination(vcpu.apic, ipi)
    if ipi.mode == "lowest" and not named.blocks:
        return _lowest(vm, vcpu, ipi, reached=reached)
    return named


def ids(vcpu: Vcpu) -> str:
    """Return by what ids a message may name a vCPU, in words."""
    wide = apic_state.mode(vcpu.apic) == "x2apic"
    logical = apic_state.logical_id(vcpu.apic) >> (0 if wide else 24)
    return f"APIC id {apic_state.apic_id(vcpu.apic):#x} and logical id {logical:#x}"


def _icrhi(vm: Vm, vcpu: Vcpu, ipi: Ipi, *, reached: bool) -> Reason:
    """Say whom INIT or SIPI names where the id in ICRHI alone counts."""
    text = f"ICRHI names vCPU {ipi.destination:#x}, and the shorthand is not read"
    if ipi.logical and not protocols.of(vm.profile).takes_logical:
        text = "it is logical, and only the physical id in ICRHI counts"
    elif not reached and ipi.destination == vcpu.id:
        text = f"ICRHI names vCPU {vcpu.id:#x}, which is the sender itself"
    return _told("icrhi", text, reached, destination=ipi.destination)


def _told(rule: str, text: str, reached: bool, **values: int) -> Reason:  # noqa: FBT001 - the verdict
    return Reason(rule, text, values, blocks=not reached)


def _shorthand(vcpu: Vcpu, ipi: Ipi) -> Reason | None:
    if ipi.shorthand == "none":
        return None
    if ipi.shorthand == "all-but-self" and vcpu.id == ipi.sender:
        text = f"the shorthand is all-but-self, and vCPU {vcpu.id} is the sender"
        return _told("shorthand", text, False, sender=ipi.sender)  # noqa: FBT003
    text = f"the shorthand is {ipi.shorthand}"
    return _told("shorthand", text, True, sender=ipi.sender)  # noqa: FBT003


def _destination(apic: ApicState, ipi: Ipi) -> Reason:
    reached, mda = apic_destination.matches(ipi, apic), ipi.destination
    everyone = BROADCAST_X2APIC if ipi.x2apic else BROADCAST_XAPIC
    if mda == everyone:
        return _told("broadcast", f"{mda:#x} is everyone", reached, destination=mda)
    if not ipi.logical:
        own = apic_state.apic_id(apic)
        verb = "is" if reached else "is not"
        text = f"physical: {mda:#x} {verb} its APIC id {own:#x}"
        return _told("physical-id", text, reached, destination=mda, id=own)
    ldr = apic_state.logical_id(apic)
    if apic_state.mode(apic) == "x2apic":
        return _cluster("x2apic-cluster", mda, ldr, 16, reached=reached)
    return _xapic_logical(apic, mda & 0xFF, ldr >> 24, reached=reached)


def _xapic_logical(apic: ApicState, mda: int, own: int, *, reached: bool) -> Reason:
    """Put xAPIC logical mode into words: the DFR of the target says how."""
    model = DFR_MODEL.get(apic.dfr)
    if model == apic_destination.CLUSTER:
        found = _cluster("logical-cluster", mda, own, 4, reached=reached)
        text = f"{found.text}, as its DFR {apic.dfr:#x} has the cluster model"
        return replace(found, text=text)
    if model == apic_destination.FLAT:
        both = mda & own
        text = f"logical flat: MDA {mda:#04x} & its LDR {own:#04x} is {both:#04x}"
        return _told("logical-flat", text, reached, mda=mda, ldr=own, both=both)
    text = f"logical: its DFR {apic.dfr:#x} is a reserved model and matches nothing"
    return _told("dfr-reserved", text, reached, dfr=apic.dfr, mda=mda)


def _cluster(rule: str, mda: int, own: int, width: int, *, reached: bool) -> Reason:
    """Compare clusters above `width` bits of members."""
    mask = (1 << width) - 1
    clusters, members = (mda >> width, own >> width), mda & own & mask
    verb = "is" if clusters[0] == clusters[1] else "is not"
    kind = "x2APIC cluster" if width == 16 else "logical cluster"
    text = (
        f"{kind}: {clusters[0]:#x} {verb} its cluster {clusters[1]:#x}, and members "
        f"{mda & mask:#x} & {own & mask:#x} is {members:#x}"
    )
    return _told(rule, text, reached, mda=mda, ldr=own, both=members)


def _lowest(vm: Vm, vcpu: Vcpu, ipi: Ipi, *, reached: bool) -> Reason:
    """Say who wins lowest priority among those that the IPI names."""
    apic = vcpu.apic
    if not apic_state.is_enabled(apic):
        text = f"lowest priority: SVR is {apic.svr:#x}, so it takes no part"
        return _told("lowest-priority", text, reached, svr=apic.svr)
    active = [v.apic for v in vm.vcpus if v.active]
    (number,) = apic_destination.targets(ipi, active, vm.profile)
    winner = vm.vcpus[number].apic
    own, best = apic.ppr >> 4, winner.ppr >> 4
    values = {"ppr": apic.ppr, "winner": number, "best": winner.ppr}
    if reached:
        text = f"lowest priority: it wins with PPR class {own}"
    elif own == best:
        text = (
            f"lowest priority: vCPU {number} has PPR class {best} too and comes first"
        )
    else:
        text = f"lowest priority: vCPU {number} wins, PPR class {best} against {own}"
    return _told("lowest-priority", text, reached, **values)
