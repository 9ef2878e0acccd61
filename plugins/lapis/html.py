"""Tables for notebooks; whatever a guest says is made visible, and then escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(title: str, rows: Sequence[tuple[str, str]], across: int = 1) -> str:
    """Return a table of names and values, `across` pairs on each row."""
    cells = [
        f"<th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'><code>{escape(value)}</code></td>"
        for name, value in rows
    ]
    lines = [
        f"<tr>{''.join(cells[first : first + across])}</tr>"
        for first in range(0, len(cells), across)
    ]
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def grid(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a header row."""
    top = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td><code>{escape(value)}</code></td>" for value in row)
        + "</tr>"
        for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>"
    return f"<table>{caption}<tr>{top}</tr>{body}</table>"


def escape(text: str) -> str:
    r"""Return text as HTML shows it, whole and in the order in which it is written.

    >>> print(escape("<b>" + chr(0x202E)))
    &lt;b&gt;\u202e
    """
    return html.escape(visible(text))
