"""HTML, made of texts of anybody's: what is put in is escaped here and nowhere else.

The page needs nothing from elsewhere and may not fetch it: its policy allows its own
style sheet by the hash, and no script, picture, font, frame or form at all.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_sessions.text.visible import printed, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONGEST: Final = 1_000
"""Letters of one text that are shown."""
LONGEST_BLOCK: Final = 20_000
"""The same of a text in lines."""
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2024; --dim: #60666e; --back: #fff;
  --soft: #f1f3f5; --line: #d5d9de; --good: #1a7f4b; --warn: #946200; --bad: #b3261e;
  --blue: #2459b8; --pale: #b9cdf2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --dim: #9aa2ab;
  --back: #15181b; --soft: #1f2428; --line: #363d44; --good: #5cc98f; --warn: #e0b04a;
  --bad: #ff8a80; --blue: #83aef5; --pale: #2f4a7d; } }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; background: var(--back);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
nav a { margin-right: 1rem; }
a { color: var(--blue); }
.dim { color: var(--dim); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font: 13px/1.4 ui-monospace, monospace; }
th { text-align: left; color: var(--dim); font-weight: normal; }
th, td { padding: .1rem .9rem .1rem 0; vertical-align: top; white-space: nowrap; }
td:last-child { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }
tbody tr:nth-child(even) { background: var(--soft); }
td.n { text-align: right; }
pre { font: 13px/1.4 ui-monospace, monospace; background: var(--soft); padding: .6rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
td.runs, td.halted, td.waits { padding-left: .5rem; min-width: 6rem; }
td.runs { border-left: 4px solid var(--good); }
td.halted { border-left: 4px double var(--warn); }
td.waits { border-left: 4px dotted var(--dim); }
.error, .x { color: var(--bad); } .warning { color: var(--warn); }
svg text { font: 10px ui-monospace, monospace; fill: var(--dim); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .waiting { fill: var(--pale); } svg .served { fill: var(--blue); }
svg .ppr { fill: none; stroke: var(--bad); stroke-width: 1.5; }
"""


class TableCell(NamedTuple):
    """A cell of a table with the name of its look."""

    text: str
    look: str = ""


def words(text: object, most: int = LONGEST) -> str:
    """Return a text on one line, escaped, and what was left out of a long one said."""
    return escape(visible(_cut(f"{text}", most)))


def block(text: str) -> str:
    """Return a text in lines as it stands."""
    return f"<pre>{escape(printed(_cut(text, LONGEST_BLOCK)))}</pre>\n"


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]} [{len(text) - most:,} letters more are left out]"


def number(value: int) -> TableCell:
    """Return a number at the right edge of its cell."""
    return TableCell(f"{value:,}", "n")


def paragraph(text: str) -> str:
    """Return a remark of ours."""
    return f'<p class="dim">{words(text)}</p>\n'


def left_out(shown: int, total: int, what: str) -> Iterator[str]:
    """Say that only the last of many are shown, if it is so."""
    if shown < total:
        yield paragraph(
            f"The last {shown:,} of {total:,} {what}; the others are left out."
        )


def section(name: str, title: str) -> str:
    """Return the heading of a section that can be gone to."""
    return f'<h2 id="{name}">{words(title)}</h2>\n'


def table(
    heads: Sequence[str], rows: Iterable[Sequence[TableCell | str]]
) -> Iterator[str]:
    """Yield a table, row by row."""
    top = "".join(f"<th>{words(head)}</th>" for head in heads)
    yield f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>\n'
    for row in rows:
        yield f"<tr>{''.join(map(_cell, row))}</tr>\n"
    yield "</tbody></table></div>\n"


def _cell(cell: TableCell | str) -> str:
    text, look = cell if isinstance(cell, TableCell) else (cell, "")
    return f"<td{f' class={look}' if look else ''}>{words(text)}</td>"


def begin(title: str) -> str:
    """Return what comes before the body: the policy and the style."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        f"form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )


END: Final = "</body>\n</html>\n"
