"""A pane of a plug-in, printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CellView:
    """A piece of a row."""

    text: str
    role: str


@dataclass(frozen=True, slots=True)
class PaneView:
    """What a pane shows now, row by row."""

    name: str
    title: str
    rows: tuple[tuple[CellView, ...], ...]


def text(view: PaneView) -> str:
    """Return the pane as it would look."""
    rows = ("".join(cell.text for cell in row).rstrip() for row in view.rows)
    return "\n".join([view.title, *rows])
