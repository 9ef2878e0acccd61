"""Where what one APIC or device has to say reaches another: the only router.

Transitions return records; this carries each to its targets and writes down what
happened, in a fixed order (targets ascending).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import destination as apic_destination
from lapis_engine.apic import icr_rules, lvt
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import Ipi, icr_text
from lapis_engine.apic.outcome import Failed, LocalInterrupt, Outcome
from lapis_engine.apic.regs import BOOT, LVT_MASKED
from lapis_engine.cause import Cause
from lapis_engine.devices import device
from lapis_engine.devices.ioapic import pins
from lapis_engine.devices.pic import priority as pic
from lapis_engine.devices.pic.regs import CASCADE
from lapis_engine.events import (
    EngineFault,
    IoapicEnded,
    IpiSent,
    MessageSent,
    NmiReceived,
    Oddity,
    PinChanged,
    VectorAccepted,
    VectorEnded,
)
from lapis_engine.vmm import exits, interference, unreached
from lapis_engine.vmm.startup import init_sipi, protocols, startup_cpus
from lapis_engine.vmm.unreached import Unreached

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vmm.entry import Context
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

UNIMPLEMENTED: Final = frozenset({"lowest", "smi", "remote-read"})
ABSENT: Final = Cause("destination", "no APIC has that destination")
"""Why an IPI or message that names nobody is dropped."""
ELSEWHERE: Final = Cause("elsewhere", "it went elsewhere")
"""Why one that names a vCPU and reaches another did not reach it."""
DISPLACED: Final = frozenset({0, 8})
"""ISA lines of the 8254 and the RTC, which an HPET can take over."""
PIN_OF_IRQ_0: Final = 2
"""Of the IOAPIC, which has no input for the second 8259."""


def route(vm: Vm, outcome: Outcome, context: Context = "normal") -> Cause | None:
    """Log the events of an APIC transition and carry the rest to where it belongs.

    `context` is where the transition was made; only an ICR write depends on it.
    Returns why the kernel refused what the guest asked for, or None.
    """
    refused: Cause | None = None
    moved = not outcome
    for item in outcome:
        match item:
            case VectorAccepted():
                vm.note(item)
            case Ipi():
                refused = request(vm, item, context)
            case LocalInterrupt():
                _local(vm, vm.vcpus[item.vcpu], item)
            case Failed():
                vm.exit_due = exits.Errno(item.errno, item.why)
            case VectorEnded():
                vm.note(item)
                _ended(vm, item)
            case _:
                vm.note(item)
                moved = True
    # Vectors come and go and move no timer; what else was written may have.
    vm.timers.moved |= moved
    return refused


def request(vm: Vm, ipi: Ipi, context: Context) -> Cause | None:
    """Send what the guest wrote to an ICR; return why the kernel refused it, or None.

    Only before illumos 13275 it refuses: then INST_EMUL is owed, or the host panics.
    """
    profile = vm.profile
    why = protocols.of(profile).refusal(vm, ipi)
    if why is not None:
        _report(vm, ipi, (), why)
        if profile.icr_refused == "panic":
            vm.fault(EngineFault(ipi.sender, "bad pending MMIO state"))
        return why
    if profile.ipi_unimplemented_fails and ipi.mode in UNIMPLEMENTED:
        vm.exit_due = exits.Errno("EINVAL", f"{ipi.mode} by ICR is not implemented")
    send(vm, ipi, context)
    return None


def send(vm: Vm, ipi: Ipi, context: Context, source: str = "") -> IpiSent:
    """Carry an IPI to its targets; say what became of it."""
    why = icr_rules.refusal(ipi, vm.profile)
    targets = () if why is not None else destinations(vm, ipi)
    if why is None and not targets:
        why = ABSENT
    sent = _report(vm, ipi, targets, why)
    if why is None:
        source = source or f"vCPU {ipi.sender}"
        if vm.interference.rules:
            targets = _interfered(vm, ipi, targets, source)
        _carry(vm, ipi, targets, source, context)
    return sent


def _interfered(
    vm: Vm, ipi: Ipi, targets: tuple[int, ...], source: str
) -> tuple[int, ...]:
    """Return the targets at which an IPI arrives now, who gets two copies twice."""
    arriving: list[int] = []
    for target in targets:
        count, event = interference.copies(vm.interference, ipi, target, source, vm.now)
        arriving += [target] * count
        if event is not None:
            vm.note(event)
            vm.timers.moved = True
    return tuple(arriving)


def _carry(
    vm: Vm, ipi: Ipi, targets: tuple[int, ...], source: str, context: Context
) -> None:
    """Let an IPI take effect at its targets, those that are there twice, twice."""
    if ipi.mode in BOOT:
        protocols.of(vm.profile).carry(vm, ipi, targets, source, context)
        return
    for target in targets:
        _arrive(vm, vm.vcpus[target], ipi, source)


def release(vm: Vm) -> None:
    """Let the IPIs arrive whose delay is over; `clock.pass_time` asks for it.

    What bhyve's userspace has to do about them waits for the next entry.
    """
    together: dict[tuple[int, Ipi, str], list[int]] = {}
    for held in interference.due(vm.interference, vm.now):
        together.setdefault((held.due, held.ipi, held.source), []).append(held.target)
    for (_, ipi, source), targets in together.items():
        _carry(vm, ipi, tuple(targets), f"{source}, delayed", "normal")
        if vm.boot_ipi_due is not None:
            vm.exit_due = startup_cpus.handle(vm) or vm.exit_due


def destinations(vm: Vm, ipi: Ipi) -> tuple[int, ...]:
    """Return the vCPUs that an IPI reaches which nothing refuses, ascending."""
    active = [v.apic for v in vm.vcpus if v.active]
    found = apic_destination.targets(ipi, active, vm.profile)
    if ipi.mode in BOOT:
        return protocols.of(vm.profile).targets(vm, ipi, found)
    return found


def _report(vm: Vm, ipi: Ipi, targets: tuple[int, ...], why: Cause | None) -> IpiSent:
    """Note an IPI and its fate; remember of INIT and SIPI whom they did not reach."""
    text = icr_text(ipi.icr, x2apic=ipi.x2apic)
    sent = IpiSent(ipi.sender, ipi.icr, ipi.mode, text, targets, why)
    vm.note(sent)
    if ipi.mode not in BOOT:
        return sent
    everyone = [v.apic for v in vm.vcpus]
    for number in apic_destination.targets(ipi, everyone, vm.profile):
        vcpu = vm.vcpus[number]
        reached = number in targets
        if reached:
            if ipi.mode == "init":  # a SIPI does not make up for an INIT that is lost
                vcpu.unreached = None
            continue
        before = vcpu.unreached or () if ipi.mode == "sipi" else ()
        vcpu.unreached = (*before, _unreached(vm, vcpu, sent))
    return sent


def _unreached(vm: Vm, vcpu: Vcpu, sent: IpiSent) -> Unreached:
    """Return why an INIT or SIPI that names this vCPU did not reach it."""
    what = sent.mode, sent.vcpu, sent.icr
    lost = None if sent.targets else protocols.of(vm.profile).lost(vm.profile, vcpu)
    if lost is None:
        return Unreached(*what, sent.dropped or ELSEWHERE, sent=False)
    found = Unreached(*what, lost, sent=True)
    name = f"{unreached.NAMES[sent.mode]} lost"
    vm.note(Oddity(vcpu.id, name, unreached.sentence(found)))
    return found


def _arrive(vm: Vm, vcpu: Vcpu, ipi: Ipi, source: str) -> None:
    """Let one copy of an IPI that is neither INIT nor SIPI take effect."""
    vm.attention.kick = True
    if ipi.mode == "nmi":
        nmi(vm, vcpu, source)
    elif ipi.mode in {"fixed", "lowest"}:
        # As bhyve: IPIs are edges whatever the ICR says (`lapic_intr_edge`).
        route(vm, lvt.receive(vcpu.apic, ipi.vector, f"ipi of {source}", vm.profile))


def nmi(vm: Vm, vcpu: Vcpu, source: str) -> None:
    """Make an NMI pending (`vm_inject_nmi`)."""
    vcpu.nmi_pending = vm.attention.kick = True
    vm.note(NmiReceived(vcpu.id, source))


def _local(vm: Vm, vcpu: Vcpu, item: LocalInterrupt) -> None:
    """Carry what an LVT entry asks of its own processor."""
    vm.attention.kick = True
    if item.mode == "nmi":
        nmi(vm, vcpu, item.source)
    elif item.mode == "extint":
        vcpu.extint_pending = True
    else:
        clears = vm.profile.init_clears_sipi
        vm.note(*init_sipi.inject_init(vcpu, item.source, clears_sipi=clears))


def _ended(vm: Vm, ended: VectorEnded) -> None:
    """Tell whoever holds a level vector that its service has ended."""
    if not ended.level:
        return
    apic = vm.vcpus[ended.vcpu].apic
    if lvt.end(apic, ended.vector) and vm.pic is not None and pic.pending(vm.pic):
        route(vm, lvt.fire(apic, "lvt_lint0", vm.profile))
    if vm.ioapic is not None and not apic_state.suppresses_eoi(apic, vm.profile):
        signal(vm, pins.end(vm.ioapic, ended.vector), ended.vcpu)


def message(vm: Vm, item: device.InterruptMessage) -> MessageSent:
    """Carry an interrupt message of an IOAPIC or a device to its targets."""
    why = refusal(item, vm.profile)
    targets = () if why is not None else recipients(vm, item)
    kind = "logical destination" if item.logical else "APIC id"
    where = f"{kind} {item.destination:#x}"
    if why is None and not targets:
        why = ABSENT
    sent = MessageSent(
        -1, item.source, item.mode, item.vector, item.level, where, targets, why
    )
    vm.note(sent)
    for target in targets:
        _take(vm, vm.vcpus[target], item)
    return sent


def recipients(vm: Vm, item: device.InterruptMessage) -> tuple[int, ...]:
    """Return the vCPUs that a message reaches which nothing refuses, ascending."""
    profile = vm.profile
    hearing = [
        v.apic for v in vm.vcpus if v.active and apic_state.hears(v.apic, profile)
    ]
    found = [apic for apic in hearing if apic_destination.matches(item, apic)]
    if item.mode != "lowest":
        return tuple(apic.vcpu for apic in found)
    if profile.lowest_by_number:
        return tuple(apic.vcpu for apic in found[:1])
    return apic_destination.lowest(found)


def refusal(item: device.InterruptMessage, profile: Profile) -> Cause | None:
    """Return why a message is dropped before anybody hears of it, or None."""
    if item.mode in {"fixed", "lowest", "extint"}:
        return None
    if item.mode in {"nmi", "init"} and profile.messages_of_all_modes:
        return None
    return Cause("not-implemented", f"{item.mode} messages are not implemented")


def _take(vm: Vm, vcpu: Vcpu, item: device.InterruptMessage) -> None:
    vm.attention.kick = True
    if item.mode in {"nmi", "init", "extint"}:
        _local(vm, vcpu, LocalInterrupt(vcpu.id, item.mode, item.source))
        return
    outcome = lvt.receive(
        vcpu.apic, item.vector, item.source, vm.profile, level=item.level
    )
    route(vm, outcome)


def signal(vm: Vm, signals: Signals, source: int) -> None:
    """Carry what a device has to say; `source` is the vCPU that made it, or -1."""
    for item in signals:
        match item:
            case device.Printed():
                _print(vm, item)
            case device.PoweredOff():
                vm.suspend("poweroff", source, item.why, item.code)
            case device.ResetRequested():
                vm.suspend("reset", source, item.why)
            case device.InterruptMessage():
                message(vm, item)
            case device.ShadowChanged():
                vm.map_anew()
            case device.Refused():
                pass  # the access becomes INST_EMUL; see `Bus`
            case PinChanged() | IoapicEnded() | Oddity():
                vm.note(item)
            case _:
                _wire(vm, item, source)


def _print(vm: Vm, item: device.Printed) -> None:
    text = vm.consoles.setdefault(item.port, bytearray())
    text.extend(item.data)
    for each in vm.printing:
        each.see(item.port, text, len(item.data))


def _wire(vm: Vm, item: device.Wire, source: int) -> None:
    """Carry a level that has changed to the other end of its wire."""
    match item:
        case device.LineChanged() if item.irq in DISPLACED and not item.is_final:
            if vm.hpet is None:
                line(vm, item.irq, source, asserted=item.asserted)
            else:
                _route(vm, vm.hpet, item, source)
        case device.LineChanged():
            line(vm, item.irq, source, asserted=item.asserted)
        case device.GsiChanged():
            if vm.ioapic is not None:
                signal(vm, pins.set_pin(vm.ioapic, item.pin, item.asserted), source)
        case device.IntxChanged():
            if vm.pirq is not None:
                _route(vm, vm.pirq, item, source)
        case device.ExtIntChanged():
            _intr(vm, source, asserted=item.asserted)


def _route(
    vm: Vm,
    between: device.Device,
    item: device.LineChanged | device.IntxChanged,
    source: int,
) -> None:
    """Carry what comes out of who stands between a device and the lines."""
    if between.route is not None:
        signal(vm, between.route(between.state, item), source)
        vm.timers.moved = True


def pin_of(irq: int) -> int | None:
    """Return the input of the IOAPIC that an ISA line is led to, or None."""
    if irq == CASCADE:
        return None
    return PIN_OF_IRQ_0 if irq == 0 else irq


def line(vm: Vm, irq: int, source: int, *, asserted: bool) -> None:
    """Move ISA line `irq`: an input of the 8259 pair and of the IOAPIC (0 is pin 2)."""
    pin = pin_of(irq)
    if vm.ioapic is not None and pin is not None:
        signal(vm, pins.set_pin(vm.ioapic, pin, asserted), source)
    if vm.pic is not None:
        signal(vm, pic.set_line(vm.pic, irq, asserted), source)
        vm.timers.moved = True


def _intr(vm: Vm, source: int, *, asserted: bool) -> None:
    """INTR of the 8259 pair: IOAPIC pin 0, and LINT0 of every processor.

    As ExtINT it is looked at when an entry asks for it (`extint_pending`).
    """
    vm.attention.kick = True
    if vm.ioapic is not None:
        signal(vm, pins.set_pin(vm.ioapic, 0, asserted), source)
    for vcpu in vm.vcpus if asserted else ():
        entry = vcpu.apic.lvt_lint0
        wired = apic_state.is_enabled(vcpu.apic) and not entry & LVT_MASKED
        if wired and lvt.mode(entry, "lvt_lint0") != lvt.EXTINT:
            route(vm, lvt.fire(vcpu.apic, "lvt_lint0", vm.profile))


def extint_pending(vm: Vm, vcpu: Vcpu) -> bool:
    """Tell whether an ExtINT waits for this vCPU: pulsed, or INTR through its LINT0.

    # As bhyve: with the APIC of the BSP disabled by hardware or software LINT0 is
    plain INTR (`vlapic_trigger_lvt`).
    """
    if vm.pic is None:
        return False
    if vcpu.extint_pending:
        return True
    if not pic.pending(vm.pic):
        return False
    if not apic_state.is_enabled(vcpu.apic):
        return vcpu.id == 0
    entry = vcpu.apic.lvt_lint0
    return not entry & LVT_MASKED and lvt.mode(entry, "lvt_lint0") == lvt.EXTINT
