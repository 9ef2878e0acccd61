"""The debug exit's ports (QEMU `hw/misc/debugexit.c`)."""

from __future__ import annotations

from typing import Final

from lapis_engine.devices.device import Range

PORTS: Final = (Range(0xF4, 4),)
"""Any write, of any size, ends the machine. Reads answer 0."""
