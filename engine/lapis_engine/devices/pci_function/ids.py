"""Ids by which the functions of this machine are known."""

from typing import Final

INTEL: Final = 0x8086
"""Vendor id."""
RED_HAT: Final = 0x1AF4
"""Vendor id of virtio, and the subsystem vendor id that QEMU's machines have."""
VIRTUAL_MACHINE: Final = 0x1100
"""Subsystem id by which firmware finds that it runs on one of those."""
