"""Sizes and units that everything counts in; they have no other owner."""

from typing import Final

PAGE: Final = 0x1000
"""Bytes in a page of memory, an APIC's included."""
NS: Final = 1_000_000_000
"""ns in a second of virtual time."""
