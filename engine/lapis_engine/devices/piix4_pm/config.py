"""Where the block of ports is put."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.pci_function.header import HeaderFunction
from lapis_engine.devices.piix4_pm.header import block

if TYPE_CHECKING:
    from lapis_engine.devices.device import Range
    from lapis_engine.devices.piix4_pm.state import Piix4PmState


class Piix4PmConfig(HeaderFunction):
    """The registers, of which PMBA and PMREGMISC place the block."""

    def ports(self, state: Piix4PmState) -> tuple[Range, ...]:
        """Return the ports of the block."""
        where = block(state.config)
        return () if where is None else (where,)
