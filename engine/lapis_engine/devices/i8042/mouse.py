"""The mouse: it answers every command, says who it is, and never moves.

Source: IBM PS/2 Technical Reference "Auxiliary Device", "Commands".
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.i8042 import regs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.devices.i8042.state import MouseState

REPLIES: Final[Mapping[int, bytes]] = MappingProxyType(
    {
        regs.RESET: bytes((regs.TESTED, regs.MOUSE_ID)),
        regs.IDENTIFY: bytes((regs.MOUSE_ID,)),
        regs.READ_DATA: regs.AT_REST,
    }
)
"""What follows ACK, by command that asks for something that stays the same."""


def take(mouse: MouseState, value: int) -> None:
    """Take a byte that the guest sends to the mouse."""
    command, mouse.command = mouse.command, 0
    if mouse.wrap and value not in (regs.RESET, regs.WRAP_OFF):
        mouse.replies = bytes((value,))
    elif command == regs.RATE:
        mouse.samples, mouse.replies = value, bytes((regs.ACK,))
    elif command == regs.RESOLUTION:
        mouse.resolution, mouse.replies = value & 3, bytes((regs.ACK,))
    else:
        mouse.replies = _command(mouse, value)


def _command(mouse: MouseState, value: int) -> bytes:
    """Do a command; return the replies to it."""
    if value == regs.AGAIN:
        return bytes((mouse.last,))
    more = REPLIES.get(value, b"")
    if value == regs.STATUS_REQUEST:
        more = _status(mouse)
    elif not more and not _switch(mouse, value):
        return bytes((regs.AGAIN,))
    if value == regs.RESET:
        _default(mouse)
        mouse.wrap = False
    return bytes((regs.ACK,)) + more


def _switch(mouse: MouseState, value: int) -> bool:
    """Do a command that asks nothing; tell whether there is one."""
    match value:
        case regs.DEFAULTS:
            _default(mouse)
        case regs.DISABLE | regs.ENABLE:
            mouse.enabled = value == regs.ENABLE
        case regs.RATE | regs.RESOLUTION:
            mouse.command = value
        case regs.REMOTE | regs.STREAM:
            mouse.remote = value == regs.REMOTE
        case regs.WRAP | regs.WRAP_OFF:
            mouse.wrap = value == regs.WRAP
        case regs.SCALING_1 | regs.SCALING_2:
            mouse.scaling = value == regs.SCALING_2
        case _:
            return False
    return True


def _status(mouse: MouseState) -> bytes:
    status = regs.MOUSE_REMOTE if mouse.remote else 0
    status |= regs.MOUSE_ENABLED if mouse.enabled else 0
    status |= regs.MOUSE_SCALING_2 if mouse.scaling else 0
    return bytes((status, mouse.resolution, mouse.samples))


def _default(mouse: MouseState) -> None:
    mouse.enabled = mouse.remote = mouse.scaling = False
    mouse.samples, mouse.resolution = regs.SAMPLES_RESET, regs.RESOLUTION_RESET
