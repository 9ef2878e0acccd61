"""Builds the contents of CMOS memory from what the machine has."""

from __future__ import annotations

from typing import Final

from lapis_engine.devices.cmos import regs
from lapis_engine.errors import ConfigError
from lapis_engine.units import MIB

BOOT_NONE: Final = 0
BOOT_FLOPPY: Final = 1
BOOT_DISK: Final = 2
BOOT_CD: Final = 3
BOOT_NETWORK: Final = 4

KIB: Final = 1 << 10
UNIT: Final = 64 * KIB


def build(
    ram_below_4g: int,
    cpus: int,
    ram_above_4g: int,
    boot_order: tuple[int, ...],
    equipment: int = regs.EQUIPMENT_FPU,
) -> bytes:
    """Return the 128 cells; raise `ConfigError` for what they cannot say."""
    if not 1 <= cpus <= 256:
        raise ConfigError(f"CMOS counts 1 to 256 processors, not {cpus}")
    if len(boot_order) > 3:
        raise ConfigError(f"CMOS names three boot devices, not {len(boot_order)}")
    ram = bytearray(regs.SIZE)
    ram[regs.EQUIPMENT] = equipment
    extended = _clamp((ram_below_4g - MIB) // KIB, 2)
    _put(ram, regs.BASE_MEMORY, 640, 2)
    _put(ram, regs.EXTENDED_MEMORY, extended, 2)
    _put(ram, regs.EXTENDED_MEMORY_FOUND, extended, 2)
    over_16m = _clamp((ram_below_4g - 16 * MIB) // UNIT, 2)
    _put(ram, regs.EXTENDED_MEMORY_2, over_16m, 2)
    _put(ram, regs.HIGH_MEMORY, _clamp(ram_above_4g // UNIT, 3), 3)
    first, second, third = (*boot_order, BOOT_NONE, BOOT_NONE, BOOT_NONE)[:3]
    ram[regs.BOOT_FLAG_1] = third << 4 | 1
    ram[regs.BOOT_FLAG_2] = second << 4 | first
    ram[regs.SMP_COUNT] = cpus - 1
    total = sum(ram[0x10 : regs.CHECKSUM])
    ram[regs.CHECKSUM : regs.CHECKSUM + 2] = total.to_bytes(2, "big")
    return bytes(ram)


def _clamp(units: int, size: int) -> int:
    """Limit `units` to what `size` bytes can hold, as firmware expects."""
    return min(max(units, 0), (1 << (8 * size)) - 1)


def _put(ram: bytearray, cell: int, value: int, size: int) -> None:
    ram[cell : cell + size] = value.to_bytes(size, "little")
