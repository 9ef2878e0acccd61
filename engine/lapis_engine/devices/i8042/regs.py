"""What the full keyboard controller has beside what `ps2.regs` declares.

Sources: IBM PS/2 Technical Reference "Keyboard and Auxiliary Device Controller",
"Keyboard", "Auxiliary Device"; the bytes of a mouse's packets from the last.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit

IRQ_KEYBOARD: Final = 1
IRQ_AUX: Final = 12
BYTE_NS: Final = 100_000
"""Time from when a byte is read to when the next one of a device is there.
# Not modelled: the speed of the cables, on which a byte takes some 700 us."""

AUX_OBF: Final = bit(5)
"""Status: the byte in the output buffer is the auxiliary device's."""

COMMAND_BYTE_RESET: Final = 0x65
"""Translation, system flag, keyboard on with its interrupt, mouse off."""
INTERRUPTS: Final = bit(0)
"""Command byte: IRQ 1 for the keyboard."""
AUX_INTERRUPTS: Final = bit(1)
"""Command byte: IRQ 12 for the auxiliary device."""
TRANSLATES: Final = bit(6)
"""Command byte: scan codes of set 2 become those of set 1."""

A20_OFF: Final = 0xDD
"""Command: close the A20 gate."""
A20_ON: Final = 0xDF
"""Command: open the A20 gate."""
AUX_TEST_PASSED: Final = 0x00
OUTPUT_OBF: Final = bit(4)
"""Output port: IRQ 1 is up."""
OUTPUT_AUX_OBF: Final = bit(5)
"""Output port: IRQ 12 is up."""

# What keyboard and mouse have in common.
ACK: Final = 0xFA
RESET: Final = 0xFF
AGAIN: Final = 0xFE
"""To a device: send that again. From one: it does not know what it was sent."""
DEFAULTS: Final = 0xF6
DISABLE: Final = 0xF5
ENABLE: Final = 0xF4
RATE: Final = 0xF3
"""Takes the typematic rate, or the mouse's samples in a second."""
IDENTIFY: Final = 0xF2
TESTED: Final = 0xAA
"""The self-test after a reset has passed."""

# The keyboard's.
FIRST_COMMAND: Final = 0xED
"""From here on a byte is a command, even where a parameter is expected."""
LEDS: Final = 0xED
ECHO: Final = 0xEE
CODE_SET: Final = 0xF0
"""Takes 1 to 3, or 0 to be told the present one."""
ALL_KEYS: Final = range(0xF7, 0xFB)
"""How all keys behave in set 3. # Not modelled: that one key differs from others."""
ONE_KEY: Final = range(0xFB, 0xFE)
"""The same of one key, whose code is the parameter."""
KEYBOARD_ID: Final = bytes((0xAB, 0x83))
RATE_RESET: Final = 0x2B
"""10.9 characters in a second after 500 ms. # Not modelled: keys do not repeat."""
SETS: Final = (1, 2, 3)
SET_RESET: Final = 2
QUEUE: Final = 4096
"""Bytes that the keyboard holds, at most. Its own buffer has 16; in here is whoever
sits before it, too, and waits until there is room."""

# The mouse's.
SCALING_1: Final = 0xE6
SCALING_2: Final = 0xE7
RESOLUTION: Final = 0xE8
STATUS_REQUEST: Final = 0xE9
STREAM: Final = 0xEA
READ_DATA: Final = 0xEB
WRAP_OFF: Final = 0xEC
WRAP: Final = 0xEE
REMOTE: Final = 0xF0
MOUSE_ID: Final = 0x00
"""A mouse of two or three buttons without a wheel."""
SAMPLES_RESET: Final = 100
RESOLUTION_RESET: Final = 2
"""4 counts in a mm."""
AT_REST: Final = bytes((0x08, 0, 0))
"""A packet of a mouse that has not moved: its bit 3 is always set."""
MOUSE_REMOTE: Final = bit(6)
"""Mouse status: it is asked for its data."""
MOUSE_ENABLED: Final = bit(5)
MOUSE_SCALING_2: Final = bit(4)
