"""What fw_cfg remembers: its items, and how far the guest has read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FwCfgState:
    """Reset values are the defaults; `items` is the machine's description."""

    items: tuple[tuple[int, bytes], ...]
    """(item number, contents), ascending."""
    selector: int = 0
    """Selector as last written, 16 bits."""
    data: bytes = b""
    """Contents of the selected item."""
    offset: int = 0
    """Bytes of `data` already read."""
    dma_high: int = 0
    """Upper half of the address of the next request."""
