"""Numbers, sizes and addresses as people write them.

Every number of every front end goes through here, so that all refuse the same text in
the same words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lapis_engine.errors import ConfigError
from lapis_sessions.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = re.compile(r"0x[0-9a-f]+(_[0-9a-f]+)*|0b[01]+|[0-9]+(_[0-9]+)*", re.ASCII)
_HEX_SUFFIX = re.compile(r"[0-9][0-9a-f]*h", re.ASCII)
_SEGMENTED = re.compile(r"([0-9a-f]{1,4}):([0-9a-f]{1,4})", re.ASCII)
_SIZE = re.compile(r"([0-9]+)(k|m|g|)(?:i?b)?", re.ASCII)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
MOST_DIGITS = 80
"""Characters of the longest number that is read."""
SHOWN = 20
"""Of these, how many an error repeats of what is longer."""
LARGEST = (1 << 64) - 1


def number(text: str, what: str, most: int = LARGEST) -> int:
    """Read a decimal, 0x, 0b or ...h number from 0 to `most`; `what` names it.

    >>> number("0xC_4500", "icr"), number("0fh", "value"), number("08", "vector")
    (804096, 15, 8)
    """
    value = _read(text.lower())
    if value is None:
        raise CommandError(
            f"{what} {shown(text)} is not a number: write decimal (4096) or hex "
            f"(0x1000){_why(text)}"
        )
    if value > most:
        raise CommandError(f"{what} {text} is too large: {most:#x} is the most")
    return value


def shown(text: str) -> str:
    """Return what a user wrote between quotes: the beginning, when it is long.

    >>> shown("0x10"), shown("9" * 5000)
    ("'0x10'", "'99999999999999999999...' (5,000 characters)")
    """
    if len(text) <= MOST_DIGITS:
        return repr(text)
    return f"{text[:SHOWN] + '...'!r} ({len(text):,} characters)"


def _why(text: str) -> str:
    """Return what is wrong with a text that is too long, if it is."""
    return f" of at most {MOST_DIGITS} digits" if len(text) > MOST_DIGITS else ""


def _read(text: str) -> int | None:
    """Return the number that is written, None for what is none or is too long.

    Python itself refuses to read more than some thousand digits.
    """
    if len(text) > MOST_DIGITS:
        return None
    if _NUMBER.fullmatch(text):
        return int(text, 0) if text[:2] in {"0x", "0b"} else int(text)
    if _HEX_SUFFIX.fullmatch(text):
        return int(text[:-1], 16)
    return None


def address(text: str, symbols: Mapping[str, int], what: str = "address") -> int:
    """Read a linear address: a number, SEG:OFF of real mode, a symbol, or symbol+n.

    A `*` before it, as gdb wants it, is ignored.

    >>> hex(address("f000:fff0", {})), hex(address("*start+0x10", {"start": 0x1000}))
    ('0xffff0', '0x1010')
    """
    word = text.removeprefix("*")
    if word in symbols:
        return symbols[word]
    name, plus, offset = word.partition("+")
    if plus and name in symbols:
        return symbols[name] + number(offset, "offset")
    parts = _SEGMENTED.fullmatch(word.lower())
    if parts:
        return (int(parts[1], 16) << 4) + int(parts[2], 16)
    if _read(word.lower()) is None and word[:1].isalpha():
        raise CommandError(
            f"{what} {shown(text)} is neither a number nor a known symbol"
        )
    return number(word, what)


def size(text: str, what: str = "memory") -> int:
    """Read a size in bytes, or with K, M or G in their powers of 1024.

    >>> size("64M") == size("65536K") == 64 << 20
    True
    """
    parts = _SIZE.fullmatch(text.strip().lower()) if len(text) < MOST_DIGITS else None
    if parts is None:
        raise ConfigError(
            f"{what} {shown(text)} is not a size: write 64M, 65536K or 1G"
        )
    return int(parts[1]) * _UNITS[parts[2]]


def span(text: str, what: str) -> tuple[int, int]:
    """Read FIRST/SIZE, or FIRST alone, of which the size is 1; `what` names it.

    >>> span("0xfed00000/0x400", "mmio"), span("0x1b", "msr")
    ((4275044352, 1024), (27, 1))
    """
    first, slash, length = text.partition("/")
    at = number(first, what)
    return at, number(length, f"size of {what}") if slash else 1
