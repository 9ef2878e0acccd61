"""Configuration space of the ISA bridge.

Source: Intel 82371FB/82371SB "PCI Configuration Registers", function 0. The bits that
are not routing are kept as they are written, and have no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.pci_function.ids import INTEL, RED_HAT, VIRTUAL_MACHINE
from lapis_engine.devices.pci_function.layout import ConfigRegister, make
from lapis_engine.devices.piix3 import regs
from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from lapis_engine.devices.pci_function.header import Header

HEADER: Final[Header] = make(
    INTEL,
    0x7000,
    class_code=0x06_0100,
    subsystem_vendor=RED_HAT,
    subsystem=VIRTUAL_MACHINE,
    multifunction=True,
    command=0x0007,  # a bus master, memory and I/O, always
    command_writable=bit(3),  # special cycles
    status=0x0200,  # medium DEVSEL#
    registers=(
        ConfigRegister(0x4C, 1, 0x4D, 0xFF),  # IORT
        ConfigRegister(0x4E, 2, 0x0003, bits(8, 0)),  # XBCS
        *(
            ConfigRegister(
                regs.PIRQRC + n, 1, regs.PIRQRC_RESET, regs.NOT_ROUTED | regs.ROUTE
            )
            for n in range(regs.PIRQS)
        ),
        ConfigRegister(0x69, 1, 0x02, bits(7, 1)),  # TOM
        ConfigRegister(0x70, 1, 0x80, bits(7, 5) | bits(3, 0)),  # MBIRQ0
        ConfigRegister(0x76, 1, 0x0C, bit(7) | bits(3, 0)),  # MBDMA0
        ConfigRegister(0x77, 1, 0x0C, bit(7) | bits(3, 0)),  # MBDMA1
        ConfigRegister(0x78, 2, 0x0002, 0xFFFF),  # PCSC
        ConfigRegister(0x80, 1, 0, bits(6, 0)),  # APICBASE
        ConfigRegister(0x82, 1, 0, bits(3, 0)),  # DLC
        # Not modelled: SMM, which these would send the processor into.
        ConfigRegister(0xA0, 1, 0x08, bits(4, 0)),  # SMICNTL
        ConfigRegister(0xA2, 2, 0, 0xFFFF),  # SMIEN
        ConfigRegister(0xA4, 4, 0, MASK32),  # SEE
        ConfigRegister(0xA8, 1, 0x0F, 0xFF),  # FTMR
        ConfigRegister(0xAC, 1, 0, 0xFF),  # CTLTMR
        ConfigRegister(0xAE, 1, 0, 0xFF),  # CTHTMR
    ),
)


def routed() -> bytes:
    """Return it as SeaBIOS leaves it: PIRQA# and B# on line 10, the others on 11."""
    return HEADER.write(HEADER.reset, regs.PIRQRC, 4, regs.PIRQRC_BIOS)
