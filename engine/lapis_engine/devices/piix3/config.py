"""Configuration accesses to the ISA bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.pci_function.header import HeaderFunction
from lapis_engine.devices.piix3 import routing

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.piix3.state import Piix3State


class Piix3Config(HeaderFunction):
    """The registers, of which PIRQRC does something."""

    def write(
        self, state: Piix3State, register: int, size: int, value: int, now: int
    ) -> Signals:
        """Write registers; a PIRQ that is asserted goes over to its new line."""
        return super().write(state, register, size, value, now) + routing.settle(state)
