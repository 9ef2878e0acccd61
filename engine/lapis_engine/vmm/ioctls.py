"""The user's hand on the fabric, outside `vm_run`: KERNEMU, pins, MSI, NMI, run-state.

Each act is logged, and what it causes goes the way that a guest's act would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic import access, lvt, priority
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.outcome import LocalInterrupt
from lapis_engine.apic.regs import ICR_DEST_X2APIC, REGISTERS, Register
from lapis_engine.devices import device, msi
from lapis_engine.devices.ioapic import pins
from lapis_engine.devices.pic.regs import CASCADE
from lapis_engine.errors import EngineError, EntryError
from lapis_engine.events import (
    KernemuAccessed,
    LvtFired,
    MsrAccessed,
    RunStateChanged,
)
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import address_map, fabric, run_state, written
from lapis_engine.vmm.bus import untrapped

if TYPE_CHECKING:
    from lapis_engine.events import MessageSent
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

WIDTHS: Final = (1, 2, 4, 8)
KERNEMU_ROLES: Final = frozenset({"ioapic", "hpet"})
"""Devices that bhyve's `vm_service_mmio_write` knows beside the APIC page."""
RUN_STATES: Final = (
    run_state.INIT | run_state.RUN | run_state.PEND_INIT | run_state.PEND_SIPI
)


def kernemu_write(vm: Vm, vcpu: Vcpu, gpa: int, size: int, value: int) -> None:
    """Write a device of the engine for `vcpu` (VM_SET_KERNEMU_DEV).

    Raises `EntryError`: EINVAL for a width that there is not or a value that does not
    fit, ESRCH where none of the devices is, EINVAL when the handler refuses.
    """
    _check(vm, vcpu, gpa, size, write=True)
    if not 0 <= value < 1 << (8 * size):
        raise EntryError("EINVAL", f"{value:#x} does not fit in {size} bytes")
    vm.note(KernemuAccessed(vcpu.id, True, gpa, size, value))  # noqa: FBT003
    try:
        untrapped(vm, vcpu, "outside").write(gpa, size, value)
    except HandlerRefused as refused:
        raise EntryError("EINVAL", f"the handler refused: {refused}") from None
    failed, vm.exit_due = vm.exit_due, None
    if failed is not None:
        raise EntryError("EINVAL", failed.text)


def kernemu_read(vm: Vm, vcpu: Vcpu, gpa: int, size: int) -> int:
    """Read a device of the engine for `vcpu`, side effects included.

    Raises `EntryError` as `kernemu_write` does.
    """
    _check(vm, vcpu, gpa, size, write=False)
    try:
        value = untrapped(vm, vcpu, "outside").read(gpa, size)
    except HandlerRefused as refused:
        raise EntryError("EINVAL", f"the handler refused: {refused}") from None
    assert value is not None, "the devices were looked up"
    vm.note(KernemuAccessed(vcpu.id, False, gpa, size, value))  # noqa: FBT003
    return value


def write_apic(vm: Vm, vcpu: Vcpu, name: str, value: int) -> None:
    """Write a register of a vCPU's APIC as that vCPU would in its mode.

    SDM Vol. 3A "Local APIC Register Address Map", "x2APIC Register Address Space".
    Raises `EngineError` for one that is not written in that mode, an APIC that is
    disabled and reserved bits.
    """
    register = next((r for r in REGISTERS.values() if r.name == name), None)
    if register is None:
        raise EngineError(f"the APIC has no register {name[:20]!r}")
    state, mode = vcpu.apic, apic_state.mode(vcpu.apic)
    if mode not in {"xapic", "x2apic"}:
        raise EngineError(f"the APIC of vCPU {vcpu.id} is disabled by APICBASE")
    if "w" not in (register.xapic if mode == "xapic" else register.x2apic):
        raise EngineError(f"APIC register {name} is not written in {mode} mode")
    legal = _legal(vm, register, mode)
    if value & ~legal:
        what = (
            "takes 0 only"
            if name == "eoi"
            else f"has the bits {legal:#x}, the others are reserved"
        )
        raise EngineError(f"{name.upper()} {what}: {value:#x}")
    if mode == "xapic":
        gpa = apic_state.base(state) + register.offset
        kernemu_write(vm, vcpu, gpa, 4, value)
        return
    msr = access.MSR_BASE + (register.offset >> 4)
    was = written.before(state)
    outcome = access.write_msr(state, msr, value, vm.now, vm.profile)
    assert outcome is not None, (name, value)
    if msr in written.MSRS:
        vm.wrote(vcpu, written.timer(vcpu.id), written.MSRS[msr], value, was)
    vm.note(MsrAccessed(vcpu.id, msr, write=True, value=value, fault=False))
    fabric.route(vm, outcome, "outside")


def _legal(vm: Vm, register: Register, mode: str) -> int:
    """Return the bits that a write may have; EOI takes 0 only, of the user as well."""
    if register.name == "eoi":
        return 0
    legal = access.writable(register, vm.profile)
    if register.name == "icr" and mode == "x2apic":
        legal |= ICR_DEST_X2APIC
    return legal


def _check(vm: Vm, vcpu: Vcpu, gpa: int, size: int, *, write: bool) -> None:
    """Raise `EntryError` for what is refused before anything has come of it."""
    if size not in WIDTHS:
        raise EntryError("EINVAL", f"{size} bytes: an access is 1, 2, 4 or 8 bytes")
    server = address_map.mmio(vm, vcpu, gpa)
    is_device = isinstance(server, device.Device) and server.role in KERNEMU_ROLES
    if not isinstance(server, int) and not is_device:
        page = apic_state.base(vcpu.apic)
        raise EntryError(
            "ESRCH",
            f"{gpa:#x} is in none of the devices that KERNEMU reaches: the APIC page "
            f"at {page:#x}, the IOAPIC, the HPET",
        )
    if isinstance(server, int) and apic_state.mode(vcpu.apic) == "xapic":
        why = access.refusal(server, size, vm.profile, write=write)
        if why is not None:
            raise EntryError("EINVAL", why)


def set_pin(vm: Vm, pin: int, *, asserted: bool) -> None:
    """Add a source to an IOAPIC pin, or take one away; raise `EngineError`."""
    if vm.ioapic is None:
        raise EngineError("this machine has no IOAPIC")
    if not 0 <= pin < vm.profile.ioapic_pins:
        last = vm.profile.ioapic_pins - 1
        raise EngineError(f"there is no IOAPIC pin {pin}; they are 0 to {last}")
    fabric.signal(vm, pins.set_pin(vm.ioapic, pin, asserted), -1)


def set_line(vm: Vm, irq: int, *, asserted: bool) -> None:
    """Move an ISA line, which goes to the 8259 pair and the IOAPIC."""
    if not 0 <= irq <= 15 or irq == CASCADE:
        raise EngineError(f"there is no ISA line {irq}; they are 0 to 15 without 2")
    fabric.line(vm, irq, -1, asserted=asserted)


def send_msi(vm: Vm, address: int, data: int) -> MessageSent:
    """Send what a device would by writing `data` to `address`; raise `EntryError`."""
    profile = vm.profile
    found = msi.decode(
        address,
        data,
        needs_hint=profile.msi_needs_hint,
        redirects=profile.msi_hint_redirects,
    )
    if not isinstance(found, device.InterruptMessage):
        raise EntryError("EINVAL", found)
    return fabric.message(vm, found)


def pulse_lint(vm: Vm, number: int, vcpus: tuple[Vcpu, ...]) -> None:
    """Pulse LINT0 or LINT1 (VM_LAPIC_LOCAL_IRQ); raise `EngineError`.

    With the APIC disabled LINT0 is INTR and LINT1 is NMI (`vlapic_trigger_lvt`).
    """
    if number not in {0, 1}:
        raise EngineError(f"there is no LINT{number}: LINT0 and LINT1")
    for vcpu in vcpus:
        if apic_state.is_enabled(vcpu.apic):
            fabric.route(vm, lvt.fire(vcpu.apic, f"lvt_lint{number}", vm.profile))
        else:
            mode = "nmi" if number else "extint"
            fired = LvtFired(vcpu.id, f"lint{number}", mode, 0, None)
            fabric.route(vm, (fired, LocalInterrupt(vcpu.id, mode, f"lint{number}")))


def set_run_state(vm: Vm, vcpu: Vcpu, state: int, sipi_vector: int) -> None:
    """Set the run-state (VM_SET_RUN_STATE); raise `EntryError` EINVAL.

    # As bhyve: the mask of legal bits lacks PEND_INIT (profile switch
    run_state_takes_pend_init).
    """
    takes = vm.profile.run_state_takes_pend_init
    legal = RUN_STATES if takes else RUN_STATES & ~run_state.PEND_INIT
    if state & ~legal:
        raise EntryError("EINVAL", f"run-state {state:#x}: legal bits are {legal:#x}")
    if not 0 <= sipi_vector <= 0xFF:
        raise EntryError("EINVAL", f"SIPI vector {sipi_vector:#x}: vectors are 8 bits")
    before, vcpu.run_state, vcpu.sipi_vector = vcpu.run_state, state, sipi_vector
    vm.attention.kick = True
    vm.note(RunStateChanged(vcpu.id, before, state, "set by the user"))


def set_isrvec(vm: Vm, *, on: bool) -> None:
    """Begin to check every ISR by bhyve's `isrvec_stk`, or stop that.

    Raises `EngineError` where the PPR comes from that stack: there it is no checker.
    """
    if vm.profile.isrvec_stk:
        if not on:
            name = vm.profile.name
            raise EngineError(f"isrvec stays on: in profile {name} it gives the PPR")
        return
    for vcpu in vm.vcpus:
        priority.watch_isrvec(vcpu.apic, on=on)
