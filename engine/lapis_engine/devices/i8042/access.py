"""Guest accesses to the keyboard controller and port 0x92."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.device import ResetRequested
from lapis_engine.devices.i8042 import keyboard, mouse, output, regs
from lapis_engine.devices.ps2 import regs as ps2_regs
from lapis_engine.plain import Plain

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.i8042.state import I8042State

PORTS = ps2_regs.PORTS


def read(state: I8042State, address: int, size: int, now: int) -> int:
    """Read the output buffer, the status or port 0x92."""
    return bytewise.read(_read, PORTS, state, address, size, now)


def plain(state: I8042State, address: int, size: int, _now: int) -> Plain | None:
    """Return the status and port 0x92: whatever changes them comes by another way."""
    if size != 1 or address == ps2_regs.DATA:
        return None
    return Plain(_read(state, address, 0))


def write(state: I8042State, address: int, size: int, value: int, now: int) -> Signals:
    """Take a command, a parameter, a byte for a device, or port 0x92."""
    return bytewise.write(_write, PORTS, state, address, size, value, now)


def _read(state: I8042State, port: int, now: int) -> int:
    if port == ps2_regs.STATUS:
        return _status(state)
    if port == ps2_regs.SYSTEM_CONTROL_A:
        return state.fast_reset | (ps2_regs.A20 if state.a20 else 0)
    return output.take(state, now)


def _status(state: I8042State) -> int:
    status = int(ps2_regs.NOT_INHIBITED)
    if state.output is not None:
        status |= ps2_regs.OBF | (regs.AUX_OBF if state.from_aux else 0)
    if state.command_byte & ps2_regs.COMMAND_BYTE_SYS:
        status |= ps2_regs.SYS
    if state.command_last:
        status |= ps2_regs.COMMAND_LAST
    return status


def _write(state: I8042State, port: int, value: int, now: int) -> Signals:  # noqa: ARG001 - the shape that `bytewise` calls
    if port == ps2_regs.SYSTEM_CONTROL_A:
        return _system_control(state, value)
    state.command_last = port == ps2_regs.STATUS
    command, state.command = state.command, 0
    if port == ps2_regs.DATA:
        signals = _parameter(state, command, value)
    elif value in ps2_regs.WITH_PARAMETER:
        state.command = value
        signals = ()
    else:
        signals = _command(state, value)
    return signals + output.load(state)


def _system_control(state: I8042State, value: int) -> Signals:
    rose = value & ps2_regs.FAST_RESET and not state.fast_reset
    state.fast_reset = value & ps2_regs.FAST_RESET
    state.a20 = bool(value & ps2_regs.A20)
    return (ResetRequested("port 0x92, fast reset"),) if rose else ()


def _command(state: I8042State, command: int) -> Signals:
    """Do a command that has no parameter."""
    if command >= ps2_regs.PULSE:
        low = not command & ps2_regs.NO_RESET
        return (ResetRequested(f"8042 command {command:#04x}"),) if low else ()
    answer = _answer(state, command)
    if answer is not None:
        output.put(state, answer)
    else:
        _switch(state, command)
    return ()


def _answer(state: I8042State, command: int) -> int | None:
    match command:
        case ps2_regs.READ_COMMAND_BYTE:
            return state.command_byte
        case ps2_regs.SELF_TEST:
            state.command_byte |= ps2_regs.COMMAND_BYTE_SYS
            return ps2_regs.SELF_TEST_PASSED
        case ps2_regs.KEYBOARD_TEST:
            return ps2_regs.KEYBOARD_TEST_PASSED
        case ps2_regs.AUX_TEST:
            return regs.AUX_TEST_PASSED
        case ps2_regs.READ_INPUT_PORT:
            return ps2_regs.INPUT_PORT
        case ps2_regs.READ_OUTPUT_PORT:
            return _output_port(state)
        case _:
            return None


def _output_port(state: I8042State) -> int:
    value = int(ps2_regs.NO_RESET)
    value |= ps2_regs.A20 if state.a20 else 0
    value |= regs.OUTPUT_OBF if state.line else 0
    return value | (regs.OUTPUT_AUX_OBF if state.aux_line else 0)


def _switch(state: I8042State, command: int) -> None:
    """Do a command that switches something; an unknown one is ignored."""
    keyboard_off = ps2_regs.COMMAND_BYTE_DISABLED
    aux_off = ps2_regs.COMMAND_BYTE_AUX_DISABLED
    match command:
        case ps2_regs.KEYBOARD_DISABLE:
            state.command_byte |= keyboard_off
        case ps2_regs.KEYBOARD_ENABLE:
            state.command_byte &= ~keyboard_off
        case ps2_regs.AUX_DISABLE:
            state.command_byte |= aux_off
        case ps2_regs.AUX_ENABLE:
            state.command_byte &= ~aux_off
        case regs.A20_ON | regs.A20_OFF:
            state.a20 = command == regs.A20_ON
        case _:
            pass


def _parameter(state: I8042State, command: int, value: int) -> Signals:
    """Take a byte written to port 0x60: that of a command, or for the keyboard."""
    match command:
        case ps2_regs.WRITE_COMMAND_BYTE:
            state.command_byte = value
        case ps2_regs.WRITE_OUTPUT_PORT:
            state.a20 = bool(value & ps2_regs.A20)
            if not value & ps2_regs.NO_RESET:
                return (ResetRequested("8042 output port, reset line low"),)
        case ps2_regs.WRITE_OUTPUT_BUFFER:
            output.put(state, value)
        case ps2_regs.WRITE_AUX_BUFFER:
            output.put(state, value, aux=True)
        case ps2_regs.WRITE_AUX:
            # To send to a device, its cable is let go.
            state.command_byte &= ~ps2_regs.COMMAND_BYTE_AUX_DISABLED
            mouse.take(state.mouse, value)
        case _:
            state.command_byte &= ~ps2_regs.COMMAND_BYTE_DISABLED
            keyboard.take(state.keyboard, value)
    return ()
