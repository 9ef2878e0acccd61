"""High precision event timer: one counter, three comparators.

It counts at 100 MHz, as QEMU's does: a tick is a whole number of ns, so that nothing
is ever rounded. An interrupt leaves by the legacy replacement route, by an input of
the IOAPIC, or as a message; each comparator has all three.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device
from lapis_engine.devices.hpet import access, regs, timer
from lapis_engine.devices.hpet.lines import holds, route
from lapis_engine.devices.hpet.state import HpetState


def device(
    *, pulses: bool = True, needs_hint: bool = False, redirects: bool = False
) -> Device:
    """Return a timer block at 0xFED0_0000, which stands before ISA lines 0 and 8.

    Args:
        pulses: An edge on an ISA line is up for no longer than nothing
            (`profile.pic_keeps_edges`).
        needs_hint: As `msi.decode` has it (`profile.msi_needs_hint`).
        redirects: As `msi.decode` has it (`profile.msi_hint_redirects`).
    """
    return Device(
        "hpet",
        HpetState(pulses=pulses, needs_hint=needs_hint, redirects=redirects),
        access,
        mmio=regs.MMIO,
        timer=timer,
        role="hpet",
        plain=access.plain,
        route=route,
        holds=holds,
        registers=regs.NAMES,
    )
