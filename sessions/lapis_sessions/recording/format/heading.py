"""Whether a header can be one: sizes and numbers, before anything is built of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lapis_sessions.errors import RecordingError
from lapis_sessions.text.visible import quoted

if TYPE_CHECKING:
    from lapis_sessions.recording.format.budget import Spent
    from lapis_sessions.recording.format.schema import Header

NUMBERS = ("cpus", "quantum", "format", "reader", "state_schema", "engine")
NAMES = ("lapis", "unicorn", "memory", "profile", "ports")


def check(head: Header, spent: Spent, part: str) -> None:
    """Raise `RecordingError` for what no header holds, and take what it needs."""
    for name in NUMBERS:
        value = getattr(head, name)
        if not 1 <= value < 1 << 63:
            raise RecordingError(f"{part}: {name} is {value} and at least 1")
    for name in NAMES:
        spent.name(f"{part}: {name}", getattr(head, name))
    spent.text(f"{part}: append", head.append)
    spent.names(f"{part}: the names of devices", head.devices)
    spent.names(f"{part}: the names of lints", head.lints)
    _mapping(head.plugins, spent, f"{part}: plugins")
    _mapping(head.switches, spent, f"{part}: switches")
    _image(head, spent, part)


def _mapping(
    found: dict[str, str] | dict[str, bool | int | str], spent: Spent, part: str
) -> None:
    for name in found:
        spent.name(f"{part}: {quoted(name, 20)}", name)
    spent.take("memory", part, spent.value(part, found))


def _image(head: Header, spent: Spent, part: str) -> None:
    image, what = head.image, f"{part}: image"
    spent.text(f"{what}: its name", image.name)
    spent.name(f"{what}: its SHA-256", image.sha256)
    for name, _ in image.symbols:
        spent.text(f"{what}: the name of a symbol", name)
    size = sum(200 + sys.getsizeof(name) for name, _ in image.symbols)
    spent.take("values", what, len(image.symbols))
    spent.take("memory", what, size + len(image.data or b""))
