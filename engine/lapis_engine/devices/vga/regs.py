"""Registers of the display adapter and what they hold in mode 3.

Sources: IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem": "VGA
Registers", "BIOS Modes"; VESA Industry Standard for the timing of 70 Hz.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit, bits
from lapis_engine.devices.device import Range, RegisterName

MONO: Final = 0x3B0
"""Base of the CRTC and of input status 1 in monochrome emulation; as of `COLOUR`."""
COLOUR: Final = 0x3D0
CRTC_INDEX: Final = 0x4
"""By offset from either base."""
CRTC_DATA: Final = 0x5
STATUS_1: Final = 0xA
"""Read: input status 1. Write: feature control."""

ATTRIBUTE: Final = 0x3C0
"""Index and data of the attribute controller in turns; reads give the index."""
ATTRIBUTE_READ: Final = 0x3C1
MISC_WRITE: Final = 0x3C2
"""Write: miscellaneous output. Read: input status 0."""
ENABLE: Final = 0x3C3
"""Video subsystem enable."""
SEQUENCER_INDEX: Final = 0x3C4
SEQUENCER_DATA: Final = 0x3C5
PEL_MASK: Final = 0x3C6
PEL_READ_INDEX: Final = 0x3C7
"""Write: which colour to read. Read: whether reading or writing goes on."""
PEL_WRITE_INDEX: Final = 0x3C8
PEL_DATA: Final = 0x3C9
"""Red, green and blue of a colour in turns, then those of the next."""
FEATURE_READ: Final = 0x3CA
MISC_READ: Final = 0x3CC
GRAPHICS_INDEX: Final = 0x3CE
GRAPHICS_DATA: Final = 0x3CF

PORTS: Final = (
    Range(MONO + CRTC_INDEX, 2),
    Range(MONO + STATUS_1, 1),
    Range(ATTRIBUTE, 0x10),
    Range(COLOUR + CRTC_INDEX, 2),
    Range(COLOUR + STATUS_1, 1),
)

IS_COLOUR: Final = bit(0)
"""Miscellaneous output: the CRTC is at `COLOUR`, else at `MONO`."""
MISC_RESET: Final = 0x67

ATTRIBUTE_INDEX: Final = bits(5, 0)
"""Attribute index, with the bit that gives the palette to the display."""
ATTRIBUTE_CELL: Final = bits(4, 0)

HORIZONTAL_END: Final = 0x01
"""CRTC: columns, less one."""
OVERFLOW: Final = 0x07
END_BIT_8: Final = bit(1)
"""OVERFLOW: bit 8 of VERTICAL_END."""
END_BIT_9: Final = bit(6)
"""OVERFLOW: bit 9 of VERTICAL_END."""
MAX_SCAN_LINE: Final = 0x09
SCAN_LINES: Final = bits(4, 0)
"""MAX_SCAN_LINE: lines of a row of characters, less one."""
DOUBLED: Final = bit(7)
"""MAX_SCAN_LINE: each line is there twice."""
CURSOR_START: Final = 0x0A
CURSOR_OFF: Final = bit(5)
"""CURSOR_START: no cursor."""
CURSOR_LINE: Final = bits(4, 0)
"""CURSOR_START and CURSOR_END: first and last line of the cursor in its row."""
CURSOR_END: Final = 0x0B
START_HIGH: Final = 0x0C
START_LOW: Final = 0x0D
"""Character in the top left corner."""
CURSOR_HIGH: Final = 0x0E
CURSOR_LOW: Final = 0x0F
VERTICAL_RETRACE_END: Final = 0x11
PROTECTED: Final = bit(7)
"""VERTICAL_RETRACE_END: CRTC 0 to 7 cannot be written."""
LINE_COMPARE_BIT: Final = bit(4)
"""OVERFLOW: bit 8 of line compare, which is never protected."""
VERTICAL_END: Final = 0x12
"""CRTC: lines that are shown, less one, [7:0]."""
OFFSET: Final = 0x13
"""CRTC: characters from one row to the next, halved."""

MEMORY_MAP: Final = bits(3, 2)
"""Graphics `MISCELLANEOUS`: where memory is seen, by `WINDOWS`."""
MISCELLANEOUS: Final = 0x06
GRAPHICS_MODE: Final = bit(0)
"""Graphics `MISCELLANEOUS`: what is in memory is no text."""
WINDOWS: Final = (
    Range(0xA_0000, 0x2_0000),
    Range(0xA_0000, 0x1_0000),
    Range(0xB_0000, 0x8000),
    Range(0xB_8000, 0x8000),
)

CRTC_RESET: Final = bytes.fromhex("5f4f50825581bf1f004f0d0e00000000 9c8e8f281f96b9a3ff")
SEQUENCER_RESET: Final = bytes.fromhex("0300030002")
GRAPHICS_RESET: Final = bytes.fromhex("0000000000100e00ff")
ATTRIBUTE_RESET: Final = bytes.fromhex("0001020304051407 38393a3b3c3d3e3f 0c000f0800")
COLOURS: Final = 256
PARTS: Final = 3
"""Red, green, blue, of 6 bits each."""
SIX_BITS: Final = bits(5, 0)


def _palette() -> bytes:
    """Return the 64 colours of the EGA, in which [5:3] are the dim thirds."""
    found = bytearray(COLOURS * PARTS)
    for colour in range(64):
        for part, place in enumerate((2, 1, 0)):
            bright, dim = colour >> place & 1, colour >> place + 3 & 1
            found[colour * PARTS + part] = bright * 0x2A + dim * 0x15
    return bytes(found)


PALETTE_RESET: Final = _palette()

LINE_NS: Final = 31_778
"""A scan line: 900 dots of 28.322 MHz."""
SHOWN_NS: Final = 25_422
"""Of which 720 are shown."""
LINES: Final = 449
"""Of a frame, 70 in a second."""
SHOWN_LINES: Final = 400
RETRACE: Final = range(412, 414)
"""Lines of the vertical retrace."""
FRAME_NS: Final = LINES * LINE_NS
BLANK: Final = bit(0)
"""Input status 1: nothing is shown just now."""
RETRACES: Final = bit(3)
"""Input status 1: vertical retrace."""
SENSE: Final = 0x10
"""Input status 0: a monitor is there."""

NAMES: Final = (
    *(
        name
        for base in (MONO, COLOUR)
        for name in (
            RegisterName(base + CRTC_INDEX, 1, "CRTC index", "register of CRTC data"),
            RegisterName(base + CRTC_DATA, 1, "CRTC data", "the register indexed"),
            RegisterName(
                base + STATUS_1, 1, "input status 1", "retrace, blanking", access="r"
            ),
            RegisterName(
                base + STATUS_1, 1, "feature control", "vertical sync", access="w"
            ),
        )
    ),
    RegisterName(ATTRIBUTE, 1, "attribute", "index and data in turns"),
    RegisterName(ATTRIBUTE_READ, 1, "attribute data", "the register indexed"),
    RegisterName(MISC_WRITE, 1, "misc output", "clock, polarity, ports", access="w"),
    RegisterName(MISC_WRITE, 1, "input status 0", "sense of the monitor", access="r"),
    RegisterName(ENABLE, 1, "video enable", "whether the adapter answers"),
    RegisterName(SEQUENCER_INDEX, 1, "sequencer index", "register of its data port"),
    RegisterName(SEQUENCER_DATA, 1, "sequencer data", "the register indexed"),
    RegisterName(PEL_MASK, 1, "PEL mask", "bits of a colour's number that count"),
    RegisterName(
        PEL_READ_INDEX, 1, "DAC read index", "which colour is read", access="w"
    ),
    RegisterName(PEL_READ_INDEX, 1, "DAC state", "reading or writing", access="r"),
    RegisterName(PEL_WRITE_INDEX, 1, "DAC write index", "which colour is written"),
    RegisterName(PEL_DATA, 1, "DAC data", "red, green and blue in turns"),
    RegisterName(FEATURE_READ, 1, "feature control", "vertical sync", access="r"),
    RegisterName(MISC_READ, 1, "misc output", "clock, polarity, ports", access="r"),
    RegisterName(GRAPHICS_INDEX, 1, "graphics index", "register of its data port"),
    RegisterName(GRAPHICS_DATA, 1, "graphics data", "the register indexed"),
)
