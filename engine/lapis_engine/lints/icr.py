"""Lints about IPIs: how the ICR is written, and whom it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import capstone

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.destination import CLUSTER, FLAT
from lapis_engine.apic.regs import DFR_MODEL
from lapis_engine.cpu.disasm import detailed
from lapis_engine.cpu.registers import CS
from lapis_engine.errors import EngineError
from lapis_engine.lints.state import Finding
from lapis_engine.lints.traffic import where
from lapis_engine.vmm import guest_memory

if TYPE_CHECKING:
    from lapis_engine.apic.icr import Ipi
    from lapis_engine.events import IpiSent, MessageSent
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

SOON: Final = 16
"""Instructions from one ICR write to the next within which nothing else was meant."""
SPAN: Final = 128
"""Bytes of code that such a stretch has at most."""
WORDS: Final = {"init": "INIT", "sipi": "SIPI"}


def _ipi(vm: Vm, event: IpiSent) -> Ipi:
    x2apic = apic_state.mode(vm.vcpus[event.vcpu].apic) == "x2apic"
    return apic_icr.decode(event.icr, x2apic=x2apic, sender=event.vcpu)


def init_level_clear(vm: Vm, _memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Find an INIT that is neither asserted nor a de-assert."""
    if event.mode != "init":
        return None
    return _level_clear(vm, "init-level-clear", event)


def sipi_level_clear(vm: Vm, _memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Find a SIPI that is not asserted."""
    if event.mode != "sipi":
        return None
    return _level_clear(vm, "sipi-level-clear", event)


def _level_clear(vm: Vm, name: str, event: IpiSent) -> Finding | None:
    ipi = _ipi(vm, event)
    if ipi.assert_ or ipi.level:  # level-triggered and clear is a de-assert
        return None
    place = where(vm, event.vcpu)
    fate = "it is taken here" if event.dropped is None else str(event.dropped)
    text = (
        f"{WORDS[event.mode]} with the level bit (14) clear, ICR {event.icr:#x}: "
        f"{fate}; by {place}"
    )
    return Finding(name, event.vcpu, place, text, (("icr", event.icr),))


def busy(vm: Vm, memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Find an ICR of xAPIC mode that is written while an IPI may be on its way.

    That is one that a rule of the user's holds back, or the one before it, when the
    code between the two writes has not looked at anything.
    """
    vcpu = vm.vcpus[event.vcpu]
    if vm.entered != vcpu.id or apic_state.mode(vcpu.apic) != "xapic":
        return None
    now = (vcpu.retired, vcpu.regs.rip)
    before = memory.get(str(vcpu.id))
    memory[str(vcpu.id)] = now
    flying = vm.interference.held
    held = [it for it in flying if it.ipi.sender == vcpu.id] if flying else None
    if held:
        ago, why = 0, f"the one to vCPU {held[0].target} is still on its way"
    elif before is None or not _went_straight(vm, vcpu, before, now):
        return None
    else:
        ago = now[0] - before[0]
        why = f"nothing was read since the write {ago} instructions before"
    place = where(vm, vcpu.id)
    text = f"ICR {event.icr:#x} written without a look at delivery status: {why}; by "
    values = (("icr", event.icr), ("instructions", ago))
    return Finding("icr-busy", vcpu.id, place, text + place, values)


def _went_straight(
    vm: Vm, vcpu: Vcpu, before: tuple[int, int], now: tuple[int, int]
) -> bool:
    """Tell whether the code from one write to the next only stores and computes."""
    (was, begin), (retired, end) = before, now
    count = retired - was
    if not 0 < count <= SOON or not 0 < end - begin <= SPAN:
        return False
    base = vcpu.regs.base(CS)
    begin, end = base + begin, base + end
    try:
        code = guest_memory.read(vm.memory, vcpu, begin, end - begin)
    except EngineError:
        return False
    found = list(detailed(vcpu.regs.code_bits).disasm(code, begin))
    if len(found) != count or sum(it.size for it in found) != end - begin:
        return False
    return not any(_looks(it) for it in found[1:])


def _looks(it: capstone.CsInsn) -> bool:
    """Tell whether an instruction reads memory, or goes elsewhere."""
    if it.group(capstone.CS_GRP_JUMP) or it.group(capstone.CS_GRP_CALL):
        return True
    return any(
        operand.type == capstone.x86.X86_OP_MEM and operand.access & capstone.CS_AC_READ
        for operand in it.operands
    )


def self_by_id(vm: Vm, _memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Find a fixed IPI that names its own sender by its physical id."""
    if event.mode != "fixed" or event.targets != (event.vcpu,) or vm.entered is None:
        return None
    ipi = _ipi(vm, event)
    if ipi.logical or ipi.shorthand != "none":
        return None
    place = where(vm, event.vcpu)
    text = f"vector {ipi.vector:#04x} to itself by APIC id {ipi.destination:#x}, "
    values = (("icr", event.icr), ("id", ipi.destination))
    return Finding("self-by-id", event.vcpu, place, f"{text}by {place}", values)


# Logical ids.


def logical_of_ipi(vm: Vm, memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Find an IPI by a logical id that two processors have."""
    if len(event.targets) < 2 and event.mode != "lowest":
        return None
    ipi = _ipi(vm, event)
    if not ipi.logical or ipi.shorthand != "none":
        return None
    return _shared_id(vm, memory, event.vcpu)


def logical_of_message(
    vm: Vm, memory: dict[str, Any], event: MessageSent
) -> Finding | None:
    """Find the same of an interrupt that went to several, or to one of several."""
    if not event.targets or (len(event.targets) < 2 and event.mode != "lowest"):
        return None
    return _shared_id(vm, memory, event.targets[0])


def _shared_id(vm: Vm, memory: dict[str, Any], number: int) -> Finding | None:
    """Find two processors that answer to one bit; look when an LDR has changed."""
    apics = [
        (vcpu.id, vcpu.apic.ldr >> 24, DFR_MODEL.get(vcpu.apic.dfr))
        for vcpu in vm.vcpus
        if apic_state.mode(vcpu.apic) == "xapic" and apic_state.is_enabled(vcpu.apic)
    ]
    if memory.get("seen") == apics:
        return None
    memory["seen"] = apics
    for at, (one, id_of_one, model) in enumerate(apics):
        for other, id_of_other, its_model in apics[at + 1 :]:
            if model == its_model and _overlap(id_of_one, id_of_other, model):
                who = f"vCPU {one} ({id_of_one:#04x}) and vCPU {other}"
                text = f"logical ids of {who} ({id_of_other:#04x}) overlap"
                values = (("id", id_of_one), ("other", other), ("its", id_of_other))
                place = f"vCPU {one} vCPU {other}"
                return Finding("logical-id-shared", number, place, text, values)
    return None


def _overlap(one: int, other: int, model: int) -> bool:
    if model == FLAT:
        return bool(one & other)
    return model == CLUSTER and one >> 4 == other >> 4 and bool(one & other & 0xF)
