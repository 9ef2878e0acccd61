"""The machine's consoles: what a guest printed, and what was typed to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.devices.vga import screen as vga
from lapis_engine.devices.vga.state import VgaState
from lapis_engine.errors import UnmappedError

if TYPE_CHECKING:
    from lapis_engine.devices.vga.screen import Screen
    from lapis_engine.machine.machine import Machine

SHOWN = 60
"""Bytes of what was typed that are shown."""


@dataclass(frozen=True, slots=True)
class TypedView:
    """What was typed."""

    port: str
    bytes: int
    begin: str
    """Its first bytes, with escapes as `type` takes them."""


def screen(machine: Machine) -> Screen | None:
    """Return the text on the screen, or None without a screen of text."""
    states = (device.state for device in machine.vm.devices)
    state = next((each for each in states if isinstance(each, VgaState)), None)
    if state is None or not vga.is_text(state):
        return None
    where = vga.window(state)
    try:
        memory = machine.read_physical(where.first, where.size)
    except UnmappedError:
        return None
    return vga.screen(memory, bytes(state.crtc))


def console_text(printed: str) -> str:
    """Return what the guest printed, which is made visible already."""
    return printed


def typed_text(view: TypedView) -> str:
    """Say what was typed."""
    more = "..." if view.bytes > SHOWN else ""
    return f"typed {view.bytes} bytes on {view.port}: {view.begin}{more}"
