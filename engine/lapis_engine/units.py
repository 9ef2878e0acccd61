"""Sizes and units that everything counts in; they have no other owner."""

from typing import Final

MIB: Final = 1 << 20
"""Bytes in a mebibyte."""
PAGE: Final = 0x1000
"""Bytes in a page of memory, an APIC's included."""
SECTOR: Final = 512
"""Bytes of a sector: disks and boot images come by these."""
NS: Final = 1_000_000_000
"""ns in a second of virtual time."""
MASK32: Final = 0xFFFF_FFFF
MASK64: Final = 0xFFFF_FFFF_FFFF_FFFF
"""The bits of a doubleword and of a quadword."""
