"""What the display adapter remembers."""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.devices.vga import regs


@dataclass(slots=True)
class VgaState:
    """Reset values are the defaults, those of mode 3."""

    misc: int = regs.MISC_RESET
    """Miscellaneous output."""
    feature: int = 0
    """Feature control."""
    enabled: int = 1
    """Port 0x3C3."""
    crtc_index: int = 0
    crtc: bytes = regs.CRTC_RESET
    """The 25 registers of the CRTC."""
    sequencer_index: int = 0
    sequencer: bytes = regs.SEQUENCER_RESET
    graphics_index: int = 0
    graphics: bytes = regs.GRAPHICS_RESET
    attribute_index: int = 0x20
    attribute: bytes = regs.ATTRIBUTE_RESET
    takes_data: bool = False
    """What is written to 0x3C0 next is data, not an index."""
    pel_mask: int = 0xFF
    pel_index: int = 0
    """Colour that `PEL_DATA` reaches."""
    pel_part: int = 0
    """0 red, 1 green, 2 blue."""
    pel_reads: bool = False
    """The colour was chosen for reading."""
    palette: bytes = regs.PALETTE_RESET
    """Three bytes of 256 colours."""
