"""Whether a header can be one: sizes and numbers, before anything is built of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lapis_sessions.attached import LARGEST
from lapis_sessions.errors import RecordingError
from lapis_sessions.text.visible import quoted

if TYPE_CHECKING:
    from lapis_sessions.recording.format.budget import Spent
    from lapis_sessions.recording.format.schema import AttachedRow, Header

NUMBERS = ("cpus", "quantum", "format", "reader", "state_schema", "engine", "tsc_hz")
NAMES = (
    "lapis", "unicorn", "memory", "profile", "ports", "cpu", "hypervisor",
    "on_reset", "machine", "mmio",
)  # fmt: skip


def check(head: Header, spent: Spent, part: str) -> None:
    """Raise `RecordingError` for what no header holds, and take what it needs."""
    for name in NUMBERS:
        value = getattr(head, name)
        if not 1 <= value < 1 << 63:
            raise RecordingError(f"{part}: {name} is {value} and at least 1")
    for name in NAMES:
        spent.name(part, getattr(head, name), name)
    if not 0 <= head.seed < 1 << 63:
        raise RecordingError(f"{part}: seed is {head.seed} and 0 to 63 bits")
    spent.text(part, head.append, "append")
    spent.names(f"{part}: the names of devices", head.devices)
    spent.names(f"{part}: the names of lints", head.lints)
    _mapping(head.plugins, spent, f"{part}: plugins")
    _mapping(head.switches, spent, f"{part}: switches")
    _mapping(head.cost, spent, f"{part}: cost")
    _image(head, spent, part)
    for row in head.attached:
        _attached(row, spent, part)


def _mapping(
    found: dict[str, str] | dict[str, int] | dict[str, bool | int | str],
    spent: Spent,
    part: str,
) -> None:
    for name in found:
        spent.name(part, name)
    spent.take("memory", part, spent.value(part, found))


def _image(head: Header, spent: Spent, part: str) -> None:
    image, what = head.image, f"{part}: image"
    spent.text(what, image.name, "its name")
    spent.name(what, image.sha256, "its SHA-256")
    for name, _ in image.symbols:
        spent.text(what, name, "the name of a symbol")
    size = sum(200 + sys.getsizeof(name) for name, _ in image.symbols)
    spent.take("values", what, len(image.symbols))
    spent.take("memory", what, size + len(image.data or b""))


def _attached(row: AttachedRow, spent: Spent, part: str) -> None:
    if row.role not in LARGEST:
        raise RecordingError(
            f"{part}: {quoted(row.role)} comes with its image, and must be one of "
            f"{', '.join(LARGEST)}"
        )
    what = f"{part}: {row.role}"
    spent.text(what, row.name, "its name")
    spent.text(what, row.args, "what it is told")
    spent.name(what, row.sha256, "its SHA-256")
    spent.take("values", what)
    spent.take("memory", what, 400 + len(row.data or b""))
