"""The POST code port."""

from __future__ import annotations

from typing import Final

from lapis_engine.devices.device import Range

PORTS: Final = (Range(0x80, 1),)
"""Write: a progress code. Read: all ones, nothing drives the bus."""
