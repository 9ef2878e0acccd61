"""The keyboard: its commands, and the keys that the host moves.

Source: IBM PS/2 Technical Reference "Keyboard", "Commands from the System".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.i8042 import codes, output, regs
from lapis_engine.devices.i8042.state import KeyboardState
from lapis_engine.events import Oddity

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.i8042.state import I8042State


def key(state: I8042State, make_code: bytes) -> Signals:
    """Let keys move as `make_code` says, in codes of set 1 (`codes.TYPED`).

    For who types on the machine's keyboard. `make_code` holds whole keys; they are
    lost, which is an oddity, when the guest does not want them or has left so many
    that there is no room.
    """
    keyboard = state.keyboard
    moves = codes.in_set(keyboard.code_set, make_code)
    if not keyboard.scanning:
        return (Oddity(-1, "keyboard off", "the guest has switched keys off"),)
    if len(keyboard.codes) + len(moves) > regs.QUEUE:
        text = f"{len(keyboard.codes)} bytes of keys wait, and {len(moves)} are lost"
        return (Oddity(-1, "keyboard overrun", text),)
    keyboard.codes += moves
    return output.load(state)


def take(keyboard: KeyboardState, value: int) -> None:
    """Take a byte that the guest sends to the keyboard."""
    command, keyboard.command = keyboard.command, 0
    if command and value < regs.FIRST_COMMAND:
        _parameter(keyboard, command, value)
    else:
        _command(keyboard, value)


def _command(keyboard: KeyboardState, value: int) -> None:
    reply = regs.ACK
    more = b""
    match value:
        case regs.RESET:
            _default(keyboard)
            more = bytes((regs.TESTED,))
        case regs.AGAIN:
            reply = keyboard.last
        case regs.DEFAULTS | regs.DISABLE:
            _default(keyboard)
            keyboard.scanning = value == regs.DEFAULTS
        case regs.ENABLE:
            keyboard.codes, keyboard.scanning = b"", True
        case regs.IDENTIFY:
            more = regs.KEYBOARD_ID
        case regs.ECHO:
            reply = regs.ECHO
        case regs.LEDS | regs.CODE_SET | regs.RATE:
            keyboard.command = value
        case _ if value in regs.ONE_KEY:
            keyboard.command = value
        case _ if value in regs.ALL_KEYS:
            pass
        case _:
            reply = regs.AGAIN
    keyboard.replies = bytes((reply,)) + more


def _parameter(keyboard: KeyboardState, command: int, value: int) -> None:
    reply = bytes((regs.ACK,))
    if command == regs.LEDS:
        keyboard.leds = value & 7
    elif command == regs.RATE:
        keyboard.rate = value & 0x7F
    elif command == regs.CODE_SET:
        if value == 0:
            reply += bytes((keyboard.code_set,))
        elif value in regs.SETS:
            keyboard.codes, keyboard.code_set = b"", value
        else:
            reply = bytes((regs.AGAIN,))
    keyboard.replies = reply


def _default(keyboard: KeyboardState) -> None:
    fresh = KeyboardState()
    keyboard.codes, keyboard.scanning = b"", True
    keyboard.rate, keyboard.code_set = fresh.rate, fresh.code_set
    keyboard.leds = fresh.leds
