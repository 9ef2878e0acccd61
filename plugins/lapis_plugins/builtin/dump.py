"""The platforms `dump...`: what a file described that an APIC was read from, no more.

Nothing is said of a device that is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import ioapic, pic
from lapis_plugins.spec import hookimpl
from lapis_sessions.extensions import Platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.devices.device import Device
    from lapis_engine.machine.config import MachineConfig
    from lapis_engine.profiles.switches import Profile


def _pic(profile: Profile) -> Device:
    return pic.device(
        modes_checked=profile.pic_modes_checked, keeps_edges=profile.pic_keeps_edges
    )


PARTS = {"ioapic": ioapic.device, "8259": _pic}
COMBINATIONS: tuple[tuple[str, ...], ...] = (
    (), ("ioapic",), ("8259",), ("ioapic", "8259"),
)  # fmt: skip


def _maker(parts: tuple[str, ...]) -> Callable[[MachineConfig], list[Device]]:
    return lambda config: [PARTS[part](config.profile) for part in parts]


@hookimpl
def lapis_machines() -> list[Platform]:
    """Return the platform of each combination, named by what it has."""
    return [
        Platform(
            "-".join(["dump", *parts]),
            f"for what was read from a file: APICs{''.join(f', {p}' for p in parts)}",
            _maker(parts),
            offered=False,
        )
        for parts in COMBINATIONS
    ]
