"""How a device with 8-bit ports meets accesses of 2, 4 and 8 bytes.

The bus splits them into byte cycles at ascending ports (Intel 82371AB PIIX4 "ISA/EIO
Bus Interface"); a byte that falls outside the device is not its business: it reads as
ones and its write is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.devices.device import Range, Signals

S = TypeVar("S")

FLOATING: Final = 0xFF
"""What a byte of the bus reads as when nobody drives it."""


def read(
    one: Callable[[S, int, int], int],
    ports: tuple[Range, ...],
    state: S,
    address: int,
    size: int,
    now: int,
) -> int:
    """Gather `size` bytes, lowest port first, with ``one(state, port, now)``."""
    value = 0
    for i in range(size):
        port = address + i
        served = any(port in ports_of for ports_of in ports)
        value |= (one(state, port, now) if served else FLOATING) << (8 * i)
    return value


def write(
    one: Callable[[S, int, int, int], Signals],
    ports: tuple[Range, ...],
    state: S,
    address: int,
    size: int,
    value: int,
    now: int,
) -> Signals:
    """Hand `size` bytes, lowest port first, to ``one(state, port, byte, now)``."""
    signals: Signals = ()
    for i in range(size):
        port = address + i
        if any(port in ports_of for ports_of in ports):
            signals += one(state, port, (value >> (8 * i)) & 0xFF, now)
    return signals
