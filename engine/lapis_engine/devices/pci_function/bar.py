"""Base address registers: what they are, and where they have been put.

Source: PCI Local Bus 3.0 "Base Addresses". The size of a window is found by writing
ones: address bits below it stay 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.devices.device import Range
from lapis_engine.devices.pci_function import regs
from lapis_engine.units import MASK32, MASK64

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["io", "memory", "memory64"]

SMALLEST: Final[Mapping[str, int]] = {"io": 4, "memory": 16, "memory64": 16}
"""Bytes of a window at least."""
LAST: Final[Mapping[str, int]] = {"io": 0xFFFF, "memory": MASK32, "memory64": MASK64}
"""Last address that the processor reaches of each space."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A base address register, or two of them for memory of 64-bit addresses."""

    index: int
    """0 to 5, the lower one of two."""
    kind: Kind
    size: int
    """Bytes, a power of two."""
    prefetchable: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` when there is no such register."""
        wide = self.kind == "memory64"
        if not 0 <= self.index < regs.BAR_COUNT - wide:
            raise ValueError(f"a function has no {self.kind} BAR {self.index}")
        if self.size & (self.size - 1) or self.size < SMALLEST[self.kind]:
            raise ValueError(
                f"{self.kind} BAR {self.index} of {self.size} bytes: a power of two "
                f"from {SMALLEST[self.kind]} is expected"
            )
        if self.size > LAST[self.kind]:
            raise ValueError(f"{self.kind} BAR {self.index} of {self.size} bytes")

    @property
    def at(self) -> int:
        """Offset in configuration space."""
        return regs.BARS + 4 * self.index

    @property
    def width(self) -> int:
        """Bytes of configuration space that it takes: 4 or 8."""
        return 8 if self.kind == "memory64" else 4

    @property
    def fixed(self) -> int:
        """Its read-only low bits, which say what it is."""
        if self.kind == "io":
            return regs.BAR_IO
        wide = regs.BAR_64 if self.kind == "memory64" else 0
        return wide | (regs.BAR_PREFETCHABLE if self.prefetchable else 0)

    @property
    def writable(self) -> int:
        """The bits of it that can be written: those of addresses of whole windows."""
        return ~(self.size - 1) & (1 << 8 * self.width) - 1

    def window(self, config: bytes) -> Range | None:
        """Return where it answers at present, or None where it does not.

        Below its space's end there must be room for all of it, so that it is nowhere
        while ones are written to it; and address 0 is none. As in QEMU
        (`pci_bar_address`).
        """
        is_io = self.kind == "io"
        wanted = regs.COMMAND_IO if is_io else regs.COMMAND_MEMORY
        if not config[regs.COMMAND] & wanted:
            return None
        raw = int.from_bytes(config[self.at : self.at + self.width], "little")
        first = raw & (regs.BAR_IO_BASE if is_io else regs.BAR_MEMORY_BASE)
        if not first or first + self.size > LAST[self.kind]:
            return None
        return Range(first, self.size)
