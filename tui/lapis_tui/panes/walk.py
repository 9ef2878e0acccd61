"""The page walk pane: how the address under the memory's cursor is translated."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.message import Message

from lapis_engine.why.pages import PageAccess
from lapis_sessions.views import page
from lapis_tui.blocks.lines import CURSOR, Line, signed, wrapped
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.binding import BindingType

    from lapis_engine.why.pages import PageAnswer, PageEntry
    from lapis_sessions.views.memory_picture import MemoryPlace
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.view import View

FLAGS: Final = ("P", "RW", "US", "PWT", "PCD", "A", "D", "PS", "G", "PAT", "NX")
WIDE: Final = 92
"""Columns with which an entry has all its digits and where it leads beside it."""
ERROR_BITS: Final = (
    (1, "P", "not present", "a right is missing"), (2, "W", "read", "write"),
    (4, "U", "supervisor", "CPL 3"), (8, "RSVD", "", "reserved bits"),
    (16, "I", "", "fetch"),
)  # fmt: skip
"""Of the error code of a #PF: bit, name, what it means where it is clear, and set."""


def render(view: View, chosen: int, size: tuple[int, int]) -> list[Line]:
    """Return the walk, entry by entry, and what came of it."""
    width, height = size
    picture = view.now.memory
    if picture is None:
        return [Line(" the memory pane has the address", "dim")]
    walk = picture.walk
    if walk is None:
        return [Line(" a physical address is not translated", "dim")]
    rows = [_head(walk)]
    old = _before(view)
    for index, entry in enumerate(walk.entries):
        line = _entry(entry, old, width)
        if index == chosen:
            line = signed(line, CURSOR)
            line.role = "cursor"
        rows.append(line)
    rows += _outcome(walk, width)
    return [row.fit(width) if row.width > width else row for row in rows][:height]


def _before(view: View) -> Mapping[int, int]:
    """Return the entries that the walk at the stop before had read, by place."""
    memory = view.before.memory
    walk = None if memory is None else memory.walk
    return {} if walk is None else {each.at: each.raw for each in walk.entries}


def _head(walk: PageAnswer) -> Line:
    line = Line(f" {walk.linear:x}", "address").add(f"  vCPU {walk.vcpu}", "label")
    line.add(f"  {page.kind(walk.access)}", "strong")
    paging = "no paging" if walk.mode == "none" else f"{walk.mode} paging"
    line.add(f"  {paging}")
    return line.add(f"  CR3 {walk.cr3:x}" if walk.entries else "", "label")


def _entry(entry: PageEntry, old: Mapping[int, int], width: int) -> Line:
    has_changed = old.get(entry.at, entry.raw) != entry.raw
    line = Line("*" if has_changed else " ", "changed")
    line.add(f"{entry.table:<5} ", "title").add(f"{entry.index:>4} ", "dim")
    line.add(f"{entry.at:>10x} ", "address")
    raw = f"{entry.raw:016x}" if width >= WIDE else f"{entry.raw:>12x}"
    line.add(f"{raw} ", "changed" if has_changed else "")
    if "P" in entry.flags:
        for flag in FLAGS:
            is_set = flag in entry.flags
            if is_set or width >= WIDE:
                line.add(
                    f"{flag if is_set else flag.lower()} ", "" if is_set else "dim"
                )
    is_bad = entry.reserved or "P" not in entry.flags
    text = page.leads(entry)
    return line.add(f" {text}" if is_bad else f"-> {text}", "bad" if is_bad else "held")


def _outcome(walk: PageAnswer, width: int) -> list[Line]:
    refusal = walk.refusal
    rows = []
    if walk.physical is not None and walk.rights is not None and walk.entries:
        rows.append(Line(f" = {page.mapped(walk)}", "good" if refusal is None else ""))
    if refusal is None:
        return rows or [Line(f" = {walk.text}", "good")]
    for number, text in enumerate(wrapped(refusal.text, max(width - 4, 20))):
        rows.append(Line(" ! " if not number else "   ", "bad").add(text, "warn"))
    if refusal.vector != 14:
        return [*rows, Line("   #GP(0), or #SS(0) by the stack segment", "strong")]
    line = Line(f"   #PF, error code {refusal.error:#x}:", "strong")
    for bit, name, _clear, _set in ERROR_BITS:
        is_set = bool(refusal.error & bit)
        line.add(f" {name if is_set else name.lower()}", "strong" if is_set else "dim")
    words = [row[3] if refusal.error & row[0] else row[2] for row in ERROR_BITS]
    return [*rows, line.add(f"  {', '.join(filter(None, words))}", "held")]


class WalkPane(LinePane):
    """The walk; an entry of it can be gone to."""

    TITLE = "page walk"
    ABOUT = (
        "How the linear address under the cursor of the memory pane is translated, "
        "entry by entry, or was before that pane went on to physical addresses: flags "
        "that are set are upper case, an entry that differs from the stop before has a "
        "*. Below is what it comes to, or why the access is refused, with the error "
        "code of the #PF. Nothing is touched by looking."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "choose(-1)", "the entry above", show=False),
        Binding("down,j", "choose(1)", "the entry below", show=False),
        Binding("enter", "go", "show the entry in the memory pane", show=False),
        Binding("w", "access('write')", "a write, or no more", show=False),
        Binding("u", "access('user')", "by CPL 3, or no more", show=False),
        Binding("x", "access('fetch')", "of an instruction, or no more", show=False),
    ]
    hints = (
        KeyHint("w", "w", "write"), KeyHint("u", "u", "user"),
        KeyHint("x", "x", "execute"), KeyHint("enter", "Enter", "the entry"),
    )  # fmt: skip

    class Chosen(Message):
        """An entry is to be shown where it is."""

        def __init__(self, at: int) -> None:
            """Carry its physical address."""
            super().__init__()
            self.at = at

    def __init__(self) -> None:
        """Begin with a read of the supervisor."""
        super().__init__(self.TITLE, id="walk")
        self._view: View | None = None
        self._access = PageAccess()
        self._chosen = 0
        self._place: MemoryPlace | None = None

    def want(self, so_far: Wanted) -> Wanted:
        """Say what kind of access the walk is for."""
        place = so_far.memory or self._place
        if place is None:
            return so_far
        return replace(so_far, memory=replace(place, access=self._access))

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        if view.now.memory is not None:
            self._place = view.now.memory.place
        self.draw(partial(render, view, self._chosen))

    @property
    def _entries(self) -> tuple[PageEntry, ...]:
        memory = None if self._view is None else self._view.now.memory
        walk = None if memory is None else memory.walk
        return () if walk is None else walk.entries

    def action_choose(self, by: int) -> None:
        """Go to another entry."""
        last = max(len(self._entries) - 1, 0)
        self._chosen = max(0, min(self._chosen + by, last))
        if self._view is not None:
            self.update(self._view)

    def action_go(self) -> None:
        """Show the chosen entry in the memory pane."""
        if self._chosen < len(self._entries):
            self.post_message(self.Chosen(self._entries[self._chosen].at))

    def action_access(self, what: str) -> None:
        """Ask about another kind of access."""
        old = self._access
        changed = {what: not getattr(old, what)}
        if what in {"write", "fetch"}:  # an access is one of them
            changed |= {"fetch" if what == "write" else "write": False}
        self._access = replace(old, **changed)
        self.post_message(self.Turned())
