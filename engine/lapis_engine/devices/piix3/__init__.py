"""ISA bridge of the PIIX3, function 0:1.0: interrupt routing, and the reset port.

What else it holds on silicon (the 8259 pair, the 8254, DMA) are devices of their own.
"""

from __future__ import annotations

from lapis_engine.devices.device import Device, Function
from lapis_engine.devices.pci import NAMES
from lapis_engine.devices.piix3 import access, regs, routing
from lapis_engine.devices.piix3.config import Piix3Config
from lapis_engine.devices.piix3.header import HEADER, routed
from lapis_engine.devices.piix3.state import Piix3State


def device(*, set_up: bool = False) -> Device:
    """Return the bridge, to which the interrupt pins of PCI are led.

    With `set_up` they are routed as a BIOS leaves them, for who brings none.
    """
    return Device(
        "piix3",
        Piix3State(config=routed()) if set_up else Piix3State(),
        access,
        regs.PORTS,
        role="pirq",
        function=Function(regs.SLOT, 0, Piix3Config(HEADER)),
        route=routing.route,
        holds=routing.holds,
        registers=NAMES[:1],
    )
