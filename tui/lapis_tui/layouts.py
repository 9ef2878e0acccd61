"""The layouts: which panes there are, on a screen of which size, and where.

A number key shows one. Each has a tree for every size of screen that it is drawn for;
the first that fits is taken. What the user makes of it by moving dividers is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_tui.splits import Need, Node, Tabs, columns, names, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_PENDING: Final = 3
"""Requests in view in the row of them; a list that is longer scrolls."""
PLUGGED: Final = "plugged"
"""Stands in a tree for the panes of plug-ins."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A tree, and the least screen that it is for."""

    width: int
    height: int
    tree: Node


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout."""

    key: str
    name: str
    text: str
    """What it is for, in a few words."""
    first: str
    """The pane that gets the focus."""
    drawn: tuple[Drawn, ...]
    """Largest first."""

    def fitting(self, width: int, height: int) -> Drawn:
        """Return the tree for a screen."""
        return next(
            (d for d in self.drawn if width >= d.width and height >= d.height),
            self.drawn[-1],
        )


BOTTOM = Tabs(("events", "results", "console"))
DEVICES = Tabs(("timers", "pic", "msi"))
EVENTS = Tabs(("events", "lints"))

LAYOUTS: Final = (
    Layout("1", "step", "registers, APICs, events", "vcpus", (
        Drawn(170, 0, rows("vcpus", "apics", "pending",
            columns("events", "console", "results", weights=(4, 3, 3)))),
        Drawn(100, 0, rows("vcpus", "apics", "pending",
            columns("events", rows("console", "results"), weights=(6, 5)))),
        Drawn(0, 0, rows("vcpus", "apics", "pending", BOTTOM)),
    )),
    Layout("2", "priority", "the life of each vector, and the PPR", "priority", (
        Drawn(170, 40, columns(
            rows("priority", "events"), rows("vcpus", "results"), weights=(3, 2))),
        Drawn(100, 36, rows("priority", columns("events", "results"))),
        Drawn(0, 0, "priority"),
    )),
    Layout("3", "boot", "how each processor comes up", "boot", (
        Drawn(170, 40, columns("boot", rows("vcpus", EVENTS), weights=(3, 2))),
        Drawn(100, 36, rows("boot", EVENTS)),
        Drawn(0, 0, Tabs(("boot", "lints"))),
    )),
    Layout("4", "requests", "what waits, and what was answered", "requests", (
        Drawn(170, 40, columns("requests", rows("vcpus", "events"), weights=(3, 2))),
        Drawn(100, 36, rows("requests", "events")),
        Drawn(0, 0, "requests"),
    )),
    Layout("5", "devices", "IOAPIC, 8259s, timers, MSI", "ioapic", (
        Drawn(170, 40, columns(
            rows("ioapic", "events"), rows("timers", "pic", "msi"), weights=(6, 5))),
        Drawn(100, 36, rows("ioapic", DEVICES, "events")),
        Drawn(0, 0, Tabs(("ioapic", "pic", "timers", "msi"))),
    )),
    Layout("6", "memory", "hex, page walks, and writing it", "memory", (
        Drawn(170, 40, columns(
            rows("memory", "walk"), rows("vcpus", "events"), weights=(3, 2))),
        Drawn(100, 36, rows("memory", "walk", "events")),
        Drawn(0, 0, rows("memory", "walk")),
    )),
    Layout("7", "timeline", "where in its history the machine is", "events", (
        Drawn(150, 30, rows(
            "time", columns("events", rows(
                "acts", "branches", Tabs(("notes", "lints")))))),
        Drawn(0, 0, rows(
            "time", Tabs(("notes", "acts", "branches", "lints")), "events")),
    )),
    Layout("8", "terminal", "what the guest prints, and its keyboard", "terminal", (
        Drawn(160, 0, rows(
            columns("terminal", rows("vga", "console")), "pending")),
        Drawn(0, 0, rows(Tabs(("terminal", "vga", "console")), "pending")),
    )),
    Layout("9", "plug-ins", "panes of plug-ins", PLUGGED, (
        Drawn(0, 0, PLUGGED),
    )),
)  # fmt: skip
"""In the order of their keys."""

NEEDS: Final[Mapping[str, Need]] = {
    "vcpus": Need(12, 20, 1.0),
    "apics": Need(6, 10, 0.0),
    "events": Need(2, 8, 1.0),
    "console": Need(2, 6, 0.5),
    "results": Need(2, 6, 0.5),
    "terminal": Need(6, 26, 1.0),
    "vga": Need(6, 26, 0.5),
    "time": Need(5, 8, 0.2),
    "acts": Need(4, 8, 0.5),
    "branches": Need(4, 8, 0.5),
    "notes": Need(4, 8, 0.5),
    "boot": Need(8, 20, 2.0),
    "priority": Need(8, 22, 2.0),
    "memory": Need(8, 12, 3.0),
    "walk": Need(9, 9, 0.0),
    "requests": Need(10, 22, 2.0),
    "ioapic": Need(8, 16, 2.0),
    "pic": Need(8, 13, 1.0),
    "timers": Need(8, 13, 1.0),
    "msi": Need(5, 9, 0.5),
    "lints": Need(5, 12, 1.0),
}
"""Rows of each pane; of those of plug-ins `PLUGGED_NEED`."""
PLUGGED_NEED: Final = Need(3, 8, 1.0)


def needs(pending: int, cpus_hidden: bool, plugged: Sequence[str]) -> dict[str, Need]:  # noqa: FBT001 - a fact of the screen
    """Return the rows that panes need with so many requests waiting."""
    waiting = min(pending, MOST_PENDING)
    out = {**NEEDS, "pending": Need(waiting, waiting, 0.0)}
    strip = int(cpus_hidden)
    out["vcpus"] = Need(12 + strip, 20 + strip, 1.0)
    return out | dict.fromkeys(plugged, PLUGGED_NEED)


def with_plugged(node: Node, plugged: Sequence[str]) -> Node:
    """Return the tree of a layout with the panes of plug-ins in their place."""
    return Tabs(tuple(plugged)) if node == PLUGGED else node


def layout_of(name: str) -> Layout:
    """Return a layout by its name, the first one if there is none of that name."""
    return next((each for each in LAYOUTS if each.name == name), LAYOUTS[0])


def holding(name: str, now: Layout, width: int, height: int) -> Layout:
    """Return a layout that has pane `name` on such a screen: `now` if it does."""
    found = (
        each
        for each in (now, *LAYOUTS)
        if name in names(each.fitting(width, height).tree)
    )
    return next(found, LAYOUTS[-1] if name.startswith(PLUGGED) else now)
