"""Real-time clock and CMOS memory of a PC: an MC146818 that can be set and interrupts.

The date follows virtual time from a fixed one, so that a run repeats, and from where
the guest has set it. The cells of the memory are those of `cmos`.
"""

from __future__ import annotations

from lapis_engine.devices.cmos import nvram
from lapis_engine.devices.cmos import regs as cmos_regs
from lapis_engine.devices.device import Device
from lapis_engine.devices.rtc import access, regs, timer
from lapis_engine.devices.rtc.state import RtcState

KEPT = frozenset(
    {"ram", "status_a", "status_b", "second", "weekday", "mark", "cells", "seen"}
)
"""What its battery feeds; the RESET pin clears the others."""


def device(
    ram_below_4g: int,
    cpus: int,
    ram_above_4g: int = 0,
    boot_order: tuple[int, ...] = (nvram.BOOT_DISK,),
) -> Device:
    """Return a clock on ISA line 8 whose memory describes the machine.

    Args:
        ram_below_4g: RAM in bytes from address 0.
        cpus: vCPUs present at start.
        ram_above_4g: RAM in bytes from 4 GiB.
        boot_order: At most three of `nvram.BOOT_*`, the first tried first.
    """
    ram = nvram.build(
        ram_below_4g, cpus, ram_above_4g, boot_order, equipment=regs.EQUIPMENT_VALUE
    )
    return Device(
        "rtc",
        RtcState(ram),
        access,
        cmos_regs.PORTS,
        timer=timer,
        plain=access.plain,
        holds=timer.holds,
        kept=KEPT,
        registers=cmos_regs.NAMES,
        registers_now=access.names,
    )
