"""The platform `bare`: few devices, and whatever else is asked for asks the user.

The local APICs are not here: they belong to the processors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine import ram
from lapis_engine.devices import (
    cmos,
    debugcon,
    fw_cfg,
    ioapic,
    isa_debug_exit,
    pci,
    pic,
    pit,
    pmtimer,
    post_code,
    ps2,
    uart,
)
from lapis_plugins.spec import hookimpl
from lapis_sessions.extensions import Platform

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device
    from lapis_engine.machine.config import MachineConfig


def devices(config: MachineConfig) -> list[Device]:
    """Return one of each."""
    return [
        fw_cfg.device(config.memory, config.cpus),
        cmos.device(ram.below(config.memory), config.cpus, ram.above(config.memory)),
        pit.device(pulses=config.profile.pic_keeps_edges),
        pic.device(
            modes_checked=config.profile.pic_modes_checked,
            keeps_edges=config.profile.pic_keeps_edges,
        ),
        ioapic.device(config.profile),
        pmtimer.device(),
        uart.device(),
        debugcon.device(),
        isa_debug_exit.device(),
        pci.device(),
        ps2.device(),
        post_code.device(),
    ]


@hookimpl
def lapis_machines() -> list[Platform]:
    """Return the platform."""
    return [
        Platform(
            "bare",
            "APICs, IOAPIC, 8259, 8254, CMOS, a serial port and no PCI device",
            devices,
        )
    ]
