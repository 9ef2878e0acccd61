"""Configuration space as bytes: what is there, and which bits can be written.

Source: PCI Local Bus 3.0 "Configuration Space". Functions of the bytes alone; what a
register does beside is its device's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.devices.pci_function import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Range, Signals
    from lapis_engine.devices.pci_function.bar import Bar

KEPT_PLACES: Final = 256
"""Configurations whose windows are remembered."""


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What is known of a function's configuration space for good."""

    reset: bytes
    """All of it after reset, 256 bytes."""
    writable: bytes
    """Bits that are stored as written."""
    clears: bytes
    """Bits that a 1 written to them clears."""
    bars: tuple[Bar, ...]

    def read(self, config: bytes, register: int, size: int) -> int:
        """Return `size` bytes of `config` from offset `register`; ones past the end."""
        found = config[register : register + size]
        return int.from_bytes(found.ljust(size, b"\xff"), "little")

    def write(self, config: bytes, register: int, size: int, value: int) -> bytes:
        """Return `config` after `size` bytes of `value` were written to it."""
        after = bytearray(config)
        for at in range(register, min(register + size, regs.SIZE)):
            byte = value >> 8 * (at - register) & 0xFF
            writable, kept = self.writable[at], after[at] & ~(byte & self.clears[at])
            after[at] = kept & ~writable | byte & writable
        return bytes(after)

    def window(self, config: bytes, index: int) -> Range | None:
        """Return where base address register `index` answers at present, or None."""
        for bar in self.bars:
            if bar.index == index:
                return bar.window(config)
        return None

    def ports(self, config: bytes) -> tuple[Range, ...]:
        """Return the ports at which it answers at present."""
        return _windows(self, config)[0]

    def mmio(self, config: bytes) -> tuple[Range, ...]:
        """Return the guest-physical addresses at which it answers at present."""
        return _windows(self, config)[1]


@lru_cache(KEPT_PLACES)
def _windows(
    header: Header, config: bytes
) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """Return ports and addresses: accesses without a fixed owner ask for them."""
    found = [(bar.kind == "io", bar.window(config)) for bar in header.bars]
    there = [(is_io, where) for is_io, where in found if where is not None]
    ports = tuple(where for is_io, where in there if is_io)
    return ports, tuple(where for is_io, where in there if not is_io)


class HeaderFunction:
    """`Config` and `Moves` of a function whose state has it all in `config`.

    Whoever has registers that do something overrides `write`.
    """

    def __init__(self, header: Header) -> None:
        """Take what its configuration space is like."""
        self.header = header

    def read(self, state: Any, register: int, size: int, now: int) -> int:  # noqa: ARG002 - the signature is that of `Config`
        """Return a register as it was last written."""
        return self.header.read(state.config, register, size)

    def write(
        self,
        state: Any,
        register: int,
        size: int,
        value: int,
        now: int,  # noqa: ARG002
    ) -> Signals:
        """Store what of a register can be written."""
        state.config = self.header.write(state.config, register, size, value)
        return ()

    def ports(self, state: Any) -> tuple[Range, ...]:
        """Return the ports of its windows."""
        return self.header.ports(state.config)

    def mmio(self, state: Any) -> tuple[Range, ...]:
        """Return the addresses of its windows."""
        return self.header.mmio(state.config)


# What the header says of the moment.


def command(config: bytes) -> int:
    """Return the command register, of which `regs` has the bits."""
    return int.from_bytes(config[regs.COMMAND : regs.COMMAND + 2], "little")


def is_master(config: bytes) -> bool:
    """Tell whether it may reach memory and send messages by itself."""
    return bool(command(config) & regs.COMMAND_MASTER)


def has_intx(config: bytes) -> bool:
    """Tell whether its interrupt pin is not switched off."""
    return not command(config) & regs.COMMAND_INTX_OFF


def with_interrupt(config: bytes, *, pending: bool) -> bytes:
    """Return `config` with the status that says whether it has an interrupt."""
    status = config[regs.STATUS] & ~regs.STATUS_INTERRUPT
    status |= regs.STATUS_INTERRUPT if pending else 0
    return config[: regs.STATUS] + bytes((status,)) + config[regs.STATUS + 1 :]
