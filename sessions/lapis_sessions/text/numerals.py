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
LARGEST = (1 << 64) - 1


def number(text: str, what: str, most: int = LARGEST) -> int:
    """Read a decimal, 0x, 0b or ...h number from 0 to `most`; `what` names it.

    >>> number("0xC_4500", "icr"), number("0fh", "value"), number("08", "vector")
    (804096, 15, 8)
    """
    value = _read(text.lower()) if len(text) <= MOST_DIGITS else None
    if value is None:
        shown = text if len(text) <= MOST_DIGITS else f"{text[:20]}..."
        raise CommandError(
            f"{what} {shown!r} is not a number: write decimal (4096) or hex (0x1000)"
        )
    if value > most:
        raise CommandError(f"{what} {text} is too large: {most:#x} is the most")
    return value


def _read(text: str) -> int | None:
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
        raise CommandError(f"{what} {text!r} is neither a number nor a known symbol")
    return number(word, what)


def size(text: str, what: str = "memory") -> int:
    """Read a size in bytes, or with K, M or G in their powers of 1024.

    >>> size("64M") == size("65536K") == 64 << 20
    True
    """
    parts = _SIZE.fullmatch(text.strip().lower()) if len(text) < MOST_DIGITS else None
    if parts is None:
        raise ConfigError(
            f"{what} {text[:40]!r} is not a size: write 64M, 65536K or 1G"
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
