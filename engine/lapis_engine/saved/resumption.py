"""Going on with a machine that ran elsewhere: its state, put onto one that has not run.

# Not modelled: what is on its way between processors, and devices but the 8259 pair and
the IOAPIC: they are as after reset.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.cpu.model.catalog import cpu_named
from lapis_engine.saved import events as saved_events
from lapis_engine.saved import processor, system, transfer
from lapis_engine.saved.events import SavedEvents
from lapis_engine.saved.lapic import RecordError
from lapis_engine.vmm import run_state

if TYPE_CHECKING:
    from lapis_engine.boot.machine_state import MachineState, ProcessorState
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


def fitted(state: MachineState, cpu: str) -> tuple[MachineState, tuple[str, ...]]:
    """Return the state as a processor of model `cpu` can have it, and what changed.

    Raises `RecordError` for what cannot be, and `ConfigError` for an unknown model.
    """
    model = cpu_named(cpu, "none").model
    said: list[str] = []
    processors = []
    for number, each in enumerate(state.processors):
        found, changed = processor.fitted(each, model, f"vCPU {number}")
        processor.check(found, model)
        processors.append(found)
        said += changed
    return replace(state, processors=tuple(processors)), tuple(said)


def put(vm: Vm, state: MachineState) -> None:
    """Put `state` onto a machine; raise `RecordError`, and then it is of no use."""
    if len(state.processors) != len(vm.vcpus):
        why = f"{len(state.processors)} of them, on {len(vm.vcpus)} vCPUs"
        raise RecordError("processors", "BAD_COUNT", why)
    for each in state.processors:
        processor.check(each, vm.cpu.model)
    for vcpu, each, apic in zip(vm.vcpus, state.processors, state.apics, strict=True):
        processor.put(vcpu, each)
        events = saved_events.to_fields(_events(each))
        saved = {**apic, "events": events}
        transfer.import_apic(vm, vcpu, saved, state.source, lenient=True)
        _place(vm, vcpu, each)
        vm.core.arm_guest(vcpu.regs, vcpu.linear.peek)
    system.import_system(vm, state.system)
    vm.timers.moved = vm.attention.kick = True


def _events(state: ProcessorState) -> SavedEvents:
    return SavedEvents(
        run_state=run_state.INIT if state.waits else run_state.RUN,
        halted=0 if state.waits else state.halted,
    )


def _place(vm: Vm, vcpu: Vcpu, state: ProcessorState) -> None:
    """Have a vCPU be as far as it is, under whatever protocol starts vCPUs."""
    mask = 1 << vcpu.id
    if state.waits:
        vm.startup_cpus |= mask
        return
    vcpu.active = True
    vm.debug_cpus &= ~mask
    vm.spinup.running |= mask
