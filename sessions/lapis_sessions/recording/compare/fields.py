"""Two machines, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.errors import UnmappedError
from lapis_engine.replay.digest import AT_RESET, Digester, telling
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_engine.machine.machine import Machine

MEMORY = "memory "
WORD = 8
"""Bytes of memory shown together."""


class Different(NamedTuple):
    """A field that differs."""

    field: str
    a: str
    b: str


def different(a: Mapping[str, str], b: Mapping[str, str]) -> list[Different]:
    """Return the fields that differ, registers first and memory last."""
    names = [name for name in a.keys() | b.keys() if a.get(name) != b.get(name)]
    return [
        Different(name, a.get(name, AT_RESET), b.get(name, AT_RESET))
        for name in sorted(names, key=telling)
    ]


def compare(a: Machine, b: Machine) -> tuple[list[Different], tuple[str, str]]:
    """Return the fields that differ, and the digest of each machine.

    Memory differs by the word: of each page the first words that do are shown.
    """
    one, other = Digester(a), Digester(b)
    digests = one.digest(), other.digest()
    if digests[0] == digests[1]:
        return [], digests
    found: list[Different] = []
    for row in different(one.fields(), other.fields()):
        if row.field.startswith(MEMORY):
            gpa = int(row.field.removeprefix(MEMORY), 16)
            found += words(gpa, page(a, gpa), page(b, gpa))
        else:
            found.append(row)
    return found, digests


MOST_WORDS = 8
"""Words shown of one page."""


def words(gpa: int, one: bytes, other: bytes) -> list[Different]:
    """Return the words in which two pages at `gpa` differ; none has no bytes."""
    if not one or not other:
        sizes = (f"{len(each)} bytes" if each else AT_RESET for each in (one, other))
        return [Different(f"{MEMORY}{gpa:#x}", *sizes)]
    rows = list(_moved(gpa, one, other))
    if len(rows) > MOST_WORDS:
        more = len(rows) - MOST_WORDS
        where = f"{MEMORY}{gpa:#x} to {gpa + PAGE - 1:#x}"
        rows = [*rows[:MOST_WORDS], Different(where, f"{more} words more", "differ")]
    return rows


def _moved(gpa: int, one: bytes, other: bytes) -> Iterator[Different]:
    for at in range(0, PAGE, WORD):
        mine, its = one[at : at + WORD], other[at : at + WORD]
        if mine != its:
            yield Different(f"{MEMORY}{gpa + at:#x}", mine.hex(" "), its.hex(" "))


def page(machine: Machine, gpa: int) -> bytes:
    """Return a page of memory, without bytes where nothing is mapped."""
    try:
        return machine.read_physical(gpa, PAGE)
    except UnmappedError:
        return b""
