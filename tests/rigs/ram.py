"""Memory for the devices of a test: what a bus master reaches, without a machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lapis_engine.devices.device import Wiring

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device


@dataclass
class Ram:
    """Bytes from address 0, and ROM from `rom_at`."""

    data: bytearray
    rom: bytearray = field(default_factory=bytearray)
    rom_at: int = 1 << 32

    def read(self, gpa: int, size: int) -> bytes | None:
        if gpa >= 0 and gpa + size <= len(self.data):
            return bytes(self.data[gpa : gpa + size])
        at = gpa - self.rom_at
        if at >= 0 and at + size <= len(self.rom):
            return bytes(self.rom[at : at + size])
        return None

    def write(self, gpa: int, data: bytes) -> bool:
        if not 0 <= gpa <= gpa + len(data) <= len(self.data):
            return False
        self.data[gpa : gpa + len(data)] = data
        return True

    def program(self, gpa: int, data: bytes) -> bool:
        at = gpa - self.rom_at
        if not 0 <= at <= at + len(data) <= len(self.rom):
            return self.write(gpa, data)
        self.rom[at : at + len(data)] = data
        return True


def wired(device: Device, ram: Ram) -> Device:
    """Connect the device to `ram`, for good, and return it."""
    assert device.wire is not None
    device.wire(Wiring(ram, {}))
    device.wire = None
    return device
