"""The row of keys at the bottom: those of the pane in focus, and the layouts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

from lapis_tui.bindings import KEYS
from lapis_tui.blocks.lines import Line, wrapped
from lapis_tui.layouts import LAYOUTS
from lapis_tui.panes.base import LinePane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from lapis_tui.bindings import Key
    from lapis_tui.layouts import Layout
    from lapis_tui.view import View

MOST_ROWS = 4
"""Of what is wrong with a field; the results have the rest."""


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A key in the row."""

    key: str
    """As Textual names it."""
    shown: str
    text: str


@dataclass(frozen=True, slots=True)
class ActionHint:
    """An action of the whole screen, in the row by whatever key it has now."""

    id: str
    text: str


def hints(
    view: View,
    own: Sequence[KeyHint | ActionHint],
    table: Sequence[Key] = KEYS,
    *,
    typing: bool,
) -> list[KeyHint]:
    """Return the keys that make sense now, the most wanted first."""
    if view.running or view.busy is not None:
        text = "break; what is typed waits" if typing else "break"
        leave = next(_hint(key) for key in table if key.id == "quit")
        return [KeyHint("ctrl+c", "Ctrl-C", text), leave]
    if typing:
        return [
            KeyHint("enter", "Enter", "send"), KeyHint("escape", "Esc", "back"),
            KeyHint("tab", "Tab", "complete"),
        ]  # fmt: skip
    is_past = view.now.ahead is not None
    by_id = {key.id: _hint(key) for key in table}
    out = [
        replace(by_id[each.id], text=each.text)
        if isinstance(each, ActionHint)
        else each
        for each in own
    ]
    for key in table:
        is_apt = bool(key.hint)
        is_apt &= key.id != "answer" or bool(view.now.pending)
        is_apt &= is_past or key.id not in {"fork", "play"}
        if is_apt:
            out.append(_hint(key))
    return out


def _hint(key: Key) -> KeyHint:
    return KeyHint(key.keys.split(",")[0], key.shown.split()[0], key.hint)


def render(
    hints_: Sequence[KeyHint], layout: Layout, width: int, table: Sequence[Key] = KEYS
) -> list[tuple[Line, str]]:
    """Return the pieces of the row with the key that each stands for."""
    tabs = _layouts(layout, width, table)
    room = width - sum(piece.width for piece, _ in tabs)
    out: list[tuple[Line, str]] = []
    for hint in hints_:
        piece = Line(f" {hint.shown}", "strong").add(f" {hint.text} ", "held")
        if piece.width <= room:
            out.append((piece, hint.key))
            room -= piece.width
    return [*out, (Line(" " * room), ""), *tabs]


def _layouts(now: Layout, width: int, table: Sequence[Key]) -> list[tuple[Line, str]]:
    by_id = {key.id: _hint(key) for key in table}
    out = []
    for layout in LAYOUTS:
        hint = by_id[f"layout-{layout.name}"]
        is_now = layout is now
        text = f"{hint.shown}{' ' + layout.name if is_now or width >= 160 else ''} "
        out.append((Line(text, "title" if is_now else "dim"), hint.key))
    return out


def complaint(why: str | None, width: int) -> list[Line]:
    """Return what is wrong with a field in as many rows as it takes, a few at most."""
    if why is None:
        return []
    return [
        Line(" ! " if not number else "   ", "bad").add(row, "warn").fit(width)
        for number, row in enumerate(wrapped(why, max(width - 4, 20))[:MOST_ROWS])
    ]


class Keyboard(Protocol):
    """What the row asks of the application."""

    @property
    def key_table(self) -> tuple[Key, ...]:
        """Every action with the keys that do it."""
        ...


class KeysPane(LinePane):
    """The row; a click on a key presses it."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(id="keys")
        self.can_focus = False
        self._pieces: list[tuple[Line, str]] = []
        self.complaint: str | None = None
        """What is wrong with the field above, told instead of keys."""

    @property
    def allow_select(self) -> bool:
        """The mouse presses keys here."""
        return False

    def update(
        self, view: View, layout: Layout, choices: Sequence[str],
        own: Sequence[KeyHint | ActionHint], *, typing: bool,
    ) -> None:  # fmt: skip
        """Show the keys of `view`, or instead of them the `choices` of Tab."""
        width = self.size.width
        rows = complaint(self.complaint, width) if not choices else []
        self.styles.height = max(len(rows), 1)
        if rows:
            self._pieces = []
            self.show(rows)
            return
        if choices:
            self._pieces = [(Line("  ".join(["", *choices]), "held"), "")]
        else:
            table = cast("Keyboard", self.app).key_table
            shown = hints(view, own, table, typing=typing)
            self._pieces = render(shown, layout, width, table)
        line = Line()
        for piece, _ in self._pieces:
            line.extend(piece)
        self.show([line.fit(width)])

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        at = 0
        for piece, key in self._pieces:
            at += piece.width
            if event.x < at:
                if key:
                    self.app.simulate_key(key)
                return
