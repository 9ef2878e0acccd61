"""What the lints have found, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line, time
from lapis_tui.blocks.listing import put, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_sessions.views.lints import FoundRow

ROLES: Final[Mapping[str, str]] = {"error": "bad", "warning": "warn", "note": "dim"}
"""The role of each severity."""


def heading() -> list[Line]:
    """Return the names of the columns."""
    line = Line("  times", "label").pad(8).add("lint", "label").pad(33)
    return [line.add("vCPU", "label").pad(39).add("what", "label")]


def row(it: FoundRow, before: FoundRow | None) -> Line:
    """Return a finding; one that is new, or came again, is marked."""
    was, now = before, it.finding
    is_new = was is None or was.finding.times != now.times
    line = put(Line(), f"{now.times:>5}", changed=is_new).pad(7)
    put(line, it.name, ROLES[it.severity], room=24).pad(32)
    put(line, "-" if now.vcpu < 0 else str(now.vcpu)).pad(38)
    return line.add(now.text)


def detail(it: FoundRow, width: int) -> list[Line]:
    """Return all that is known of a finding, the sentence last."""
    now = it.finding
    head = Line(f" {it.name} ", "title").add(it.severity, ROLES[it.severity])
    if now.seq is not None:
        head.add("  event ", "label").add(str(now.seq))
    if now.at is not None:
        head.add("  at ", "label").add(time(now.at))
    if now.rip is not None:
        head.add("  RIP ", "label").add(f"{now.rip:#x}", "address")
        head.add("" if now.ran == now.vcpu else f" of vCPU {now.ran}")
    out = [head]
    if now.values:
        values = Line(" ")
        for name, value in now.values.items():
            values.add(f"{name} ", "label").add(f"{value:#x}  ")
        out.append(values)
    return out + told(now.text, width)
