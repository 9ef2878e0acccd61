"""Commands that look for bytes in memory, and compare pieces of it; no device is read.

Linear memory is what the page tables map now: bytes are found across pages that follow
each other in linear memory alone. What is not mapped, or is no memory, is passed by.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import UNSET

from lapis_engine.units import MASK64
from lapis_engine.why.mappings import mappings
from lapis_sessions.commands import places
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals, typed
from lapis_sessions.views import searched
from lapis_sessions.views.searched import (
    CompareView,
    DifferingRun,
    FoundPlace,
    SearchView,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_sessions.session import Session

SLICE: Final = 1 << 20
"""Bytes that are looked through at once."""
MOST_PLACES: Final = 1000
MOST_NEEDLE: Final = 4096
MOST_COMPARED: Final = 1 << 20
MOST_RUNS: Final = 256
LONGEST_RUN: Final = 16
"""Bytes of a run that is shown; a longer one is more of them."""
_WANTED: Final = re.compile(
    r"""(?:'(?P<one>[^']*)'|"(?P<two>[^"]*)"|(?P<hex>\S+))(?P<rest>(?:\s.*)?)""",
    re.DOTALL,
)
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)", re.ASCII)


def search(session: Session, bound: Bound) -> SearchView:
    """Look for bytes, or a text."""
    needle, rest = _needle(bound.word("bytes"))
    first, size = _range(session, rest)
    last = MASK64 if size is None else first + size - 1
    physical = "physical" in bound
    near_to = session.symbols.places.near
    found: list[FoundPlace] = []
    looked, ends = 0, None
    carry, following = b"", -1
    for at, data in _slices(session, first, last, physical=physical):
        if session.pace(1) <= 0:
            ends = f"broken off at {at:#x}"
            break
        kept = carry if at == following else b""
        whole, base = kept + data, at - len(kept)
        for offset in _all(needle, whole):
            near = "" if physical else near_to(base + offset)
            found.append(FoundPlace(base + offset, near or UNSET))
            if len(found) == MOST_PLACES:
                break
        looked += len(data)
        if len(found) == MOST_PLACES:
            ends = f"{MOST_PLACES} are the most"
            break
        carry = whole[-(len(needle) - 1) :] if len(needle) > 1 else b""
        following = at + len(data)
    return SearchView(
        needle.hex(), physical, tuple(found), looked, UNSET if ends is None else ends
    )


def _needle(text: str) -> tuple[bytes, list[str]]:
    """Return what is looked for, and the words behind it."""
    parts = _WANTED.fullmatch(text.strip())
    assert parts is not None, text
    if parts["hex"] is None:
        quoted = parts["one"] if parts["one"] is not None else parts["two"]
        needle = typed.read(quoted, "search memory")
    else:
        digits = _HEX.fullmatch(parts["hex"])
        if digits is None:
            raise CommandError(
                f"search memory: bytes {numerals.shown(parts['hex'])}: two hex digits "
                "for each, as 90c3, or a text between quotes"
            )
        needle = bytes.fromhex(digits[1])
    if not 1 <= len(needle) <= MOST_NEEDLE:
        raise CommandError(f"search memory: {len(needle)} bytes: 1 to {MOST_NEEDLE}")
    return needle, parts["rest"].split()


def _range(session: Session, words: list[str]) -> tuple[int, int | None]:
    """Return the first address and the bytes from there, or None for all."""
    if len(words) > 2:
        raise CommandError(f"search memory: {words[2][:40]!r} is too much")
    numbers = [_number(session, word) for word in words]
    first = numbers[0] if numbers else 0
    size = numbers[1] if len(numbers) > 1 else None
    if size == 0:
        raise CommandError("search memory: size 0: at least 1")
    return first, size


def _number(session: Session, word: str) -> int:
    try:
        return numerals.address(word, session.symbols, "search memory: address")
    except CommandError:
        value = session.value(word)
    if not isinstance(value, int) or not 0 <= value <= numerals.LARGEST:
        raise CommandError(f"search memory: {word} comes to no address")
    return int(value)


def _all(needle: bytes, data: bytes) -> Iterator[int]:
    at = data.find(needle)
    while at >= 0:
        yield at
        at = data.find(needle, at + 1)


def _slices(
    session: Session, first: int, last: int, *, physical: bool
) -> Iterator[tuple[int, bytes]]:
    """Yield memory from `first` to `last`, ascending, in slices: address and bytes."""
    memory = session.machine.vm.memory
    for at, end, gpa in _spans(session, physical=physical):
        low, high = max(at, first), min(end, last)
        for start in range(low, high + 1, SLICE):
            some = min(SLICE, high + 1 - start)
            yield start, memory.peek(gpa + start - at, some)


def _spans(session: Session, *, physical: bool) -> Iterable[tuple[int, int, int]]:
    """Return first and last address of each piece of memory, and where it lies."""
    machine = session.machine
    regions = sorted((r.gpa, r.end - 1) for r in machine.vm.memory.regions)
    view = mappings(machine, session.selected)
    if physical or not view.paging:
        return [(first, last, first) for first, last in regions]
    return [
        (run.first + low - run.physical, run.first + high - run.physical, low)
        for run in view.runs
        for first, last in regions
        if (low := max(first, run.physical))
        <= (high := min(last, run.physical + run.last - run.first))
    ]


def compare(session: Session, bound: Bound) -> CompareView:
    """Compare two pieces of memory, or one with what it is at another point."""
    first, second = bound.number("first"), bound.number("second")
    physical = "physical" in bound
    if "at" in bound:
        if "size" in bound:
            raise CommandError("compare: with --at it is FIRST SIZE, and no SECOND")
        second, size = first, second
    elif "size" not in bound:
        raise CommandError("compare needs SIZE, or --at POINT")
    else:
        size = bound.number("size")
    if not 1 <= size <= MOST_COMPARED:
        raise CommandError(f"compare: {size} bytes: 1 to {MOST_COMPARED}")
    one = _piece(session, first, size, physical=physical)
    if "at" in bound:
        other = _then(session, bound.word("at"), first, size, physical=physical)
    else:
        other = _piece(session, second, size, physical=physical)
    differing = [n for n in range(size) if one[n] != other[n]] if one != other else []
    runs: list[list[int]] = []
    for n in differing:
        if runs and runs[-1][-1] + 1 == n and len(runs[-1]) < LONGEST_RUN:
            runs[-1].append(n)
        elif len(runs) == MOST_RUNS:
            break
        else:
            runs.append([n])
    shown = tuple(
        DifferingRun(
            run[0], one[run[0] : run[-1] + 1].hex(), other[run[0] : run[-1] + 1].hex()
        )
        for run in runs
    )
    return CompareView(first, second, size, physical, len(differing), shown)


def _piece(session: Session, at: int, size: int, *, physical: bool) -> bytes:
    if physical:
        return session.machine.read_physical(at, size)
    return session.machine.read_memory(session.selected, at, size)


def _then(session: Session, point: str, at: int, size: int, *, physical: bool) -> bytes:
    """Return what memory is at another point of the history; the machine comes back."""
    timeline = session.timeline
    branch, spot = timeline.branch.name, timeline.spot
    try:
        places.goto(session, Bound({"where": point}))
        return _piece(session, at, size, physical=physical)
    finally:
        timeline.go(spot, branch)


PHYSICAL: Final = Argument("physical", "flag", option=True)
COMMANDS = (
    Command(
        "search memory",
        "look for BYTES, as 90c3, or a text between quotes, in all memory that the "
        "selected vCPU maps or, --physical, in RAM and ROM: BYTES FROM SIZE looks "
        "through a part; no device is touched",
        "read-only", search, searched.search_text,
        (Argument("bytes", "expression", required=True), PHYSICAL), ("search",),
    ),
    Command(
        "compare",
        "show which of SIZE bytes at FIRST and at SECOND differ; FIRST SIZE --at POINT "
        "compares them with what is there at another point, named as for goto",
        "time-moving", compare, searched.compare_text,
        (
            Argument("first", "address", required=True),
            Argument("second", "address", required=True),
            Argument("size", "value"), PHYSICAL, Argument("at", "word", option=True),
        ),
    ),
)  # fmt: skip
