"""Guest accesses to the registers of the display adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.vga import raster, regs
from lapis_engine.plain import Plain

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.vga.state import VgaState


def read(state: VgaState, address: int, size: int, now: int) -> int:
    """Read a register; input status 1 and the colours change something by it."""
    return bytewise.read(_read, regs.PORTS, state, address, size, now)


def write(state: VgaState, address: int, size: int, value: int, now: int) -> Signals:
    """Write a register; a word is an index and its data."""
    return bytewise.write(_write, regs.PORTS, state, address, size, value, now)


def plain(state: VgaState, address: int, size: int, now: int) -> Plain | None:
    """Return what a register is; of the beam, as long as it stays so."""
    if size != 1 or address == regs.PEL_DATA:
        return None
    if address in _both(regs.STATUS_1):
        if state.takes_data:
            return None  # the read takes that away
        is_there = address == _base(state) + regs.STATUS_1
        until = raster.steady_until(now) if is_there else None
        return Plain(_read(state, address, now), until=until)
    return Plain(_read(state, address, now))


def _both(offset: int) -> tuple[int, int]:
    return regs.MONO + offset, regs.COLOUR + offset


def _base(state: VgaState) -> int:
    """Return where CRTC and input status 1 are."""
    return regs.COLOUR if state.misc & regs.IS_COLOUR else regs.MONO


def _read(state: VgaState, port: int, now: int) -> int:
    if port not in range(regs.ATTRIBUTE, regs.ATTRIBUTE + 0x10):
        return _read_crtc(state, port - _base(state), now)
    if port in (regs.PEL_READ_INDEX, regs.PEL_WRITE_INDEX, regs.PEL_DATA):
        return _read_colour(state, port)
    match port:
        case regs.ATTRIBUTE:
            return state.attribute_index
        case regs.ATTRIBUTE_READ:
            index = regs.ATTRIBUTE_CELL.get(state.attribute_index)
            return _cell(state.attribute, index)
        case regs.MISC_WRITE:
            return regs.SENSE
        case regs.SEQUENCER_DATA:
            return _cell(state.sequencer, state.sequencer_index)
        case regs.GRAPHICS_DATA:
            return _cell(state.graphics, state.graphics_index)
        case _:
            return _kept(state, port)


def _kept(state: VgaState, port: int) -> int:
    """Return a register that is just remembered; all ones where there is none."""
    found = {
        regs.ENABLE: state.enabled,
        regs.SEQUENCER_INDEX: state.sequencer_index,
        regs.PEL_MASK: state.pel_mask,
        regs.FEATURE_READ: state.feature,
        regs.MISC_READ: state.misc,
        regs.GRAPHICS_INDEX: state.graphics_index,
    }
    return found.get(port, bytewise.FLOATING)


def _read_crtc(state: VgaState, offset: int, now: int) -> int:
    match offset:
        case regs.CRTC_INDEX:
            return state.crtc_index
        case regs.CRTC_DATA:
            return _cell(state.crtc, state.crtc_index)
        case regs.STATUS_1:
            state.takes_data = False
            return raster.status(now)
        case _:
            return bytewise.FLOATING  # the other emulation's


def _read_colour(state: VgaState, port: int) -> int:
    if port == regs.PEL_READ_INDEX:
        return 3 if state.pel_reads else 0
    if port == regs.PEL_WRITE_INDEX:
        return state.pel_index
    value = state.palette[state.pel_index * regs.PARTS + state.pel_part]
    _next_part(state)
    return value


def _next_part(state: VgaState) -> None:
    state.pel_part = (state.pel_part + 1) % regs.PARTS
    if state.pel_part == 0:
        state.pel_index = (state.pel_index + 1) % regs.COLOURS


def _write(state: VgaState, port: int, value: int, now: int) -> Signals:  # noqa: ARG001 - the shape that `bytewise` calls
    if port not in range(regs.ATTRIBUTE, regs.ATTRIBUTE + 0x10):
        _write_crtc(state, port - _base(state), value)
    elif port in (regs.PEL_READ_INDEX, regs.PEL_WRITE_INDEX, regs.PEL_DATA):
        _write_colour(state, port, value)
    else:
        _write_register(state, port, value)
    return ()


def _write_register(state: VgaState, port: int, value: int) -> None:
    match port:
        case regs.ATTRIBUTE:
            _write_attribute(state, value)
        case regs.MISC_WRITE:
            state.misc = value
        case regs.ENABLE:
            state.enabled = value
        case regs.SEQUENCER_INDEX:
            state.sequencer_index = value
        case regs.SEQUENCER_DATA:
            state.sequencer = _put(state.sequencer, state.sequencer_index, value)
        case regs.PEL_MASK:
            state.pel_mask = value
        case regs.GRAPHICS_INDEX:
            state.graphics_index = value
        case regs.GRAPHICS_DATA:
            state.graphics = _put(state.graphics, state.graphics_index, value)
        case _:
            pass  # read-only, or nothing


def _write_attribute(state: VgaState, value: int) -> None:
    if state.takes_data:
        index = regs.ATTRIBUTE_CELL.get(state.attribute_index)
        state.attribute = _put(state.attribute, index, value)
    else:
        state.attribute_index = value & regs.ATTRIBUTE_INDEX
    state.takes_data = not state.takes_data


def _write_crtc(state: VgaState, offset: int, value: int) -> None:
    if offset == regs.CRTC_INDEX:
        state.crtc_index = value
    elif offset == regs.STATUS_1:
        state.feature = value
    elif offset == regs.CRTC_DATA:
        index = state.crtc_index
        protects = state.crtc[regs.VERTICAL_RETRACE_END] & regs.PROTECTED
        if protects and index == regs.OVERFLOW:
            kept = state.crtc[index] & ~regs.LINE_COMPARE_BIT
            value = kept | value & regs.LINE_COMPARE_BIT
        elif protects and index < regs.OVERFLOW:
            return
        state.crtc = _put(state.crtc, index, value)


def _write_colour(state: VgaState, port: int, value: int) -> None:
    if port == regs.PEL_DATA:
        at = state.pel_index * regs.PARTS + state.pel_part
        state.palette = _put(state.palette, at, value & regs.SIX_BITS)
        _next_part(state)
        return
    state.pel_index, state.pel_part = value, 0
    state.pel_reads = port == regs.PEL_READ_INDEX


def _cell(cells: bytes, index: int) -> int:
    """Return a register; those that are not there read 0."""
    return cells[index] if index < len(cells) else 0


def _put(cells: bytes, index: int, value: int) -> bytes:
    if index >= len(cells):
        return cells
    return cells[:index] + bytes((value,)) + cells[index + 1 :]
