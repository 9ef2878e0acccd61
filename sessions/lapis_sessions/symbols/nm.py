"""Symbols as `nm` lists them, which `System.map` and `/proc/kallsyms` do, too.

A line is an address, with `nm -S` a size, a letter for the kind, and the name. Source:
nm(1) of GNU binutils; the kernel's scripts/mksysmap.
"""

from __future__ import annotations

import re
from typing import Final

from lapis_sessions.errors import SymbolsError
from lapis_sessions.symbols.kernel import apart
from lapis_sessions.symbols.limits import MOST_NAME, MOST_REACH, MOST_SYMBOLS
from lapis_sessions.symbols.table import Symbol, Table

_LINE: Final = re.compile(
    r"^([0-9a-fA-F]{8,16})(?: ([0-9a-fA-F]{8,16}))? ([A-Za-z?-]) (\S+)"
    r"(?:[ \t]+\[\S+\])?[ \t]*$",
    re.ASCII | re.MULTILINE,
)
_UNDEFINED: Final = re.compile(r"^ +[UwWvV] \S.*$", re.ASCII | re.MULTILINE)
_FIRST: Final = re.compile(rb"\s*(?:[0-9a-fA-F]{8,16}| {8,16}) ")
ABSOLUTE: Final = "aA"
"""Kinds of what is a number, and no place."""


def is_nm(data: bytes) -> bool:
    """Tell whether a file begins as `nm` writes."""
    return _FIRST.match(data) is not None


def read(data: bytes, offset: int = 0) -> Table:
    """Return the symbols, `offset` added to each place; raise `SymbolsError`."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    rows = _LINE.findall(text)
    if len(rows) > MOST_SYMBOLS:
        raise SymbolsError(f"it has {len(rows)} symbols; {MOST_SYMBOLS} is the most")
    skipped = len(_UNDEFINED.findall(text))
    if len(rows) + skipped < sum(map(bool, map(str.strip, text.split("\n")))):
        raise SymbolsError(_damaged(text))
    if not rows:
        raise SymbolsError("it has no symbols")
    found = [
        (name[:MOST_NAME], int(at, 16), int(size or "0", 16), kind)
        for at, size, kind, name in rows
    ]
    if len(found) > 1 and not any(at for _, at, _, _ in found):
        raise SymbolsError(
            "every address in it is 0: the system hid them (kernel.kptr_restrict)"
        )
    numbers = {Symbol(*row[:3]) for row in found if row[3] in ABSOLUTE}
    places, numbers_too = apart([Symbol(*row[:3]) for row in found], numbers, offset)
    return Table(places, numbers_too, MOST_REACH)


def _damaged(text: str) -> str:
    """Say which line is none of nm's."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not _LINE.match(line) and not _UNDEFINED.match(line):
            return f"line {number} is none of nm's: {line[:60]!r}"
    return "some of its lines are none of nm's"
