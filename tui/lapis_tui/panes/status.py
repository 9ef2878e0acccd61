"""The status bar at the top, and the row of keys at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.bindings import KEYS
from lapis_tui.blocks import lines
from lapis_tui.blocks.lines import Line
from lapis_tui.panes.vcpus import mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_tui.view import View


def render(view: View, width: int, *, typing: bool = False) -> Line:
    """Return the status bar: run state, selection, virtual time, pending, profile.

    In the past, how many instructions lie ahead stands for the run state.
    """
    for guest, events in ((True, True), (True, False), (False, False)):
        left = _left(view, guest=guest)
        right = _right(view, typing=typing, events=events)
        if left.width + right.width < width:
            break
    return left.pad(max(width - right.width, left.width + 1)).extend(right).fit(width)


def _left(view: View, *, guest: bool) -> Line:
    vcpu = view.now.vcpus[view.selected]
    line = Line(" lapis ", "title")
    if guest:
        line.add(f"{view.now.guest.rstrip('/').rpartition('/')[2]} ", "label")
    line.add(" ").extend(_state(view))
    return line.add("  vCPU ", "label").add(f"{vcpu.id} {mode(vcpu)}")


def _right(view: View, *, typing: bool, events: bool) -> Line:
    snapshot = view.now
    line = Line("t ", "label").add(lines.time(snapshot.now))
    waiting = len(snapshot.pending)
    line.add("  pending ", "label").add(str(waiting), "changed" if waiting else "")
    if events:
        line.add("  events ", "label").add(lines.count(snapshot.events_total))
    line.add(f"  {snapshot.profile} ", "label")
    if snapshot.recording:
        line.add(" ● rec ", "bad")
    if snapshot.schedule != "round-robin":
        line.add(f" {snapshot.schedule} ", "warn")
    return line.add(" TYPING " if typing else "", "title")


def _state(view: View) -> Line:
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


def keys(width: int, *, running: bool, pending: bool, typing: bool = False) -> Line:
    """Return the row of keys that make sense now."""
    if running and typing:
        return Line(" Ctrl-C", "strong").add(" breaks in; what is typed waits for that")
    if running:
        return (
            Line(" Ctrl-C", "strong").add(" break   ").add("q", "strong").add(" quit")
        )
    line = Line()
    for key in KEYS:
        if not key.hint or (key.id == "answer" and not pending):
            continue
        shown = "n p" if key.id == "previous-vcpu" else key.shown.split()[0]
        piece = Line(f" {shown}", "strong").add(f" {key.hint} ", "held")
        if line.width + piece.width <= width:
            line.extend(piece)
    return line.fit(width)


def choices(words: Sequence[str], width: int) -> Line:
    """Return the row of completions, as many as fit."""
    return Line("  ".join(["", *words]), "held").fit(width)
