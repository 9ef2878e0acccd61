"""Text as Markdown: what stands in code, in sentences, and in tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MEANT: Final = re.compile(r"([\\*_\[\]>#|])")
_TICKS: Final = re.compile(r"``(.+?)``|`([^`]+)`")
_RUN: Final = re.compile("`+")


def code(text: str) -> str:
    r"""Return text as code within a line, in a table as well.

    >>> print(code("a|b"), code("`x`"))
    `a\|b` `` `x` ``
    """
    plain = " ".join(text.split()).replace("|", "\\|")
    ticks = "`" * (max((len(run) for run in _RUN.findall(plain)), default=0) + 1)
    room = " " if "`" in plain else ""
    return f"{ticks}{room}{plain}{room}{ticks}" if plain else ""


def prose(text: str) -> str:
    r"""Return sentences in one line: what is in backquotes is code, the rest is text.

    >>> print(prose("see `a|b` for x|y and [z]"))
    see `a\|b` for x\|y and \[z\]
    """
    out, at = [], 0
    flat = " ".join(text.split())
    for found in _TICKS.finditer(flat):
        out += [escaped(flat[at : found.start()]), code(found[1] or found[2])]
        at = found.end()
    return "".join([*out, escaped(flat[at:])])


def escaped(text: str) -> str:
    r"""Return text that means itself.

    >>> print(escaped("a_b <c> `d`"))
    a\_b &lt;c\> \`d\`
    """
    plain = _MEANT.sub(r"\\\1", text.replace("&", "&amp;")).replace("`", "\\`")
    return plain.replace("<", "&lt;")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already; nothing if it has no row."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    if not body:
        return ""
    head = f"| {' | '.join(heads)} |\n| {' | '.join('---' for _ in heads)} |"
    return "\n".join([head, *body, ""])


def block(text: str, language: str = "text") -> str:
    """Return a fenced block."""
    return f"```{language}\n{text.strip()}\n```\n"


def joined(parts: Iterable[str]) -> str:
    """Return the parts of a page, an empty line between two."""
    return "\n".join(
        part if part.endswith("\n") else f"{part}\n" for part in parts if part
    )
