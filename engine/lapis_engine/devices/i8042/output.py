"""The output buffer: which byte comes next, and the two interrupt lines.

The controller's own answers go first, then the keyboard, then the mouse, each when it
is not disabled. A byte is read and the next one is there `regs.BYTE_NS` later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.device import LineChanged
from lapis_engine.devices.i8042 import codes, regs
from lapis_engine.devices.ps2 import regs as ps2_regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.i8042.state import I8042State, KeyboardState, MouseState


def put(state: I8042State, value: int, *, aux: bool = False) -> None:
    """Answer by the controller itself, as soon as the output buffer is empty.

    A guest that asks again before it has read gets the later answer alone.
    """
    state.answer, state.answer_aux = value, aux


def load(state: I8042State) -> Signals:
    """Fill the output buffer if it is empty and something is there for it."""
    if state.output is None:
        if state.answer is not None:
            state.output, state.from_aux = state.answer, state.answer_aux
            state.answer = None
        elif state.next_at is None:
            _load_device(state)
    return settle(state)


def take(state: I8042State, now: int) -> int:
    """Give the guest the byte in the output buffer, or again the last one."""
    if state.output is not None:
        state.last, state.output = state.output, None
        state.settle_at = now + 1
        if state.next_at is None and has_more(state):
            state.next_at = now + regs.BYTE_NS
    return state.last


def has_more(state: I8042State) -> bool:
    """Tell whether a device has a byte that it may send."""
    return _keyboard_has(state) or _mouse_has(state)


def settle(state: I8042State) -> Signals:
    """Bring the lines to where they belong: up while their byte is there."""
    state.settle_at = None
    is_full = state.output is not None
    interrupts = state.command_byte & regs.INTERRUPTS
    line = bool(is_full and not state.from_aux and interrupts)
    interrupts = state.command_byte & regs.AUX_INTERRUPTS
    aux_line = bool(is_full and state.from_aux and interrupts)
    signals: Signals = ()
    if line != state.line:
        signals += (LineChanged(regs.IRQ_KEYBOARD, line),)
    if aux_line != state.aux_line:
        signals += (LineChanged(regs.IRQ_AUX, aux_line),)
    state.line, state.aux_line = line, aux_line
    return signals


def holds(state: I8042State) -> tuple[LineChanged, ...]:
    """Return the lines that are up."""
    lines = ((regs.IRQ_KEYBOARD, state.line), (regs.IRQ_AUX, state.aux_line))
    return tuple(LineChanged(irq, asserted=True) for irq, up in lines if up)


def _keyboard_has(state: I8042State) -> bool:
    if state.command_byte & ps2_regs.COMMAND_BYTE_DISABLED:
        return False
    keyboard = state.keyboard
    return bool(keyboard.replies or (keyboard.scanning and keyboard.codes))


def _mouse_has(state: I8042State) -> bool:
    if state.command_byte & ps2_regs.COMMAND_BYTE_AUX_DISABLED:
        return False
    return bool(state.mouse.replies)


def _load_device(state: I8042State) -> None:
    while _keyboard_has(state):
        byte = _translate(state, _next_code(state.keyboard))
        if byte is not None:
            state.output, state.from_aux = byte, False
            return
    if _mouse_has(state):
        state.output, state.from_aux = _next_reply(state.mouse), True


def _next_code(keyboard: KeyboardState) -> int:
    """Take the next byte off the keyboard's queues."""
    if keyboard.replies:
        return _next_reply(keyboard)
    byte, keyboard.codes = keyboard.codes[0], keyboard.codes[1:]
    keyboard.last = byte
    return byte


def _next_reply(device: KeyboardState | MouseState) -> int:
    byte, device.replies = device.replies[0], device.replies[1:]
    device.last = byte
    return byte


def _translate(state: I8042State, byte: int) -> int | None:
    """Return what the controller makes of a byte; None is nothing yet."""
    if not state.command_byte & regs.TRANSLATES:
        return byte
    if byte == codes.BREAK:
        state.released = True
        return None
    byte = codes.TO_SET_1.get(byte, byte)
    if state.released:
        state.released = False
        byte |= codes.RELEASED
    return byte
