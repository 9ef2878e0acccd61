"""A line of another debugger's in our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.spellings.spelling import MOST
from lapis_sessions.spellings.table import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Collection


def translated(line: str, names: Collection[str]) -> str:
    """Return `line` in our words: as it is, unless it is a spelling of the table.

    What begins with one of `names`, our commands, is as it is too, but where the table
    says that it goes before them.

    >>> translated("x /20i $pc", ()), translated("events 3", ())
    ('x/20i $pc', 'events 3')
    """
    if len(line) > MOST:
        return line
    stripped = line.strip()
    words = stripped.split(maxsplit=2)
    is_ours = bool(words) and (words[0] in names or " ".join(words[:2]) in names)
    for each in SPELLINGS:
        if each.is_over or not is_ours:
            found = each.put(stripped)
            if found is not None:
                return found
    return line
