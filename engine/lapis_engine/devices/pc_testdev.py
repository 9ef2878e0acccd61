"""Device for tests of hypervisors: ports and memory that keep what is written.

QEMU `hw/misc/pc-testdev.c`, for which suites of tests are written. A byte written to
port 0x2000 + n moves interrupt line n.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.devices import bytewise
from lapis_engine.devices.device import (
    Device,
    GsiChanged,
    LineChanged,
    Range,
    RegisterName,
)

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals

DATA: Final = 0xE0
"""A dword that reads back."""
FLUSH: Final = 0xE4
"""The page whose mapping by the host is to be flushed; here nothing is to be."""
DATA_BYTES: Final = 0xE8
"""The dword at DATA, for accesses that the bus has split."""
LINES: Final = 0x2000
"""First of the interrupt lines, a byte each."""
LINE_COUNT: Final = 24
ISA_LINES: Final = 16
"""The first of them; beyond are inputs of the IOAPIC."""
PORTS: Final = (Range(DATA, 12), Range(LINES, LINE_COUNT))
MEMORY: Final = Range(0xFF00_0000, 0x1_0000)
PIECE: Final = 64
"""Bytes of memory that are kept together."""
NAMES: Final = (
    RegisterName(DATA, 4, "data", "reads back what is written"),
    RegisterName(FLUSH, 4, "flush", "page that the host is to unmap"),
    RegisterName(DATA_BYTES, 4, "data", "the same, for accesses that were split"),
    *(
        RegisterName(LINES + n, 1, f"line {n}", f"holds interrupt line {n} up")
        for n in range(LINE_COUNT)
    ),
    RegisterName(MEMORY.first, MEMORY.size, "memory", "keeps what is written", "mmio"),
)


@dataclass(slots=True)
class PcTestdevState:
    """Reset values are the defaults."""

    data: int = 0
    """What the ports of data hold, 32 bits."""
    flushed: int = 0
    """What was last written to FLUSH, 32 bits."""
    lines: int = 0
    """Interrupt lines that it holds up, a bit each."""
    memory: dict[int, bytes] = field(default_factory=dict)
    """The pieces that were written, by number; the others are zeros."""


class PcTestdevAccess:
    """Guest accesses to the device."""

    def read(self, state: PcTestdevState, address: int, size: int, now: int) -> int:
        """Read ports or memory; the lines read as 0."""
        if address in MEMORY:
            offset = address - MEMORY.first
            found = bytes(_load(state, offset + i) for i in range(size))
            return int.from_bytes(found, "little")
        return bytewise.read(_read, PORTS, state, address, size, now)

    def write(
        self, state: PcTestdevState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Write ports or memory."""
        if address in MEMORY:
            for i in range(min(size, MEMORY.first + MEMORY.size - address)):
                _store(state, address - MEMORY.first + i, value >> 8 * i & 0xFF)
            return ()
        if address in PORTS[1]:
            # A line is moved by all that is written, and it is one line.
            return _move(state, address - LINES, up=bool(value & (1 << 8 * size) - 1))
        return bytewise.write(_write, PORTS, state, address, size, value, now)


def _load(state: PcTestdevState, offset: int) -> int:
    if offset >= MEMORY.size:
        return bytewise.FLOATING
    piece = state.memory.get(offset // PIECE)
    return 0 if piece is None else piece[offset % PIECE]


def _store(state: PcTestdevState, offset: int, value: int) -> None:
    number, at = divmod(offset, PIECE)
    piece = state.memory.get(number, bytes(PIECE))
    state.memory[number] = piece[:at] + bytes((value,)) + piece[at + 1 :]


def _read(state: PcTestdevState, port: int, _now: int) -> int:
    if port in PORTS[1]:
        return 0
    # Differs from QEMU: FLUSH reads back, and not as 0.
    word = state.flushed if FLUSH <= port < DATA_BYTES else state.data
    return word >> 8 * (port & 3) & 0xFF


def _write(state: PcTestdevState, port: int, value: int, _now: int) -> Signals:
    shift = 8 * (port & 3)
    if FLUSH <= port < DATA_BYTES:
        state.flushed = state.flushed & ~(0xFF << shift) | value << shift
    else:
        state.data = state.data & ~(0xFF << shift) | value << shift
    return ()


def _move(state: PcTestdevState, line: int, *, up: bool) -> Signals:
    if up == bool(state.lines >> line & 1):
        return ()
    state.lines ^= 1 << line
    return (_wire(line, up=up),)


def _wire(line: int, *, up: bool) -> LineChanged | GsiChanged:
    if line < ISA_LINES:
        return LineChanged(line, asserted=up)
    return GsiChanged(line, asserted=up)


def _holds(state: PcTestdevState) -> tuple[LineChanged | GsiChanged, ...]:
    up = (n for n in range(state.lines.bit_length()) if state.lines >> n & 1)
    return tuple(_wire(line, up=True) for line in up)


def device(*, has_memory: bool = True) -> Device:
    """Return the device; without its memory where flash takes that place."""
    mmio = (MEMORY,) if has_memory else ()
    return Device(
        "pc-testdev",
        PcTestdevState(),
        PcTestdevAccess(),
        PORTS,
        mmio,
        holds=_holds,
        registers=NAMES,
    )
