"""The status bar at the top: run state, place in history, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.blocks import lines
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.vcpus import mode

if TYPE_CHECKING:
    from lapis_tui.view import View

OPTIONAL = ("events", "guest", "time", "profile")
"""Parts that are left out where there is little room, the first ones first."""


def render(view: View, width: int, *, typing: bool = False) -> Line:
    """Return the bar; in the past it says how much lies ahead on which branch."""
    for count in range(len(OPTIONAL) + 1):
        without = OPTIONAL[:count]
        left = _left(view, without)
        right = _right(view, without, typing=typing)
        if left.width + right.width < width:
            break
    return left.pad(max(width - right.width, left.width + 1)).extend(right).fit(width)


def _left(view: View, without: tuple[str, ...]) -> Line:
    vcpu = view.now.vcpus[view.selected]
    line = Line(" lapis ", "title")
    if "guest" not in without:
        line.add(f"{view.now.guest.rstrip('/').rpartition('/')[2]} ", "label")
    line.add(" ").extend(_state(view))
    return line.add("  vCPU ", "label").add(f"{vcpu.id} {mode(vcpu)}")


def _right(view: View, without: tuple[str, ...], *, typing: bool) -> Line:
    now = view.now
    history = now.history
    line = Line(f"{history.branch} ", "label")
    line.add(lines.count(history.here.retired))
    if now.ahead is not None:
        line.add(f"/{lines.count(history.end.retired)}", "label")
    if "time" not in without:
        line.add("  t ", "label").add(lines.time(now.now))
    if now.pending or "profile" not in without:
        waiting = len(now.pending)
        line.add("  pending ", "label").add(str(waiting), "changed" if waiting else "")
    if "events" not in without:
        line.add("  events ", "label").add(lines.count(now.events_total))
    if "profile" not in without:
        line.add(f"  {now.profile} ", "label")
    if history.read_only:
        line.add(" R/O ", "warn")
    if now.recording:
        line.add(" ● rec ", "bad")
    if now.schedule != "round-robin":
        line.add(f" {now.schedule} ", "warn")
    return line.add(" TYPING " if typing else "", "title")


def _state(view: View) -> Line:
    if view.play is not None:
        return Line(f"▶ play {view.play:g}/s", "good")
    if view.busy is not None:
        return Line(f"« {view.busy}", "warn")
    if view.running:
        return Line("▶ running", "good")
    if any(v.state == "suspended" for v in view.now.vcpus):
        return Line("# suspended", "bad")
    if view.now.ahead is not None:
        left = lines.count(view.now.ahead)
        return Line(f"« {left} to the end of {view.now.branch}", "warn")
    return Line("■ stopped", "strong")
