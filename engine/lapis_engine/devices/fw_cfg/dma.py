"""The DMA interface of fw_cfg: pieces of items copied to RAM at a request.

Source: QEMU documentation "QEMU Firmware Configuration (fw_cfg) Device", "Guest-side
DMA Interface". A request is served within the write that makes it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.fw_cfg import access, regs
from lapis_engine.events import Oddity
from lapis_engine.units import MIB

if TYPE_CHECKING:
    from lapis_engine.devices.device import Dma, Signals, Wiring
    from lapis_engine.devices.fw_cfg.state import FwCfgState

LARGEST: Final = 64 * MIB
"""Bytes of a transfer at most."""


class DmaAccess:
    """Guest accesses to an fw_cfg that reaches memory."""

    def __init__(self) -> None:
        """Be connected to nothing yet."""
        self._dma: Dma | None = None

    def wire(self, wiring: Wiring) -> None:
        """Keep the way to memory."""
        self._dma = wiring.dma

    def read(self, state: FwCfgState, address: int, size: int, now: int) -> int:
        """Read an item, or of the address the signature."""
        if address < regs.DMA_HIGH:
            return access.read(state, address, size, now)
        at = address - regs.DMA_HIGH
        found = regs.DMA_SIGNATURE[at : at + size].ljust(size, b"\xff")
        return int.from_bytes(found, "little")

    def write(
        self, state: FwCfgState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Select an item, or take half of an address: dwords alone count."""
        if address < regs.DMA_HIGH:
            return access.write(state, address, size, value, now)
        if size != 4:
            return ()
        half = int.from_bytes(value.to_bytes(4, "little"), "big")
        if address == regs.DMA_HIGH:
            state.dma_high = half
        elif address == regs.DMA_LOW:
            gpa, state.dma_high = state.dma_high << 32 | half, 0
            return _serve(state, self._dma, gpa)
        return ()


def _serve(state: FwCfgState, dma: Dma | None, gpa: int) -> Signals:
    """Do the request at `gpa` and say in its control how that went."""
    request = None if dma is None else dma.read(gpa, regs.REQUEST_SIZE)
    if dma is None or request is None:
        return (Oddity(-1, "fw_cfg", f"a request at {gpa:#x}, where no memory is"),)
    control, length, address = struct.unpack(">IIQ", request)
    if control & regs.SELECT:
        access.select(state, regs.SELECTED.get(control))
    why = _transfer(state, dma, control, length, address)
    result = 0 if why is None else regs.ERROR
    if not dma.write(gpa, result.to_bytes(4, "big")):
        why = "its request cannot be written"
    return () if why is None else (Oddity(-1, "fw_cfg", f"a DMA request fails: {why}"),)


def _transfer(
    state: FwCfgState, dma: Dma, control: int, length: int, address: int
) -> str | None:
    """Copy or skip as `control` says; return why not."""
    if not control & (regs.READ | regs.WRITE | regs.SKIP):
        return None
    piece = state.data[state.offset : state.offset + length]
    if control & regs.READ:
        # Not modelled: transfers of more than `LARGEST`; no item is as large.
        if length > LARGEST:
            return f"{length} bytes at once"
        if not dma.write(address, piece.ljust(length, b"\0")):
            return f"{length} bytes at {address:#x} are not all RAM"
    elif control & regs.WRITE:
        return f"item {state.selector:#x} cannot be written"
    state.offset += len(piece)
    return None
