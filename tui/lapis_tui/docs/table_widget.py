"""A table of a page as one widget.

Textual's has one for each cell, of which a page of the reference has two thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Markdown
from textual.widgets._markdown import MarkdownTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.app import ComposeResult
    from textual.geometry import Size

GAP: Final = 2
"""Columns of the terminal between two of the table."""
LEAST: Final = 6
"""Columns that each has, however narrow the screen is."""


def widths(natural: Sequence[int], room: int) -> list[int]:
    """Return how wide columns become: those that are narrow keep what they need.

    >>> widths([5, 10], 40), widths([5, 100, 60], 49)
    ([5, 10], [5, 20, 20])
    """
    left = room - GAP * (len(natural) - 1)
    found = list(natural)
    wide = list(range(len(natural)))
    while wide and sum(found) > room - GAP * (len(natural) - 1):
        share = max(LEAST, left // len(wide))
        narrow = [each for each in wide if natural[each] <= share]
        if not narrow:
            for each in wide:
                found[each] = share
            break
        left -= sum(natural[each] for each in narrow)
        wide = [each for each in wide if each not in narrow]
    return found


class TableText(Widget):
    """The table, wrapped as wide as it may be."""

    DEFAULT_CSS = "TableText { height: auto; width: 1fr; }"

    def __init__(self, heads: Sequence[Content], rows: Sequence[Sequence[Content]]):
        """Show `rows` below `heads`."""
        super().__init__()
        self._heads, self._rows = heads, rows

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return how many rows of the terminal it takes."""
        return len(self._lines(width))

    def render(self) -> Content:
        """Return all of it."""
        return Content("\n").join(self._lines(self.content_size.width))

    def _lines(self, room: int) -> list[Content]:
        table = [self._heads, *self._rows]
        natural = [max(cell.cell_length for cell in column) for column in zip(*table)]  # noqa: B905 - a row may lack cells
        wide = widths(natural, room)
        heads = [cell.stylize("bold") for cell in self._heads]
        rule = Content("─" * (sum(wide) + GAP * (len(wide) - 1))).stylize("dim")
        return [
            *_row(heads, wide),
            rule,
            *(line for row in self._rows for line in _row(row, wide)),
        ]

    async def action_link(self, href: str) -> None:
        """Follow a link, as text does."""
        self.post_message(Markdown.LinkClicked(self.query_ancestor(Markdown), href))


def _row(cells: Sequence[Content], wide: Sequence[int]) -> Iterator[Content]:
    """Yield the lines of a row, whose cells are wrapped."""
    columns = [
        cell.wrap(width) if cell else [Content("")]
        for cell, width in zip(cells, wide)  # noqa: B905 - the same
    ]
    for number in range(max(map(len, columns), default=0)):
        parts = [
            column[number] if number < len(column) else Content("")
            for column in columns
        ]
        line = [
            part.pad_right(max(0, width + GAP - part.cell_length))
            for part, width in zip(parts, wide)  # noqa: B905 - the same
        ]
        yield Content.assemble(*line).rstrip()


class OneTable(MarkdownTable):
    """A table of Markdown, which is drawn as one."""

    def compose(self) -> ComposeResult:
        """Draw it."""
        heads, rows = self._get_headers_and_rows()
        yield TableText(heads, rows)
