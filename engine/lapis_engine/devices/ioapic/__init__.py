"""The IOAPIC: pins in, interrupt messages out.

`pins.set_pin` moves a pin, `pins.end` brings it an EOI, `pins.peek` shows all of them
without side effects. Not here: whom a message reaches, and what is wired to which pin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import Device
from lapis_engine.devices.ioapic import access, regs
from lapis_engine.devices.ioapic.state import IoapicState, PinState

if TYPE_CHECKING:
    from lapis_engine.profiles.switches import Profile


def device(profile: Profile) -> Device:
    """Return the IOAPIC at 0xFEC0_0000 with the pins and version of `profile`."""
    return Device(
        "ioapic",
        _fresh(profile),
        access,
        mmio=regs.MMIO,
        role="ioapic",
        registers=regs.NAMES,
        registers_now=access.names,
    )


def _fresh(profile: Profile) -> IoapicState:
    pins = (PinState(profile.ioapic_entry) for _ in range(profile.ioapic_pins))
    return IoapicState(profile.ioapic_version, tuple(pins))
