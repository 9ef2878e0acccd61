"""Guest accesses to fw_cfg."""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.fw_cfg import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.fw_cfg.state import FwCfgState


def read(state: FwCfgState, address: int, size: int, now: int) -> int:
    """Read the selected item's next `size` bytes, the first one lowest."""
    if address != regs.DATA:
        return (1 << (8 * size)) - 1
    chunk = state.data[state.offset : state.offset + size]
    state.offset = min(state.offset + size, len(state.data))
    return int.from_bytes(chunk, "little")


def write(state: FwCfgState, address: int, size: int, value: int, now: int) -> Signals:
    """Select an item, or drop a write of data: no item can be written."""
    if address == regs.SELECTOR and size > 1:
        select(state, value & 0xFFFF)
    return ()


def select(state: FwCfgState, selector: int) -> None:
    """Go to the first byte of an item; one that is not there has none."""
    state.selector = selector
    state.data = dict(state.items).get(selector & ~regs.WRITE_CHANNEL, b"")
    state.offset = 0
