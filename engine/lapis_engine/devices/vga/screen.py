"""The text on the screen, from memory and the registers of the CRTC.

For who wants to look: the registers, the state of the adapter, never change by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.vga import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Range
    from lapis_engine.devices.vga.state import VgaState

_LOW: Final = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
"""Code page 437 below 0x20, where Python's has control characters."""
GLYPHS: Final = "".join(
    (
        _LOW,
        bytes(range(0x20, 0x7F)).decode("ascii"),
        "⌂",
        bytes(range(0x80, 0xFF)).decode("cp437"),
        " ",
    )
)
"""By character code: what it looks like; none of them is a control character."""
CELL: Final = 2
"""Bytes: a character and its attribute."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What there is to see."""

    lines: tuple[str, ...]
    """One per row, each as wide as the screen."""
    cursor: tuple[int, int] | None
    """(row, column) from 0; None when it is off or elsewhere."""


def is_text(state: VgaState) -> bool:
    """Tell whether the adapter is in a text mode."""
    return not state.graphics[regs.MISCELLANEOUS] & regs.GRAPHICS_MODE


def window(state: VgaState) -> Range:
    """Return the guest-physical bytes whose contents `screen` wants."""
    return regs.WINDOWS[regs.MEMORY_MAP.get(state.graphics[regs.MISCELLANEOUS])]


def screen(memory: bytes, crtc: bytes) -> Screen:
    """Return the text that the CRTC shows of `memory`.

    Args:
        memory: The bytes of `window`, characters and attributes in turns; the text
            goes on at its beginning where it comes to its end.
        crtc: The 25 registers (`VgaState.crtc`).
    """
    columns = crtc[regs.HORIZONTAL_END] + 1
    start = crtc[regs.START_HIGH] << 8 | crtc[regs.START_LOW]
    stride = crtc[regs.OFFSET] * 2
    text = memory[::CELL] or bytes(1)
    lines = tuple(
        _line(text, start + row * stride, columns) for row in range(_rows(crtc))
    )
    return Screen(lines, _cursor(crtc, start, stride, columns, len(lines)))


def _rows(crtc: bytes) -> int:
    overflow = crtc[regs.OVERFLOW]
    end = crtc[regs.VERTICAL_END]
    end |= 0x100 if overflow & regs.END_BIT_8 else 0
    end |= 0x200 if overflow & regs.END_BIT_9 else 0
    height = regs.SCAN_LINES.get(crtc[regs.MAX_SCAN_LINE]) + 1
    if crtc[regs.MAX_SCAN_LINE] & regs.DOUBLED:
        height *= 2
    return max((end + 1) // height, 1)


def _line(text: bytes, first: int, columns: int) -> str:
    codes = (text[(first + column) % len(text)] for column in range(columns))
    return "".join(GLYPHS[code] for code in codes)


def _cursor(
    crtc: bytes, start: int, stride: int, columns: int, rows: int
) -> tuple[int, int] | None:
    first, last = crtc[regs.CURSOR_START], crtc[regs.CURSOR_END]
    is_seen = regs.CURSOR_LINE.get(first) <= regs.CURSOR_LINE.get(last)
    if first & regs.CURSOR_OFF or not is_seen:
        return None
    at = (crtc[regs.CURSOR_HIGH] << 8 | crtc[regs.CURSOR_LOW]) - start
    row, column = divmod(at, stride or columns)
    return (row, column) if 0 <= row < rows and column < columns else None
