"""The notes pane: what was written at this point of a recording, and its question.

The questions of a scenario are a lesson: each is answered once, and counted.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_sessions.gallery import walk
from lapis_tui.blocks.lines import Line, count, wrap
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.binding import BindingType

    from lapis_sessions.timeline.branches import Note
    from lapis_tui.view import View


def here(view: View) -> int:
    """Return the number of the last note that was passed, 0 before the first."""
    history = view.now.history
    return sum(history.passed(note) for note in history.notes)


def render(view: View, given: Mapping[int, str], size: tuple[int, int]) -> list[Line]:
    """Return the note at or before this point, and the places of the others.

    `given` is what was answered to notes, by number from 1: of these it is shown
    whether that was right, the answer, and why.
    """
    width, _ = size
    notes = view.now.history.notes
    if not notes:
        return [Line(" this branch has no notes: annotate TEXT writes one", "dim")]
    number = here(view)
    out = [Line(f" note {number} of {len(notes)}", "title")]
    if number:
        out += _note(notes[number - 1], given.get(number), width)
    if number < len(notes):
        upcoming = notes[number]
        where = f" next, after act {upcoming.acts}, {count(upcoming.retired)}: ] goes"
        out.append(Line(where, "dim"))
    return out


def _note(note: Note, given: str | None, width: int) -> list[Line]:
    out = [Line(f" {row}") for row in _rows(note.text, width)]
    if not note.ask:
        return out
    out += [Line(" ? ", "changed").add(row) for row in _rows(note.ask, width - 2)]
    if given is None:
        return [*out, Line("   y answers it", "dim")]
    right = walk.is_right(note, given)
    said = "right" if right else f"no: you said {given}"
    rows = _rows(f"{note.answer} ({said})", width - 2)
    role = "good" if right else "warn"
    out += [Line(" = ", role).add(row, "strong") for row in rows]
    return out + [Line("   ").add(row) for row in _rows(note.because, width - 2)]


def _rows(text: str, width: int) -> list[str]:
    return wrap(text, max(width - 2, 20))


class NotesPane(LinePane):
    """Notes in their order; a question is answered here."""

    TITLE = "notes"
    ABOUT = (
        "What was written at this point of a recording. A question is answered by y: "
        "what you type is compared with the answer, which is shown then."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "note(-1)", "the note before", show=False),
        Binding("right_square_bracket,enter", "note(1)", "the next note", show=False),
        Binding("y", "answer", "answer the question", show=False),
    ]

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="notes")
        self._view: View | None = None
        self._given: dict[tuple[str, int], str] = {}
        """The first answer to each question, by branch and number of its note."""

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.call(f"{self.TITLE}{self._score(view)}")
        branch = view.now.history.branch
        given = {n: text for (name, n), text in self._given.items() if name == branch}
        self.draw(partial(render, view, given))

    def _score(self, view: View) -> str:
        """Return how many questions of this branch were answered rightly."""
        notes, branch = view.now.history.notes, view.now.history.branch
        there = [(number, note) for number, note in enumerate(notes, 1) if note.ask]
        given = [(note, self._given.get((branch, number))) for number, note in there]
        answered = [(note, text) for note, text in given if text is not None]
        if not answered:
            return f", {len(there)} questions" if there else ""
        right = sum(walk.is_right(note, text) for note, text in answered)
        left = len(there) - len(answered)
        more = f", {left} to come" if left else ": that was all"
        return f", {right} of {len(answered)} right{more}"

    @property
    def hints(self) -> Sequence[KeyHint]:
        """What this pane's keys do."""
        return KeyHint("right_square_bracket", "]", "next"), KeyHint("y", "y", "answer")

    def action_note(self, by: int) -> None:
        """Go to the next note, or the one before."""
        view = self._view
        if view is None:
            return
        notes = view.now.history.notes
        number = here(view)
        at_it = number and notes[number - 1].retired == view.now.history.here.retired
        index = number if by > 0 else number - 1 - bool(at_it)
        if 0 <= index < len(notes):
            self.post_message(self.Wish(f"goto note {index + 1}"))
        else:
            self.post_message(self.Hint("there is no note further on"))

    def action_answer(self) -> None:
        """Ask for the answer of the question here."""
        view = self._view
        number = here(view) if view is not None else 0
        if view is None or not number or not view.now.history.notes[number - 1].ask:
            self.post_message(self.Hint("nothing is asked here"))
            return
        self.post_message(self.Asked("=", "", partial(self._judge, number)))

    def _judge(self, number: int, text: str) -> str | None:
        """Compare what was typed with the answer, and show that."""
        view = self._view
        if view is None:
            return None
        if not text:
            return "type what you expect; Esc leaves it open"
        self._given.setdefault((view.now.history.branch, number), text)
        self.update(view)
        return None
