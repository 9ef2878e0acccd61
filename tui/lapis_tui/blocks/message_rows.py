"""Messages of devices as rows: MSI, MSI-X, and those of an HPET."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.listing import bars, every, put, vcpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_sessions.views.messages import MessageRow

SHORT: Final[Mapping[str, tuple[str, str]]] = {
    "msi-off": ("off", "dim"), "timer-off": ("off", "dim"),
    "not-master": ("no master", "warn"), "function-mask": ("all masked", "warn"),
    "vector-mask": ("masked", "warn"), "not-message": ("no message", "bad"),
    "destination": ("nobody there", "bad"), "svr": ("refused", "bad"),
    "illegal-vector": ("vector < 16", "bad"), "pending": ("pending", "warn"),
    "not-implemented": ("not done here", "bad"),
}  # fmt: skip
"""What stands in the way, in two words, and its role."""
OFF: Final = frozenset({("msi-off",), ("timer-off",)})
"""What makes all else of no interest."""
WIDE: Final = 92
"""Columns from which address and data have a place."""


def heading(width: int) -> list[Line]:
    """Return the names of the columns."""
    line = Line("  message", "label").pad(25).add("kind", "label").pad(32)
    line.add("vector", "label").pad(45).add("goes to", "label").pad(57)
    if width >= WIDE:
        line.add("address  data", "label").pad(74)
    return [line.add("now", "label")]


def row(it: MessageRow, before: MessageRow | None, cpus: int, width: int) -> Line:
    """Return a message; what differs from `before` is marked."""
    old = before or it
    line = put(Line(), it.name, "strong", room=22).pad(24).add(it.kind, "label").pad(30)
    is_new = (it.vector, it.mode) != (old.vector, old.mode)
    put(line, f"{it.vector:02x} {it.mode}", changed=is_new).pad(43)
    reached = "-" if it.destination is None else vcpus(it.reaches, cpus)
    is_new = it.reaches != old.reaches
    put(line, reached, "" if it.reaches else "dim", changed=is_new).pad(55)
    if width >= WIDE:
        is_new = (it.address, it.data) != (old.address, old.data)
        raw = f"{it.address:08x} {it.data:x}"
        put(line, raw, "address", changed=is_new, room=15).pad(72)
    return put(line, *_now(it), changed=_bars(it) != _bars(old))


def _bars(it: MessageRow) -> tuple[str, ...]:
    """Return the codes of what is said to stand in a message's way."""
    codes = tuple(dict.fromkeys(reason.rule for reason in it.reasons))
    pending = ("pending",) * it.pending
    return (*pending, *(codes[:1] if codes[:1] in OFF else codes))


def _now(it: MessageRow) -> tuple[str, str]:
    """Return in a few words what stands in a message's way, and their role."""
    found = [SHORT.get(code, (code, "warn")) for code in _bars(it)]
    if not found:
        return "lets out", "good"
    return ", ".join(text for text, _ in found), found[-1][1]


def detail(it: MessageRow, width: int) -> list[Line]:
    """Return all that is known of a message."""
    head = Line(f" {it.name} ", "title")
    head.add(" ".join(filter(None, (it.place, it.kind))))
    head.add(f", used by {', '.join(it.users)}" if it.users else "")
    raw = Line(" address ", "label").add(f"{it.address:#x}", "address")
    raw.add(" data ", "label").add(f"{it.data:#x}", "address")
    trigger = "level" if it.level else "edge"
    raw.add(f": {it.mode} vector {it.vector:02x}, {trigger}")
    out = [head, raw]
    if it.destination is not None:
        to = Line(" goes to ", "label").add(f"{it.destination}: ")
        out.append(to.add(every(it.reaches), "strong" if it.reaches else "bad"))
    return [*out, *bars(it.reasons, width)]
