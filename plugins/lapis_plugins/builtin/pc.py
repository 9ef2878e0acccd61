"""The platform `pc`: an i440FX with a PIIX, which kernels and firmware expect.

The local APICs are not here: they belong to the processors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine import ram
from lapis_engine.devices import (
    debugcon,
    flash,
    fw_cfg,
    hpet,
    i440fx,
    i8042,
    ioapic,
    isa_debug_exit,
    pc_testdev,
    pci_host,
    pic,
    piix3,
    piix4_pm,
    pit,
    post_code,
    rtc,
    uart,
    vga,
)
from lapis_engine.devices.fw_cfg import files
from lapis_engine.devices.virtio import block, entropy
from lapis_engine.machine.config import MAX_FLASH
from lapis_plugins.spec import hookimpl
from lapis_sessions.extensions import Platform

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device
    from lapis_engine.machine.config import MachineConfig

PM_BASE: Final = 0x600
"""Where the ports of power management are without firmware, which says so in ACPI."""
DISK_SLOT: Final = 3
"""Device numbers on the PCI bus; 2 is left for a display."""
RANDOM_SLOT: Final = 4


def devices(config: MachineConfig) -> list[Device]:
    """Return one of each."""
    return [
        *([flash.device(config.flash)] if config.flash else []),
        fw_cfg.device(config.memory, config.cpus, _files(config), dma=True),
        rtc.device(ram.below(config.memory), config.cpus, ram.above(config.memory)),
        pit.device(pulses=config.profile.pic_keeps_edges),
        pic.device(
            modes_checked=config.profile.pic_modes_checked,
            keeps_edges=config.profile.pic_keeps_edges,
            set_up=not config.flash,
        ),
        ioapic.device(config.profile),
        hpet.device(
            pulses=config.profile.pic_keeps_edges,
            needs_hint=config.profile.msi_needs_hint,
            redirects=config.profile.msi_hint_redirects,
        ),
        uart.device(levels=True),
        uart.device("com2", 0x2F8, 3, levels=True),
        debugcon.device(),
        isa_debug_exit.device(),
        pci_host.device(),
        i440fx.device(set_up=not config.flash),
        piix3.device(set_up=not config.flash),
        piix4_pm.device(None if config.flash else PM_BASE),
        i8042.device(),
        vga.device(),
        post_code.device(),
        pc_testdev.device(
            has_memory=config.flash <= MAX_FLASH - pc_testdev.MEMORY.size
        ),
        *_virtio(config),
    ]


def _virtio(config: MachineConfig) -> list[Device]:
    """Return the disk, if there is one, and the source of random numbers."""
    needs_hint = config.profile.msi_needs_hint
    redirects = config.profile.msi_hint_redirects
    found = [
        entropy.device(
            config.seed, RANDOM_SLOT, needs_hint=needs_hint, redirects=redirects
        )
    ]
    if config.disk is not None:
        disk = block.device(
            config.disk, DISK_SLOT, needs_hint=needs_hint, redirects=redirects
        )
        found.insert(0, disk)
    return found


def _files(config: MachineConfig) -> tuple[tuple[str, bytes], ...]:
    """Return what firmware reads of the machine, beside the standard items."""
    return (
        files.e820(ram.below(config.memory), ram.above(config.memory)),
        files.sleep_states(),
    )


@hookimpl
def lapis_machines() -> list[Platform]:
    """Return the platform."""
    return [Platform("pc", "an i440FX and a PIIX with the devices of a PC", devices)]
