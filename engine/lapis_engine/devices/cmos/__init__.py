"""CMOS memory and real-time clock, as firmware and kernels read them at start.

The date follows virtual time from a fixed one, so that a run repeats. There are no
clock interrupts.
"""

from __future__ import annotations

from lapis_engine.copies import names_of
from lapis_engine.devices.cmos import access, regs
from lapis_engine.devices.cmos.nvram import BOOT_DISK, build
from lapis_engine.devices.cmos.state import CmosState
from lapis_engine.devices.device import Device


def device(
    ram_below_4g: int,
    cpus: int,
    ram_above_4g: int = 0,
    boot_order: tuple[int, ...] = (BOOT_DISK,),
) -> Device:
    """Return a CMOS that describes the machine.

    Args:
        ram_below_4g: RAM in bytes from address 0.
        cpus: vCPUs present at start.
        ram_above_4g: RAM in bytes from 4 GiB.
        boot_order: At most three of `nvram.BOOT_*`, the first tried first.

    The memory is battery-backed: a machine reset leaves it alone.
    """
    ram = build(ram_below_4g, cpus, ram_above_4g, boot_order)
    state = CmosState(ram)
    return Device(
        "cmos",
        state,
        access,
        regs.PORTS,
        kept=frozenset(names_of(state)),
        registers=regs.NAMES,
        registers_now=access.names,
    )
