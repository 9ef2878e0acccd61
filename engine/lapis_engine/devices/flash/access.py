"""Guest accesses to the flash: a byte at a time, the lowest first, for it has 8 bits.

Source: Intel StrataFlash Memory (J3) data sheet, "Command Set". Programming and erasing
take no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import ShadowChanged
from lapis_engine.devices.flash import query, regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Dma, Range, Signals, Wiring
    from lapis_engine.devices.flash.state import FlashState


def hides(where: Range, state: FlashState) -> tuple[Range, ...]:
    """Return what of memory it answers itself: all of it, but in array mode."""
    return () if state.mode == regs.READ_ARRAY else (where,)


class FlashAccess:
    """Guest accesses to the flash at one range of addresses."""

    def __init__(self, where: Range) -> None:
        """Be at `where`."""
        self._where = where
        self._dma: Dma | None = None

    def wire(self, wiring: Wiring) -> None:
        """Keep the way to memory."""
        self._dma = wiring.dma

    def read(self, state: FlashState, address: int, size: int, now: int) -> int:  # noqa: ARG002 - the signature is that of `Access`
        """Read what is in it, its status, or what it is."""
        if state.mode == regs.READ_ARRAY:
            return int.from_bytes(self._content(address, size), "little")
        found = bytes(
            self._said(state, address + at - self._where.first) for at in range(size)
        )
        return int.from_bytes(found, "little")

    def write(
        self,
        state: FlashState,
        address: int,
        size: int,
        value: int,
        now: int,  # noqa: ARG002
    ) -> Signals:
        """Take commands, and what belongs to them."""
        was_array = state.mode == regs.READ_ARRAY
        for at in range(size):
            self._write(state, address + at, value >> 8 * at & 0xFF)
        is_array = state.mode == regs.READ_ARRAY
        return () if is_array == was_array else (ShadowChanged(),)

    def _said(self, state: FlashState, offset: int) -> int:
        if state.mode == regs.READ_STATUS:
            return state.status
        if state.mode == regs.READ_ID:
            table: bytes | tuple[int, ...] = regs.ID
            offset %= regs.BLOCK
        else:
            table = query.table(self._where.size)
            offset %= query.SEEN
        return table[offset] if offset < len(table) else 0

    def _content(self, address: int, size: int) -> bytes:
        found = None if self._dma is None else self._dma.read(address, size)
        return b"\xff" * size if found is None else found

    def _write(self, state: FlashState, address: int, value: int) -> None:
        match state.command:
            case None:
                _command(state, value)
            case regs.PROGRAM:
                self._program(state, ((address, value),))
            case regs.ERASE if value == regs.CONFIRM:
                self._erase(state, address)
            case regs.LOCK if value in {regs.CONFIRM, regs.LOCK_BLOCK}:
                # Not modelled: locked blocks; QEMU has none, either.
                _end(state, 0)
            case regs.BUFFERED:
                self._buffer(state, address, value)
            case _:
                _end(state, regs.SEQUENCE_ERROR)

    def _buffer(self, state: FlashState, address: int, value: int) -> None:
        """Take the count, a byte, or the confirmation."""
        if state.left is None:
            state.left = value + 1
        elif state.left:
            state.buffer += ((address, value),)
            state.left -= 1
        elif value == regs.CONFIRM:
            self._program(state, state.buffer)
        else:
            _end(state, regs.SEQUENCE_ERROR)

    def _program(self, state: FlashState, what: tuple[tuple[int, int], ...]) -> None:
        """Clear the bits that are 0 in what is written: none can be set so."""
        is_fine = len({address // regs.BUFFER for address, _ in what}) == 1
        for address, value in what if is_fine else ():
            (before,) = self._content(address, 1)
            is_fine &= self._store(address, bytes((before & value,)))
        _end(state, 0 if is_fine else regs.PROGRAM_ERROR)

    def _erase(self, state: FlashState, address: int) -> None:
        erased = bytes((regs.ERASED,)) * regs.BLOCK
        is_fine = self._store(address - address % regs.BLOCK, erased)
        _end(state, 0 if is_fine else regs.ERASE_ERROR)

    def _store(self, address: int, data: bytes) -> bool:
        if address not in self._where or self._dma is None:
            return False
        return self._dma.program(address, data)


def _command(state: FlashState, value: int) -> None:
    """Begin a command."""
    match value:
        case regs.READ_STATUS | regs.READ_ID | regs.QUERY:
            state.mode = value
        case regs.PROGRAM | regs.PROGRAM_TOO:
            state.command, state.mode = regs.PROGRAM, regs.READ_STATUS
        case regs.ERASE | regs.LOCK:
            state.command, state.mode = value, regs.READ_STATUS
        case regs.BUFFERED:
            state.command, state.mode = value, regs.READ_STATUS
            state.status |= regs.READY  # the buffer is free
        case regs.CLEAR_STATUS:
            # As QEMU, of READY too: by a status of 0 OVMF tells flash from ROM.
            state.status, state.mode = 0, regs.READ_ARRAY
        case _:
            state.mode = regs.READ_ARRAY


def _end(state: FlashState, errors: int) -> None:
    """Be done with a command; its errors stay until they are cleared."""
    state.command, state.left, state.buffer = None, None, ()
    state.status |= regs.READY | errors
