"""Guest accesses to the keyboard controller and port 0x92."""
# ruff: noqa: ARG001 - the signatures are those of `Access`

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices import bytewise
from lapis_engine.devices.device import ResetRequested
from lapis_engine.devices.ps2 import regs

if TYPE_CHECKING:
    from lapis_engine.devices.device import Signals
    from lapis_engine.devices.ps2.state import Ps2State


def read(state: Ps2State, address: int, size: int, now: int) -> int:
    """Read the output buffer, the status or port 0x92."""
    return bytewise.read(_read, regs.PORTS, state, address, size, now)


def write(state: Ps2State, address: int, size: int, value: int, now: int) -> Signals:
    """Take a command, a parameter, a byte for the keyboard, or port 0x92."""
    return bytewise.write(_write, regs.PORTS, state, address, size, value, now)


def _read(state: Ps2State, port: int, now: int) -> int:
    if port == regs.STATUS:
        return _status(state)
    if port == regs.SYSTEM_CONTROL_A:
        # Not modelled: A20 masking; the gate always reads as open.
        return state.fast_reset | regs.A20
    if state.output is not None:
        state.last, state.output = state.output, None
        state.timeout = False
    return state.last


def _status(state: Ps2State) -> int:
    status = int(regs.NOT_INHIBITED)
    if state.output is not None:
        status |= regs.OBF
    if state.command_byte & regs.COMMAND_BYTE_SYS:
        status |= regs.SYS
    if state.command_last:
        status |= regs.COMMAND_LAST
    if state.timeout:
        status |= regs.TIMEOUT
    return status


def _write(state: Ps2State, port: int, value: int, now: int) -> Signals:
    if port == regs.SYSTEM_CONTROL_A:
        rose = value & regs.FAST_RESET and not state.fast_reset
        state.fast_reset = value & regs.FAST_RESET
        return (ResetRequested("port 0x92, fast reset"),) if rose else ()
    state.command_last = port == regs.STATUS
    if port == regs.STATUS:
        state.command = 0
        return _command(state, value)
    command, state.command = state.command, 0
    return _parameter(state, command, value)


def _command(state: Ps2State, command: int) -> Signals:
    # Not modelled: IRQ 1 and IRQ 12; a guest polls for what it asked for.
    if command in regs.WITH_PARAMETER:
        state.command = command
        return ()
    if command >= regs.PULSE:
        low = not command & regs.NO_RESET
        return (ResetRequested(f"8042 command {command:#04x}"),) if low else ()
    answer = _answer(state, command)
    if answer is not None:
        state.output, state.timeout = answer, False
    return ()


def _answer(state: Ps2State, command: int) -> int | None:
    """Do a command that has no parameter; return its answer, if it has one."""
    match command:
        case regs.READ_COMMAND_BYTE:
            return state.command_byte
        case regs.SELF_TEST:
            state.command_byte |= regs.COMMAND_BYTE_SYS
            return regs.SELF_TEST_PASSED
        case regs.KEYBOARD_TEST:
            return regs.KEYBOARD_TEST_PASSED
        case regs.AUX_TEST:
            return regs.AUX_TEST_FAILED
        case regs.READ_INPUT_PORT:
            return regs.INPUT_PORT
        case regs.READ_OUTPUT_PORT:
            return regs.NO_RESET | regs.A20
        case _:
            _enable(state, command)
            return None


def _enable(state: Ps2State, command: int) -> None:
    match command:
        case regs.KEYBOARD_DISABLE:
            state.command_byte |= regs.COMMAND_BYTE_DISABLED
        case regs.KEYBOARD_ENABLE:
            state.command_byte &= ~regs.COMMAND_BYTE_DISABLED
        case regs.AUX_DISABLE:
            state.command_byte |= regs.COMMAND_BYTE_AUX_DISABLED
        case regs.AUX_ENABLE:
            state.command_byte &= ~regs.COMMAND_BYTE_AUX_DISABLED
        case _:
            pass  # unknown to an 8042, which ignores it


def _parameter(state: Ps2State, command: int, value: int) -> Signals:
    match command:
        case regs.WRITE_COMMAND_BYTE:
            state.command_byte = value
        case regs.WRITE_OUTPUT_PORT:
            if not value & regs.NO_RESET:
                return (ResetRequested("8042 output port, reset line low"),)
        case regs.WRITE_OUTPUT_BUFFER:
            state.output, state.timeout = value, False
        case regs.WRITE_AUX_BUFFER:
            # Not modelled: an auxiliary port; the byte is lost, as on a PC/AT.
            pass
        case _:
            # To the keyboard or the mouse, and neither is there to take it.
            state.output, state.timeout = regs.RESEND, True
    return ()
