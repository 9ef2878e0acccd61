"""The help screen (F1): every key and every command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.widget import Widget

from lapis_tui.bindings import INSIDE, KEYS, written
from lapis_tui.blocks import bar
from lapis_tui.blocks import marks as event_marks
from lapis_tui.blocks.lines import Line, wrap
from lapis_tui.panes.base import LinePane
from lapis_tui.screens.searched import SearchedScreen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.binding import BindingType

    from lapis_tui.bindings import Key

Topic = tuple[str, str, str]
"""A command: how it is written, its other names, what it does."""


@dataclass(frozen=True, slots=True)
class About:
    """A pane: what it is called, what it shows, and its keys."""

    title: str
    text: str
    keys: tuple[tuple[str, str], ...]
    """Keys as they are written for people, and what they do."""


def about(pane: object) -> About | None:
    """Return what a pane says of itself, None for what is none of ours."""
    while isinstance(pane, Widget) and not getattr(pane, "ABOUT", ""):
        pane = pane.parent  # a field is of the pane that it stands in
    title, text = getattr(pane, "TITLE", ""), getattr(pane, "ABOUT", "")
    if not title or not text:
        return None
    keys = [(written(b.key), b.description) for b in _bindings(pane)]
    if isinstance(pane, LinePane) and hasattr(pane, "action_search"):
        keys.append(("/", "search"))
    return About(title, text, tuple(keys))


def _bindings(pane: object) -> Iterator[Binding]:
    """Yield the keys of a pane: its own, then those of what it is a kind of."""
    for kind in type(pane).__mro__:
        if kind is LinePane:
            return  # what every pane has is told once
        for binding in kind.__dict__.get("BINDINGS", ()):
            if isinstance(binding, Binding):
                yield binding


def render(
    topics: Sequence[Topic],
    pane: About | None,
    size: tuple[int, int],
    keys: Sequence[Key] = KEYS,
) -> list[Line]:
    """Return the whole text, of the pane first; it scrolls where it does not fit."""
    width, _ = size
    out: list[Line] = []
    if pane is not None:
        out.append(_heading(f"This pane: {pane.title}"))
        out += [Line(f"   {row}") for row in wrap(pane.text, max(width - 4, 20))]
        for own, text in pane.keys:
            out += _entry(own, text, 18, width)
        out.append(Line())
    out.append(_heading("Keys, while no field has the focus"))
    for key in keys:
        out += _entry(key.shown, key.help, 16, width)
    out += [Line(), _heading("Keys inside panes and fields")]
    for inside, text in INSIDE:
        out += _entry(inside, text, 18, width)
    out += [Line(), _heading("Marks")]
    for mark, text in MARKS:
        out += _entry(mark, text, 16, width)
    out += [Line(), _heading("Marks of the seek bar and of the time pane")]
    for mark, text in SIGNS:
        out += _entry(mark, text, 16, width)
    out += _kinds(width)
    out += [Line(), _heading("Commands, after : or /")]
    for usage, aliases, text in topics:
        out += _topic(usage, aliases, text, width)
    return out


MARKS = (
    ("*rax", "a register that differs from the stop before"),
    ("> address", "the next instruction, RIP"),
    ("▸ address", "the cursor, in the code and in lists"),
    ("* row", "what was searched for"),
    ("· event", "has not happened yet"),
    ("* address", "a breakpoint"),
    ("IF if", "a flag that is set, one that is clear"),
    ("1 . #", "vectors in a priority class, none, a class that PPR holds back"),
    ("31 *41 -52", "a vector that was there, has come, has gone since the stop before"),
    ("● z ~ . ? #", "runs, halted, waits for SIPI, never started, pending, suspended"),
)
"""What the glyphs in the panes say."""


SIGNS = (
    (bar.HERE, "where the machine is; what is dim lies ahead"),
    (bar.NOTE, "a note: goto note 1"),
    (bar.POINT, "a point with a name: m gives one, goto NAME goes there"),
    (bar.FORK, "where another branch left this one: branch NAME goes to its end"),
    ("click, drag", "go to that place"),
)
"""What stands on the bars beside events."""
KIND = 14
"""Cells of a kind of event with its glyph."""
EVENTS = tuple(
    (kind, event_marks.MARKS[kind]) for kind in bar.TELLING if kind in event_marks.MARKS
)
"""Kinds of events with their glyphs, the most telling first: of several in one cell
that one is shown."""


def _heading(text: str) -> Line:
    return Line(f" {text}", "title")


def _kinds(width: int) -> list[Line]:
    """Return the glyphs of events, as many beside each other as fit."""
    each = max((width - 3) // KIND, 1)
    out = []
    for first in range(0, len(EVENTS), each):
        line = Line("   ")
        for kind, (glyph, _) in EVENTS[first : first + each]:
            line.add(glyph if glyph.strip() else "·", "strong")
            line.add(f" {kind}".ljust(KIND - 1))
        out.append(line)
    return out


def _entry(left: str, text: str, column: int, width: int) -> list[Line]:
    """Return `left` and, from `column` on, `text` in as many rows as it needs."""
    head = Line("   ").add(left, "strong")
    rows = wrap(text, max(width - column, 20))
    out = [head] if head.width >= column else []
    line = Line() if out else head
    for row in rows:
        out.append(line.add(" " * (column - line.width)).add(row))
        line = Line()
    return out


def _topic(usage: str, aliases: str, text: str, width: int) -> list[Line]:
    """Return a command: its line, and below it what it does and its other names."""
    words = f"{text} ({aliases})" if aliases else text
    first = [Line("   ").add(row, "strong") for row in wrap(usage, width - 5)]
    rest = [Line("       ").add(row, "held") for row in wrap(words, width - 8)]
    return first + rest


class HelpScreen(SearchedScreen):
    """Help, over everything else."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "leave", "Back", show=False)
    ]
    KEYS = "/ search   n N   Esc goes back"

    def __init__(
        self,
        topics: Sequence[Topic],
        pane: About | None,
        keys: Sequence[Key],
    ) -> None:
        """Show `topics` beside the `keys` there are, and first of all `pane`."""
        super().__init__("help", "help")
        self._topics, self._about, self._keys = topics, pane, keys

    def rows(self, size: tuple[int, int]) -> Sequence[Line]:
        """Return the text, as wide as there is room."""
        return render(self._topics, self._about, size, self._keys)
