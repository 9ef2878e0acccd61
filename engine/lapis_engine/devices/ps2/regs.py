"""Registers and commands of the keyboard controller.

Sources: IBM PC/AT Technical Reference "Keyboard Controller"; Intel 8242 datasheet
"Commands"; IBM PS/2 Technical Reference "System Control Port A" for port 0x92.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.bits import bit
from lapis_engine.devices.device import Range, RegisterName

DATA: Final = 0x60
"""Read: output buffer. Write: parameter of a command, or a byte to the keyboard."""
STATUS: Final = 0x64
"""Read: status. Write: command."""
SYSTEM_CONTROL_A: Final = 0x92
"""System control port A."""

PORTS: Final = (Range(DATA, 1), Range(STATUS, 1), Range(SYSTEM_CONTROL_A, 1))

OBF: Final = bit(0)
"""Status: the output buffer is full."""
SYS: Final = bit(2)
"""Status: system flag, a copy of the command byte's."""
COMMAND_LAST: Final = bit(3)
"""Status: the last write went to 0x64."""
NOT_INHIBITED: Final = bit(4)
"""Status: the keyboard lock is open."""
TIMEOUT: Final = bit(6)
"""Status: the keyboard did not take the byte that it was sent."""

COMMAND_BYTE_SYS: Final = bit(2)
"""Command byte: system flag."""
COMMAND_BYTE_DISABLED: Final = bit(4)
"""Command byte: keyboard disabled."""
COMMAND_BYTE_AUX_DISABLED: Final = bit(5)
"""Command byte: auxiliary device disabled."""

READ_COMMAND_BYTE: Final = 0x20
WRITE_COMMAND_BYTE: Final = 0x60
AUX_DISABLE: Final = 0xA7
AUX_ENABLE: Final = 0xA8
AUX_TEST: Final = 0xA9
SELF_TEST: Final = 0xAA
KEYBOARD_TEST: Final = 0xAB
KEYBOARD_DISABLE: Final = 0xAD
KEYBOARD_ENABLE: Final = 0xAE
READ_INPUT_PORT: Final = 0xC0
READ_OUTPUT_PORT: Final = 0xD0
WRITE_OUTPUT_PORT: Final = 0xD1
WRITE_OUTPUT_BUFFER: Final = 0xD2
WRITE_AUX_BUFFER: Final = 0xD3
WRITE_AUX: Final = 0xD4
PULSE: Final = 0xF0
"""0xF0 to 0xFF: pulse low the output port's lines whose bit in [3:0] is 0."""

WITH_PARAMETER: Final = (
    WRITE_COMMAND_BYTE,
    WRITE_OUTPUT_PORT,
    WRITE_OUTPUT_BUFFER,
    WRITE_AUX_BUFFER,
    WRITE_AUX,
)
"""Commands whose parameter is the next byte written to 0x60."""

SELF_TEST_PASSED: Final = 0x55
KEYBOARD_TEST_PASSED: Final = 0x00
AUX_TEST_FAILED: Final = 0x01
"""Clock line stuck low: there is no auxiliary port."""
RESEND: Final = 0xFE
"""In place of a keyboard's answer when it is not there."""
INPUT_PORT: Final = 0x80
"""Keyboard lock open, [7]."""

NO_RESET: Final = bit(0)
"""Output port: reset line, active low."""
A20: Final = bit(1)
"""Output port and port 0x92: A20 gate."""
FAST_RESET: Final = bit(0)
"""Port 0x92: setting it resets."""

NAMES: Final = (
    RegisterName(DATA, 1, "8042 output buffer", "byte of keyboard, mouse or controller",
                 access="r"),
    RegisterName(DATA, 1, "8042 input buffer", "byte to the keyboard, or a parameter",
                 access="w"),
    RegisterName(STATUS, 1, "8042 status", "which buffer is full", access="r"),
    RegisterName(STATUS, 1, "8042 command", "command to the controller", access="w"),
    RegisterName(SYSTEM_CONTROL_A, 1, "port A", "system control: A20 and fast reset"),
)  # fmt: skip
