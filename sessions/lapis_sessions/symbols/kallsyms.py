"""The symbols of a running Linux, out of its own memory.

The kernel keeps its table of symbols compressed: a name is a row of bytes, each of
which stands for a token of the token table. That table is found by what must be in it:
each digit is a token of its own, ten in a row. Next to it are the other tables, and
each proves the others: the index must have the places of all tokens, the markers those
of every 256th name, the names must end where the markers begin. The addresses are as
the kernel relocated them, so it does not matter where it was loaded at random.

Source: the kernel's scripts/kallsyms.c and kernel/kallsyms.c, of versions 4.20 to 6.3
(addresses before the names) and from 6.4 on (after the tokens).
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lapis_sessions.errors import SymbolsError
from lapis_sessions.symbols.limits import MOST_NAME, MOST_REACH, MOST_SYMBOLS
from lapis_sessions.symbols.table import TOP, Symbol, Table

Read = Callable[[int, int], bytes]
"""Returns up to so many bytes of memory at a physical address, fewer where it ends."""
Runs = Iterable[tuple[int, int]]
"""Address and size of memory that may hold more than zeros."""

DIGITS: Final = re.compile(b"\0".join(b"%d" % digit for digit in range(10)) + b"\0")
TOKENS: Final = 256
MOST_TOKEN: Final = 64
"""Bytes of a token."""
PIECE: Final = 1 << 20
OVERLAP: Final = 64
TABLE: Final = TOKENS * MOST_TOKEN
EVERY: Final = 256
"""Names from one marker to the next."""
FARTHEST: Final = EVERY * (MOST_NAME + 2)
"""Bytes from one marker to the next at most."""
BIG: Final = 0x80
"""A length from here on has a second byte."""
WORDS: Final = (8, 4)
"""Bytes of an address, to which the tables are aligned as well."""
LEAST: Final = {8: 0xFFFF_8000_0000_0000, 4: 0x1000_0000}
"""Address from which a kernel may be on, by the size of a word."""
ABSENT: Final = (
    "no kallsyms table was found in the guest's memory: it is no Linux from 4.20 on, "
    "was built without CONFIG_KALLSYMS, or has not unpacked itself yet"
)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The token table and the index of it."""

    at: int
    texts: tuple[bytes, ...]
    end: int
    """First address beyond the index."""


@dataclass(frozen=True, slots=True)
class _Names:
    """The names, still compressed, and what is before and behind them."""

    count: int
    count_at: int
    """Where the number of symbols is, a word before the names."""
    rows: tuple[bytes, ...]


def find(read: Read, runs: Runs) -> Table:
    """Return the symbols of the kernel in this memory; raise `SymbolsError`."""
    for at in _candidates(read, runs):
        for word in WORDS:
            tokens = _tokens(read, at, word)
            names = None if tokens is None else _names(read, tokens, word)
            if tokens is None or names is None:
                continue
            places = _addresses(read, names, tokens, word)
            if places is not None:
                return _table(tokens, names, places)
    raise SymbolsError(ABSENT)


def _candidates(read: Read, runs: Runs) -> Iterator[int]:
    """Yield where the ten digits are one after the other."""
    for first, size in runs:
        for at in range(first, first + size, PIECE):
            data = read(at, min(PIECE + OVERLAP, first + size - at))
            for found in DIGITS.finditer(data):
                if found.start() < PIECE:
                    yield at + found.start()


def _tokens(read: Read, digit: int, word: int) -> _Tokens | None:
    """Return the table that has the token "0" at `digit`, if the index agrees."""
    start = max(digit - TABLE, 0)
    ahead = digit - start
    data = read(start, ahead + TABLE + 2 * TOKENS + word)
    end = ahead
    for _ in range(ord("0"), TOKENS):
        end = data.find(b"\0", end) + 1
        if not end:
            return None
    index_at = -(-(start + end) // word) * word - start
    if index_at + 2 * TOKENS > len(data):
        return None
    index = struct.unpack_from(f"<{TOKENS}H", data, index_at)
    first = ahead - index[ord("0")]
    if first < 0 or index[0]:
        return None
    texts = data[first:end].split(b"\0")[:-1]
    at = 0
    for text, where in zip(texts, index, strict=False):
        if where != at:
            return None
        at += len(text) + 1
    if len(texts) != TOKENS:
        return None
    return _Tokens(start + first, tuple(texts), start + index_at + 2 * TOKENS)


def _names(read: Read, tokens: _Tokens, word: int) -> _Names | None:
    """Return the names that end before the markers before the tokens."""
    most = (3 + 1) * MOST_SYMBOLS
    start = max(tokens.at - most, 0)
    start += (tokens.at - start) % word
    numbers = array("I", read(start, tokens.at - start))
    for at, markers in _markers(numbers, word // 4):
        found = _counted(read, start + 4 * at, markers, word)
        if found is not None:
            return found
    return None


def _markers(numbers: array[int], align: int) -> Iterator[tuple[int, array[int]]]:
    """Yield where markers may be, and them: numbers that ascend from 0.

    They are the last ones, or there are three bytes for each symbol after them: their
    order by name, from 6.2 on. `align` is how many numbers a word has.
    """
    at = len(numbers) - 1 if not numbers or numbers[-1] else len(numbers) - 2
    end = at + 1
    while at > 0 and 0 < numbers[at] > numbers[at - 1]:
        at -= 1
    if end - at > 1 and numbers[at] == 0:
        yield at, numbers[at:end]
    for gap in range(align, len(numbers), align):
        fewest, most = 4 * (gap - align) // 3 + 1, 4 * gap // 3
        for count in {-(-fewest // EVERY), -(-most // EVERY)}:
            at = len(numbers) - gap - -(-count // align) * align
            if at < 0:
                return
            if count > 1 and numbers[at] == 0 and 0 < numbers[at + 1] < FARTHEST:
                found = numbers[at : at + count]
                if all(one < two for one, two in pairwise(found)):
                    yield at, found


def _counted(read: Read, end: int, markers: array[int], word: int) -> _Names | None:
    """Return the names before `end`, which begin behind a number that fits them.

    The last marker says where 256 of them at most begin, of two bytes at least.
    """
    low, high = EVERY * (len(markers) - 1), EVERY * len(markers)
    latest = end - markers[-1]
    earliest = max(latest - FARTHEST - word, word)
    data = read(earliest - word, end - earliest + word)
    for at in range(latest // word * word, earliest - 1, -word):
        (count,) = struct.unpack_from("<I", data, at - earliest)
        if low < count <= high:
            rows = _rows(data[at - earliest + word :], count, markers, word)
            if rows is not None:
                return _Names(count, at - word, rows)
    return None


def _rows(
    data: bytes, count: int, markers: array[int], word: int
) -> tuple[bytes, ...] | None:
    """Return the names in all of `data`, or None if they are not what it holds."""
    at, rows = 0, []
    for number in range(count):
        if not number % EVERY and markers[number // EVERY] != at:
            return None
        if at + 1 >= len(data):
            return None
        size = data[at]
        at += 1
        if size >= BIG:
            size = size & 0x7F | data[at] << 7
            at += 1
        if not size:
            return None
        rows.append(data[at : at + size])
        at += size
    return tuple(rows) if at <= len(data) < at + word else None


def _addresses(
    read: Read, names: _Names, tokens: _Tokens, word: int
) -> list[tuple[int, bool]] | None:
    """Return for each symbol its address, and whether it is one."""
    size = -(-4 * names.count // word) * word
    before = names.count_at - word - size
    after = -(-tokens.end // word) * word
    for at in (before, after):
        if at < 0:
            continue
        data = read(at, size + word)
        if len(data) < size + word:
            continue
        base = int.from_bytes(data[size:], "little")
        if base >= LEAST[word]:
            offsets = struct.unpack_from(f"<{names.count}i", data)
            found = _placed(offsets, base)
            if found is not None:
                return found
    return None


def _placed(offsets: tuple[int, ...], base: int) -> list[tuple[int, bool]] | None:
    """Return addresses, which ascend; None if they do not.

    With CONFIG_KALLSYMS_ABSOLUTE_PERCPU what is not negative is a number that has no
    place, and the others count down from the base less one.
    """
    if 2 * sum(each < 0 for each in offsets) > len(offsets):
        found = [
            (each, False) if each >= 0 else (base - 1 - each, True) for each in offsets
        ]
    else:
        found = [(base + (each & 0xFFFF_FFFF), True) for each in offsets]
    places = [at for at, is_place in found if is_place]
    ascend = all(one <= two for one, two in pairwise(places))
    return found if ascend and places and places[-1] <= TOP else None


def _table(tokens: _Tokens, names: _Names, places: list[tuple[int, bool]]) -> Table:
    texts = tokens.texts
    found: tuple[list[Symbol], list[Symbol]] = [], []
    for row, (at, is_place) in zip(names.rows, places, strict=True):
        # The first letter is the kind, as nm writes it.
        name = b"".join([texts[byte] for byte in row])[1 : MOST_NAME + 1]
        if name:
            found[not is_place].append(Symbol(name.decode("utf-8", "replace"), at))
    return Table(*found, MOST_REACH)
