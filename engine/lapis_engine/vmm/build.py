"""Making a machine: its devices on the bus, its vCPUs, and a boot plan in its memory.

It runs nothing (`run`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, assert_never

from lapis_engine import ram
from lapis_engine.apic import state as apic_state
from lapis_engine.boot.image import (
    Blob,
    BootPlan,
    LongEntry,
    ProtectedEntry,
    RealEntry,
    ResetEntry,
    SavedEntry,
)
from lapis_engine.cpu.context import FCW_RESET, MXCSR_RESET, XCR0_RESET
from lapis_engine.cpu.model import instructions
from lapis_engine.cpu.model.catalog import DEFAULT
from lapis_engine.cpu.paging import Linear
from lapis_engine.cpu.registers import (
    CR0_PE,
    CR0_PG,
    CR4_OSFXSR,
    CR4_OSXMMEXCPT,
    CR4_PAE,
    CS,
    EFER_LMA,
    EFER_LME,
    RAX,
    RBX,
    RDI,
    RSI,
    RSP,
    Segment,
)
from lapis_engine.cpu.selfcheck import open_core
from lapis_engine.devices.device import Wiring
from lapis_engine.errors import ConfigError, ImageError, UnmappedError
from lapis_engine.memory.dma import BusMaster
from lapis_engine.memory.iospace import IoSpace
from lapis_engine.memory.physical import PhysicalMemory
from lapis_engine.units import NS, PAGE
from lapis_engine.vmm import run_state
from lapis_engine.vmm.bus import Bus, PaidBus, untrapped
from lapis_engine.vmm.costs import FREE
from lapis_engine.vmm.startup import protocols, reset
from lapis_engine.vmm.vcpu import Vcpu
from lapis_engine.vmm.vm import Vm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_engine.boot.image import EntryPoint
    from lapis_engine.cpu.core import Core
    from lapis_engine.cpu.model.catalog import Cpu
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.devices.device import Device
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.shadow import Shadow
    from lapis_engine.vmm.costs import Costs

ROM_BELOW: Final = 0xE_0000
"""Where the end of the firmware's ROM is seen below 1 MiB, too."""
CODE32: Final = 0xCF_9B00
DATA32: Final = 0xCF_9300
CODE64: Final = 0xAF_9B00
LIMIT32: Final = 0xFFFF_FFFF
CR0_RESET: Final = 0x6000_0010


def make(  # noqa: PLR0913 - the last four are how it is, not what is in it
    vcpus: int,
    profile: Profile,
    devices: Sequence[Device],
    note: Callable[..., None],
    *,
    float_ports: bool = False,
    float_mmio: bool = False,
    tsc_hz: int = NS,
    cpu: Cpu = DEFAULT,
    costs: Costs = FREE,
) -> Vm:
    """Return a machine without memory, every vCPU in run-state HALT.

    `note` is told every event, in order. With `float_ports` a port that no device
    claims reads all ones, as on an ISA bus; else it is a request to the user. So with
    `float_mmio` does an address. Raises `ConfigError` when two devices want one
    address, or one place on the PCI bus.
    """
    core, memory = open_core(), PhysicalMemory()
    core.offer = instructions.offer(cpu.model)
    core.answers.table.tsc_hz = tsc_hz
    memory.on_write = core.forget_code
    ports, mmio = IoSpace("port"), IoSpace("mmio")
    for device in devices:
        for where in device.ports:
            ports.claim(where, device)
        for where in device.mmio:
            mmio.claim(where, device)
        if device.moves is not None:
            ports.follow(device, device.moves.ports)
            mmio.follow(device, device.moves.mmio)
    found = [_vcpu(number, core, memory, profile) for number in range(vcpus)]
    vm = Vm(
        profile, note, core, memory, ports, mmio, list(devices), found,
        float_ports=float_ports, float_mmio=float_mmio, tsc_hz=tsc_hz, cpu=cpu,
        costs=costs if costs.some() else FREE,
    )  # fmt: skip
    _wire(vm)
    bus = PaidBus if costs.port or costs.mmio else Bus
    vm.buses = [bus(vm, vcpu, vm.traps) for vcpu in found]
    if protocols.of(profile).has_set:
        vm.debug_cpus = sum(1 << vcpu.id for vcpu in found if vcpu.active and vcpu.id)
    return vm


def _wire(vm: Vm) -> None:
    """Connect the devices that have dealings with others."""
    roles = {device.role: device for device in vm.devices}
    vm.pic, vm.ioapic = (_state(roles.get(role)) for role in ("pic", "ioapic"))
    vm.hpet, vm.pirq = roles.get("hpet"), roles.get("pirq")
    wiring = Wiring(BusMaster(vm.memory), MappingProxyType(_functions(vm.devices)))
    for device in vm.devices:
        if device.wire is not None:
            device.wire(wiring)


def _state(device: Device | None) -> Any:
    return None if device is None else device.state


def _functions(devices: Sequence[Device]) -> dict[tuple[int, int], Device]:
    """Return the PCI functions by place; raise `ConfigError` when two want one."""
    found: dict[tuple[int, int], Device] = {}
    for device in devices:
        if device.function is None:
            continue
        place = device.function.slot, device.function.number
        other = found.setdefault(place, device)
        if other is not device:
            raise ConfigError(
                f"{device.name} wants PCI slot {place[0]}, function {place[1]}, which "
                f"{other.name} has"
            )
    return found


def _vcpu(number: int, core: Core, memory: PhysicalMemory, profile: Profile) -> Vcpu:
    regs = core.new_registers()
    reset.reset(regs)
    regs.xcr0 = XCR0_RESET  # which INIT keeps, and so it does these
    regs.context.x87.fcw, regs.context.floats.mxcsr = FCW_RESET, MXCSR_RESET
    linear = Linear(regs, memory)
    vcpu = Vcpu(number, regs, linear, apic_state.reset(number, profile))
    vcpu.active = profile.aps_active or number == 0
    return vcpu


def load(vm: Vm, plan: BootPlan, memory: int) -> None:
    """Map `memory` bytes of RAM and the plan's ROMs; start the BSP where it says.

    Raises `ImageError` when a piece of the image lies outside RAM.
    """
    shadows = vm.shadows()
    _add_ram(vm.memory, memory, shadows)
    for blob in plan.blobs:
        if blob.rom:
            size = -(-len(blob.data) // PAGE) * PAGE
            vm.memory.add(blob.gpa, size, "ROM", rom=True)
    has_firmware = isinstance(plan.entry, ResetEntry)
    for shadow in shadows:
        is_rom = has_firmware and shadow.first >= ROM_BELOW
        vm.memory.cover(shadow, _low(plan, shadow) if is_rom else None)
    for region in vm.memory.seen:
        vm.core.map(region, for_good=not vm.memory.can_change(region))
    for blob in plan.blobs:
        place(vm.memory, plan, blob, memory)
    settle(vm, plan)
    bsp = vm.vcpus[0]
    bsp.run_state = run_state.RUN
    _enter(bsp.regs, plan.entry)
    bsp.mode = bsp.regs.mode


def settle(vm: Vm, plan: BootPlan) -> None:
    """Program the devices as the plan has it, in no time."""
    for port, value in plan.settles:
        untrapped(vm, vm.vcpus[0], "outside").port_out(port, 1, value)


def _add_ram(memory: PhysicalMemory, size: int, shadows: Sequence[Shadow]) -> None:
    """Map RAM, in pieces between what is covered."""
    at, below = 0, ram.below(size)
    for shadow in sorted(shadows, key=lambda it: it.first):
        if shadow.first > at:
            memory.add(at, shadow.first - at, "RAM")
        at = shadow.first + shadow.size
    if below > at:
        memory.add(at, below - at, "RAM")
    if ram.above(size):
        memory.add(ram.HIGH, ram.above(size), "RAM above 4 GiB")


def _low(plan: BootPlan, shadow: Shadow) -> bytes:
    """Return what a firmware's image has for a stretch below 1 MiB."""
    content = bytearray(shadow.size)
    for blob in plan.blobs:
        first = max(blob.gpa, shadow.first)
        end = min(blob.end, shadow.first + shadow.size)
        if first < end:
            piece = blob.data[first - blob.gpa : end - blob.gpa]
            content[first - shadow.first : end - shadow.first] = piece
    return bytes(content)


def place(memory: PhysicalMemory, plan: BootPlan, blob: Blob, size: int) -> None:
    """Put a piece of an image where it belongs; raise `ImageError` when it does not."""
    try:
        memory.place(blob.gpa, blob.data)
    except UnmappedError as error:
        raise ImageError(
            f"{plan.name}: {len(blob.data)} bytes at {blob.gpa:#x} do not fit in "
            f"{size >> 20} MiB of RAM"
        ) from error


def _enter(regs: Registers, entry: EntryPoint) -> None:
    match entry:
        case ResetEntry() | SavedEntry():
            return
        case RealEntry():
            reset.real_entry(regs, entry.cs, entry.ip)
        case ProtectedEntry():
            regs.cr0 = CR0_RESET | CR0_PE
            regs.gdtr = Segment(0, entry.gdt_base, entry.gdt_limit, 0)
            _segments(regs, entry.cs, CODE32, entry.ds)
            regs.gpr[RAX], regs.gpr[RBX], regs.rip = entry.eax, entry.ebx, entry.eip
            regs.gpr[RSI] = entry.esi
        case LongEntry():
            # SSE is on, as compilers take it to be in 64-bit code.
            regs.cr3, regs.cr4 = entry.cr3, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT
            regs.efer = EFER_LME | EFER_LMA
            regs.cr0 = CR0_RESET | CR0_PE | CR0_PG
            regs.gdtr = Segment(0, entry.gdt_base, entry.gdt_limit, 0)
            _segments(regs, entry.cs, CODE64, entry.ds)
            regs.gpr[RDI], regs.gpr[RSI] = entry.rdi, entry.rsi
            regs.gpr[RSP], regs.rip = entry.rsp, entry.rip
        case _:
            assert_never(entry)


def _segments(regs: Registers, code: int, flags: int, data: int) -> None:
    for index in range(6):
        regs.set_segment(index, Segment(data, 0, LIMIT32, DATA32))
    regs.set_segment(CS, Segment(code, 0, LIMIT32, flags))
