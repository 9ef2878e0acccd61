"""Messages of devices as rows: MSI, MSI-X, and those of an HPET."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.listing import bars, put, vcpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_sessions.views.messages import MessageRow

SHORT: Final[Mapping[str, tuple[str, str]]] = {
    "msi-off": ("off", "dim"), "timer-off": ("off", "dim"),
    "not-master": ("no master", "warn"), "function-mask": ("all masked", "warn"),
    "vector-mask": ("masked", "warn"), "not-message": ("no message", "bad"),
    "destination": ("nobody there", "bad"), "svr": ("refused", "bad"),
    "illegal-vector": ("vector < 16", "bad"),
    "not-implemented": ("not done here", "bad"),
}  # fmt: skip
"""What stands in the way, in two words, and its role."""
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
    line = put(Line(), it.name[:22], "strong").pad(24).add(it.kind, "label").pad(30)
    what = f"{it.vector:02x} {it.mode}"
    put(line, what[:12], changed=(it.vector, it.mode) != (old.vector, old.mode)).pad(43)
    reached = "-" if it.destination is None else vcpus(it.reaches, cpus)
    put(line, reached, "" if it.reaches else "dim", changed=it.reaches != old.reaches)
    line.pad(55)
    if width >= WIDE:
        is_new = (it.address, it.data) != (old.address, old.data)
        put(line, f"{it.address:08x} {it.data:x}"[:16], "address", changed=is_new).pad(
            72
        )
    return put(line, *_now(it), changed=_now(it) != _now(old))


def _now(it: MessageRow) -> tuple[str, str]:
    """Return in a few words what stands in a message's way, and their role."""
    text, role = _bar(it)
    return (f"pending, {text}" if it.pending else text), role


def _bar(it: MessageRow) -> tuple[str, str]:
    found = [SHORT.get(reason.rule, (reason.rule, "warn")) for reason in it.reasons]
    if not found:
        return "lets out", "good"
    if found[0][0] == "off":
        return found[0]
    return ", ".join(text for text, _ in found[:2]), found[0][1]


def detail(it: MessageRow, cpus: int, width: int) -> list[Line]:
    """Return all that is known of a message."""
    head = Line(f" {it.name} ", "title").add(
        " ".join(filter(None, (it.place, it.kind)))
    )
    head.add(f", used by {', '.join(it.users)}" if it.users else "")
    raw = Line(" address ", "label").add(f"{it.address:#x}", "address")
    raw.add(" data ", "label").add(f"{it.data:#x}", "address")
    trigger = "level" if it.level else "edge"
    raw.add(f": {it.mode} vector {it.vector:02x}, {trigger}")
    out = [head, raw]
    if it.destination is not None:
        to = Line(" goes to ", "label").add(f"{it.destination}: ")
        out.append(to.add(vcpus(it.reaches, cpus), "strong" if it.reaches else "bad"))
    return [*out, *bars(it.reasons, width)]
