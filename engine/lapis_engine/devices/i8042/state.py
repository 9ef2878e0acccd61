"""What controller, keyboard and mouse remember."""

from __future__ import annotations

from dataclasses import dataclass, field

from lapis_engine.devices.i8042 import regs


@dataclass(slots=True)
class KeyboardState:
    """The keyboard; reset values are the defaults."""

    replies: bytes = b""
    """What it has still to say to the last command."""
    codes: bytes = b""
    """Scan codes that wait, in the set of when their key moved."""
    scanning: bool = True
    """Keys are reported."""
    leds: int = 0
    """Scroll lock, num lock, caps lock in [2:0]."""
    rate: int = regs.RATE_RESET
    """Typematic rate and delay, as written."""
    code_set: int = regs.SET_RESET
    """1, 2 or 3."""
    command: int = 0
    """Command that waits for its parameter, or 0."""
    last: int = 0
    """Byte last sent, which AGAIN asks for."""


@dataclass(slots=True)
class MouseState:
    """The mouse; reset values are the defaults."""

    replies: bytes = b""
    """What it has still to say to the last command."""
    enabled: bool = False
    """It would report movement."""
    remote: bool = False
    """It would report only when it is asked."""
    wrap: bool = False
    """It sends back whatever it is sent."""
    scaling: bool = False
    """Scaling is 2:1."""
    resolution: int = regs.RESOLUTION_RESET
    samples: int = regs.SAMPLES_RESET
    """In a second."""
    command: int = 0
    """Command that waits for its parameter, or 0."""
    last: int = 0
    """Byte last sent."""


@dataclass(slots=True)
class I8042State:
    """Reset values are the defaults."""

    command_byte: int = regs.COMMAND_BYTE_RESET
    output: int | None = None
    """Byte in the output buffer, or None."""
    from_aux: bool = False
    """`output` is the mouse's."""
    answer: int | None = None
    """The controller's own answer that waits for the output buffer."""
    answer_aux: bool = False
    """`answer` is to look like the mouse's."""
    released: bool = False
    """The prefix of a key that was let go has been translated, its code has not."""
    last: int = 0
    """Byte last taken from the output buffer: an empty buffer reads as that."""
    command: int = 0
    """Command that waits for its parameter, or 0."""
    command_last: bool = True
    """The last write went to 0x64."""
    a20: bool = True
    """The A20 gate as last set. # Not modelled: addresses are not masked by it."""
    fast_reset: int = 0
    """Port 0x92 bit 0 as last written."""
    line: bool = False
    """Level of IRQ 1 as last signalled."""
    aux_line: bool = False
    """Level of IRQ 12 as last signalled."""
    settle_at: int | None = None
    """When the lines follow a read, ns."""
    next_at: int | None = None
    """When the next byte is here, ns, of a cable that was busy."""
    keyboard: KeyboardState = field(default_factory=KeyboardState)
    mouse: MouseState = field(default_factory=MouseState)
