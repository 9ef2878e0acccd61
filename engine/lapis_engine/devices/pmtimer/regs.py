"""The port of the power management timer.

Sources: ACPI Specification 6.4 "Power Management Timer"; bhyve `vpmtmr_handler`.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bits
from lapis_engine.devices.device import Range

HZ: Final = 3_579_545
COUNT: Final = 0x408
"""PM_TMR, a dword, read-only."""
PORTS: Final = (Range(COUNT, 4),)

WIDTH: Final = bits(31, 0)
"""The count with TMR_VAL_EXT; it wraps after 1200 s."""
