"""Power management of the PIIX4, function 0:1.3: ACPI's fixed hardware.

What there is: the block of ports that PMBA places (status and enable of events, sleep,
timer), the ports of APM by which ACPI mode is asked for, and general purpose events of
which none ever comes. SMM, SMBus, traps and throttling are not there.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device, Function
from lapis_engine.devices.piix3.regs import SLOT
from lapis_engine.devices.piix4_pm import access, events, regs, timer
from lapis_engine.devices.piix4_pm.config import Piix4PmConfig
from lapis_engine.devices.piix4_pm.header import HEADER, placed
from lapis_engine.devices.piix4_pm.state import Piix4PmState


def device(base: int | None = None) -> Device:
    """Return power management, with its ports nowhere as after a reset.

    Args:
        base: Where firmware has put its 64 ports, for a machine without any: then it
            is in ACPI mode, too.

    Raises:
        ValueError: `base` is no multiple of 64 from 0x40 to 0xFFC0.
    """
    config = Piix4PmConfig(HEADER)
    state = Piix4PmState()
    if base is not None:
        state = Piix4PmState(config=placed(base), control=int(regs.SCI_ENABLE))
    return Device(
        "piix4-pm",
        state,
        access,
        regs.PORTS,
        timer=timer,
        plain=access.plain,
        moves=config,
        registers=regs.NAMES,
        registers_now=access.names,
        function=Function(SLOT, regs.FUNCTION, config),
        holds=events.holds,
    )
