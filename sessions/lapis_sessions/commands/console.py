"""Commands of the machine's consoles: what a guest printed, and what is typed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.devices.i8042 import codes
from lapis_engine.vmm.outside import MOST_AT_ONCE
from lapis_sessions import guests
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import typed
from lapis_sessions.views import consoles as views
from lapis_sessions.views.consoles import TypedView

if TYPE_CHECKING:
    from lapis_sessions.session import Session

MOST_FILE = 1 << 20
"""Bytes of a file that is typed."""
FIRST_PORT = "com1"
SCREEN = "vga"
MOST_KEYS = 256
"""Characters that are typed on the keyboard by one act."""


def console(session: Session, bound: Bound) -> str:
    """Return what the guest printed, one port after the other, or its screen."""
    printed = session.machine.consoles
    port = bound.word("port")
    if port == SCREEN:
        return _screen(session)
    if port and port not in printed:
        known = ", ".join(sorted(printed)) or "none"
        raise CommandError(
            f"console: nothing was printed on {port[:40]!r}; ports with text: {known}"
        )
    ports = [port] if port else sorted(printed)
    return "\n".join(printed[name].decode("utf-8", "replace") for name in ports)


def _screen(session: Session) -> str:
    screen = views.screen(session.machine)
    if screen is None:
        raise CommandError(
            "console vga: this machine has no display adapter in a text mode"
        )
    return "\n".join(line.rstrip() for line in screen.lines).rstrip("\n")


def type_text(session: Session, bound: Bound) -> TypedView:
    """Type a text, or what is in a file."""
    data = _data(bound)
    if "keyboard" in bound:
        return _on_keyboard(session, data, bound)
    port = bound.word("port", FIRST_PORT)
    for at in range(0, len(data), MOST_AT_ONCE):
        piece = data[at : at + MOST_AT_ONCE]
        session.machine.receive(port, piece.decode("latin-1"))
    return TypedView(port, len(data), typed.written(data[: views.SHOWN]))


def _on_keyboard(session: Session, data: bytes, bound: Bound) -> TypedView:
    if "port" in bound:
        raise CommandError("type: --keyboard and --port exclude each other")
    text = data.decode("latin-1")
    odd = next((char for char in text if char not in codes.TYPED), None)
    if odd is not None:
        raise CommandError(f"type: no key of a US keyboard types {odd!r}")
    for at in range(0, len(text), MOST_KEYS):
        pressed = b"".join(codes.TYPED[char] for char in text[at : at + MOST_KEYS])
        session.machine.move_keys(pressed.hex())
    return TypedView("keyboard", len(data), typed.written(data[: views.SHOWN]))


def _data(bound: Bound) -> bytes:
    if ("text" in bound) == ("file" in bound):
        raise CommandError("type needs a text, or --file FILE: one of them")
    if "text" in bound:
        data = typed.read(bound.word("text"), "type")
    else:
        data = guests.read_file(bound.word("file"), MOST_FILE, "file to type")
    if not data:
        raise CommandError("type: there is nothing to type")
    return data


COMMANDS = (
    Command(
        "console",
        "show what the guest printed, on PORT or on all; console vga shows the screen",
        "read-only",
        console, views.console_text, (Argument("port", "word"),),
    ),
    Command(
        "type",
        "type TEXT, or what is in FILE, on a serial line (PORT, com1); \\n, \\r, \\t, "
        "\\e and \\xNN in TEXT are bytes, so put it in quotes: type 'ls\\n'. The guest "
        "gets a byte whenever the line has brought it and there is room. With "
        "--keyboard on the keys of a pc",
        "mutating", type_text, views.typed_text,
        (
            Argument("text", "word"),
            Argument("file", "word", option=True),
            Argument("port", "word", option=True),
            Argument("keyboard", "flag", option=True),
        ),
    ),
)  # fmt: skip
