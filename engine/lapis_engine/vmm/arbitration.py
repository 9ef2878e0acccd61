"""What goes into the processor at an entry: at most one event, in a fixed order.

bhyve `svm_inject_events`, `vcpu_run_state`: the event that an exit interrupted, then
NMI, then ExtINT, then the APIC's vector; the rest waits for a window.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.apic import state as apic_state
from lapis_engine.breaches.found import NEED_CODE, find, find_by_code
from lapis_engine.cause import Undelivered
from lapis_engine.cpu.delivery import Pending, deliver_all
from lapis_engine.cpu.fault import NMI_VECTOR, PF_
from lapis_engine.cpu.intercepts import IRET
from lapis_engine.devices.device import ExtIntChanged
from lapis_engine.devices.pic import priority as pic
from lapis_engine.events import (
    ExceptionRaised,
    ExtIntDelivered,
    NmiDelivered,
    Woken,
)
from lapis_engine.vie import fetch
from lapis_engine.vmm import fabric, run_state
from lapis_engine.vmm.startup import init_sipi, reset

if TYPE_CHECKING:
    from lapis_engine.cpu.fault import GuestFault
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def boot(vm: Vm, vcpu: Vcpu) -> bool:
    """Move the boot state machine (`vm_handle_run_state`); tell whether it runs."""
    vm.core.answers.forget()
    if vcpu.run_state & run_state.PEND_INIT:
        restart = vcpu.id == 0 and vm.profile.bsp_restarts_on_init
        _init(vm, vcpu)
        vm.note(init_sipi.take_init(vcpu, restart=restart))
    started = init_sipi.take_sipi(vcpu)
    if started is not None:
        reset.start_at(vcpu.regs, vcpu.sipi_vector)
        vm.note(started)
    return bool(vcpu.run_state & run_state.RUN)


def _init(vm: Vm, vcpu: Vcpu) -> None:
    """INIT: registers, APIC and everything that was pending (`vcpu_arch_reset`)."""
    reset.reset(vcpu.regs)
    vm.core.intercept(vcpu.regs, IRET, on=False)
    apic_state.init(vcpu.apic, vm.profile)
    vcpu.vie.reset()
    vcpu.event, vcpu.stopped_at, vcpu.debug_due = None, None, 0
    vcpu.mode, vcpu.mode_watch = vcpu.regs.mode, 0
    vcpu.nmi_pending = vcpu.nmi_blocked = vcpu.halted = False
    vcpu.extint_pending = vcpu.in_ss_shadow = False
    vm.timers.moved = True


def wake(vm: Vm, vcpu: Vcpu) -> bool:
    """Tell whether a halted vCPU goes on, and let it."""
    why = wake_reason(vm, vcpu)
    if why:
        vcpu.halted = False
        vm.note(Woken(vcpu.id, why))
    return bool(why)


def wakes(vm: Vm, vcpu: Vcpu) -> bool:
    """Tell whether something wakes a halted vCPU now."""
    ready = vcpu.apic.irr and priority.deliverable(vcpu.apic) is not None
    if ready and vcpu.regs.interrupts:  # nearly always what it is
        return True
    return bool(wake_reason(vm, vcpu))


def wake_reason(vm: Vm, vcpu: Vcpu) -> str:
    """Say what wakes a halted vCPU now, or nothing."""
    if vcpu.event is not None:
        return "an event in delivery"
    if vcpu.run_state & run_state.PEND_INIT:
        return "INIT"
    if vcpu.nmi_pending and not vcpu.nmi_blocked:
        return "NMI"
    if vcpu.regs.interrupts:
        vector = priority.deliverable(vcpu.apic)
        if vector is not None:
            return f"vector {vector:#04x}"
        if fabric.extint_pending(vm, vcpu):
            return "ExtINT"
    return ""


def inject(vm: Vm, vcpu: Vcpu) -> bool:
    """Deliver one event if one can be; tell whether a window is wanted."""
    regs = vcpu.regs
    if vcpu.apic.isrvec is not None:
        fault = priority.stack_fault(vcpu.apic)
        if fault is not None:
            vm.fault(fault)
            return False
    if vcpu.event is not None:
        event, vcpu.event = vcpu.event, None
        _deliver(vm, vcpu, event)
        return _wants_window(vm, vcpu)
    if vcpu.nmi_pending and not vcpu.nmi_blocked and not regs.shadow:
        vcpu.nmi_pending, vcpu.nmi_blocked = False, True
        vm.core.intercept(regs, IRET, on=True)
        vm.note(NmiDelivered(vcpu.id))
        _deliver(vm, vcpu, Pending(NMI_VECTOR, "nmi", None))
        return _wants_window(vm, vcpu)
    if not _wants_window(vm, vcpu):
        return False
    if not regs.interrupts or regs.shadow:
        return True
    vm.core.answers.forget()
    vector = _acknowledge(vm, vcpu)
    _deliver(vm, vcpu, Pending(vector, "external", None))
    return _wants_window(vm, vcpu)


def _wants_window(vm: Vm, vcpu: Vcpu) -> bool:
    if vcpu.apic.irr and priority.deliverable(vcpu.apic) is not None:
        return True
    return vm.pic is not None and fabric.extint_pending(vm, vcpu)


def _acknowledge(vm: Vm, vcpu: Vcpu) -> int:
    """INTA: ExtINT before the APIC's vector, whatever the PPR."""
    if vm.pic is not None and fabric.extint_pending(vm, vcpu):
        vcpu.extint_pending, before = False, vm.pic.intr
        vector = pic.acknowledge(vm.pic)
        vm.note(ExtIntDelivered(vcpu.id, vector))
        if vm.pic.intr != before:
            fabric.signal(vm, (ExtIntChanged(vm.pic.intr),), vcpu.id)
        return vector
    delivered = priority.deliver(vcpu.apic)
    vm.note(delivered)
    return delivered.vector


def _deliver(vm: Vm, vcpu: Vcpu, event: Pending) -> None:
    rip = vcpu.regs.rip
    if event.rule is None and event.kind == "exception":
        event = _with_rule(vm, vcpu, event)
    tried = deliver_all(vcpu.regs, vcpu.linear, event)
    for item, fault in zip(tried.events, tried.faults, strict=True):
        if item.kind in {"exception", "software"}:
            cr2 = item.cr2 if item.vector == PF_ else None
            software = item.kind == "software"
            what = vcpu.id, item.vector, item.error, rip, cr2, software
            why = item.rule, item.values, None if fault is None else _undelivered(fault)
            vm.note(ExceptionRaised(*what, *why))
    if tried.is_triple:
        vm.triple_fault(vcpu)


def _with_rule(vm: Vm, vcpu: Vcpu, event: Pending) -> Pending:
    """Return a fault of the processor's with the rule that was broken, if it is known.

    The processor is where it faulted, and nothing has changed since.
    """
    fault = event.vector, event.error, event.cr2
    if event.vector in NEED_CODE:
        code = fetch.fetch(vcpu.regs, vcpu.linear, vm.memory)
        found = find_by_code(vcpu.regs, vcpu.linear, vm.memory, code, fault)
    else:
        found = find(vcpu.regs, vcpu.linear, fault)
    if found is None:
        return event
    return replace(event, rule=found[0], values=found[1])


def _undelivered(fault: GuestFault) -> Undelivered:
    cr2 = fault.cr2 if fault.vector == PF_ else None
    return Undelivered(fault.vector, fault.error, cr2, fault.rule, fault.values)
