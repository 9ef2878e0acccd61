"""POST code port: firmware shows its progress at port 0x80, drivers waste time there.

It only remembers the last code, for a pane to show.
"""
# ruff: noqa: ARG002 - the signatures are those of `Access`

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.device import Device, Range, RegisterName

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

PORTS: Final = (Range(0x80, 1),)
"""Write: a progress code. Read: all ones, nothing drives the bus."""
NAMES: Final = (RegisterName(0x80, 1, "POST code", "progress of firmware"),)


@dataclass(slots=True)
class PostCodeState:
    """What the POST code port remembers."""

    code: int = 0
    """Last code written, 8 bits."""


class PostCodeAccess:
    """Guest accesses to the POST code port."""

    def read(self, state: PostCodeState, address: int, size: int, now: int) -> int:
        """Answer all ones."""
        return (1 << (8 * size)) - 1

    def write(
        self, state: PostCodeState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Keep the code."""
        state.code = value & 0xFF
        return ()


def device() -> Device:
    """Return a POST code port at 0x80."""
    return Device(
        "post-code", PostCodeState(), PostCodeAccess(), PORTS, registers=NAMES
    )
