"""Timers as rows: what each counts, when it is next due, and where that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_tui.blocks.lines import Line, count, time
from lapis_tui.blocks.listing import put, told

if TYPE_CHECKING:
    from lapis_sessions.views.timers import TimerRow

WIDE: Final = 92
"""Columns from which counts have a place."""
QUIET: Final = frozenset(
    {"off", "no-count", "stopped", "halted", "idle", "no-interrupt"}
)
"""Why nothing comes, where that is nothing to wonder about."""


def heading(width: int) -> list[Line]:
    """Return the names of the columns."""
    line = Line("  timer", "label").pad(18).add("mode", "label").pad(43)
    line.add("due in", "label").pad(60)
    if width >= WIDE:
        line.add("count", "label").pad(79)
    return [line.add("goes to", "label")]


def row(it: TimerRow, before: TimerRow | None, width: int) -> Line:
    """Return a timer; what was set anew since `before` is marked."""
    old = before or it
    is_quiet = it.waits is not None and it.waits.code in QUIET
    plain = "dim" if is_quiet else ""
    line = put(Line(), it.name, "dim" if is_quiet else "strong", room=15).pad(16)
    put(line, it.mode, plain, room=23, changed=it.raw != old.raw).pad(41)
    text, role = _due(it)
    put(line, text, role, changed=it.next != old.next).pad(58)
    if width >= WIDE:
        shown = "-" if it.count is None else f"{it.count:x}"
        put(line, shown, "address", room=17, changed=it.reload != old.reload).pad(77)
    is_moved = (it.to.isa, it.to.pin) != (old.to.isa, old.to.pin)
    return put(line, it.to.text, plain, changed=is_moved)


def _due(it: TimerRow) -> tuple[str, str]:
    if it.waits is not None and (it.waits.code in QUIET or it.next is None):
        return it.waits.code, "dim" if it.waits.code in QUIET else "warn"
    if it.left is None:
        return "-", "dim"
    if it.waits is not None:
        return f"({time(it.left)})", "warn"
    return time(it.left), "good"


def detail(it: TimerRow, width: int) -> list[Line]:
    """Return all that is known of a timer."""
    out = [Line(f" {it.name} ", "title").add(it.mode)]
    if it.count is not None or it.reload is not None:
        line = Line(" count ", "label")
        line.add("-" if it.count is None else f"{it.count:#x}", "strong")
        line.add("" if it.reload is None else f" of {it.reload:#x}")
        out.append(line)
    if it.next is not None and it.left is not None:
        line = Line(" next ", "label").add(f"at {count(it.next)} ns", "strong")
        out.append(line.add(f", in {count(it.left)} ns"))
    if it.to.text:
        out.append(Line(" goes to ", "label").add(it.to.text))
    if it.waits is not None:
        out += told(f"- {it.waits.text}", width, "warn")
    return out
