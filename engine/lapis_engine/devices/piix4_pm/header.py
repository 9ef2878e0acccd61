"""Configuration space of power management.

Source: Intel 82371AB PIIX4 "Power Management PCI Configuration Registers". Monitors,
traps and general purpose pins are kept as they are written, and have no effect.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range
from lapis_engine.devices.pci_function import regs as pci
from lapis_engine.devices.pci_function.ids import INTEL, RED_HAT, VIRTUAL_MACHINE
from lapis_engine.devices.pci_function.layout import ConfigRegister, make
from lapis_engine.devices.piix4_pm import regs
from lapis_engine.units import MASK32

HEADER: Final = make(
    INTEL,
    0x7113,
    class_code=0x06_8000,
    revision=3,
    subsystem_vendor=RED_HAT,
    subsystem=VIRTUAL_MACHINE,
    pin=1,
    command_writable=bit(0),
    status=0x0280,  # medium DEVSEL#, fast back-to-back
    registers=(
        ConfigRegister(regs.PMBA, 4, 0x0000_0001, regs.PMBA_BASE),
        *(ConfigRegister(at, 4, 0, MASK32) for at in range(0x44, 0x80, 4)),
        # As QEMU: SMM counts as set up, so that firmware does not wait for it.
        ConfigRegister(regs.DEVACTB, 4, regs.APMC_ENABLE, MASK32),
        # As QEMU: keyboard and serial ports are decoded on the ISA side.
        ConfigRegister(0x5C, 4, 0x1000_0000, MASK32),
        ConfigRegister(0x60, 4, 0x6000_0000, MASK32),
        ConfigRegister(0x64, 4, 0x9800_0000, MASK32),
        ConfigRegister(regs.PMREGMISC, 1, 0, regs.PMIOSE),
        # Not modelled: the SMBus; its place is kept, and nothing is there.
        ConfigRegister(0x90, 4, 0x0000_0001, bits(15, 4)),
        ConfigRegister(0xD2, 1, 0, bits(3, 0)),
    ),
)


def placed(base: int) -> bytes:
    """Return it as firmware leaves it which puts the block at `base`.

    Raises `ValueError` when the block cannot be there.
    """
    if not base or base & ~regs.PMBA_BASE:
        raise ValueError(f"no 64 ports begin at {base:#x}")
    config = HEADER.write(HEADER.reset, regs.PMBA, 4, base)
    config = HEADER.write(config, regs.PMREGMISC, 1, regs.PMIOSE)
    return HEADER.write(config, pci.INTERRUPT_LINE, 1, regs.SCI)


def block(config: bytes) -> Range | None:
    """Return where the block of ports is at present, or None."""
    base = HEADER.read(config, regs.PMBA, 4) & regs.PMBA_BASE
    is_there = config[regs.PMREGMISC] & regs.PMIOSE and base
    return Range(base, regs.BLOCK) if is_there else None
