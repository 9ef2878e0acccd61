"""On which line of a TOML text each key stands, which `tomllib` does not tell.

A statement of TOML begins on a line of its own and ends with one, and no part of it
that lacks its last line is TOML. So the lines of one are found by reading, and nothing
of the language is known here.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Name = tuple[str, ...]
"""A key with the tables that it is in."""
LONGEST: Final = 100
"""Lines of a statement; where one has more the lines behind it are not told."""
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def places(text: str) -> dict[Name, int]:
    r"""Return the line, from 1, on which each key of a TOML text begins.

    >>> places("a = 1\n[b]\nc.d = [\n 1]\n")
    {('a',): 1, ('b',): 2, ('b', 'c'): 3, ('b', 'c', 'd'): 3}
    """
    out: dict[Name, int] = {}
    table: Name = ()
    # A text in a TOML has more that Python takes for the end of a line.
    rows = [f"{row}\n" for row in text.split("\n")]
    for line, found, is_table in _statements(rows):
        names = [*_names(found)]
        if is_table:
            table = names[-1]
        for name in names:
            out.setdefault(name if is_table else (*table, *name), line)
    return out


def fault(text: str, error: tomllib.TOMLDecodeError) -> tuple[int, str]:
    """Return the line of an error of `tomllib`, and what it says without it."""
    said = str(error)
    place = _PLACE.search(said)
    if place is None:
        return 1, said
    last = text.removesuffix("\n").count("\n") + 1
    return int(place[1]) if place[1] else last, said[: place.start()]


def _statements(rows: list[str]) -> Iterator[tuple[int, Mapping[str, Any], bool]]:
    """Yield each statement with its line, and whether it is the head of a table."""
    at = 0
    while at < len(rows):
        for end in range(at + 1, min(at + LONGEST, len(rows)) + 1):
            try:
                found = tomllib.loads("".join(rows[at:end]))
            except (ValueError, RecursionError):
                continue
            yield at + 1, found, rows[at].lstrip().startswith("[")
            at = end
            break
        else:
            return


def _names(found: Mapping[str, Any], above: Name = ()) -> Iterator[Name]:
    for key, value in found.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _names(value, (*above, key))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from _names(value[0], (*above, key))
