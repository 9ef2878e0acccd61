"""What a search through memory, or a comparison of two pieces of it, came to."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET, UnsetType


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A place where the bytes are."""

    address: int
    symbol: str | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class SearchView:
    """All places, or the first of them."""

    bytes: str
    """What was looked for, in hex."""
    physical: bool
    found: tuple[FoundPlace, ...]
    searched: int
    """Bytes that were looked through."""
    ends: str | UnsetType = UNSET
    """Why it ended before all was looked through."""


@dataclass(frozen=True, slots=True)
class DifferingRun:
    """Bytes that follow each other and all differ."""

    offset: int
    first: str
    """In hex; so the next."""
    second: str


@dataclass(frozen=True, slots=True)
class CompareView:
    """How two pieces of memory differ."""

    first: int
    second: int
    size: int
    physical: bool
    differing: int
    """Bytes."""
    runs: tuple[DifferingRun, ...]
    """The first of them."""


def search_text(view: SearchView) -> str:
    """Return a line for each place."""
    rows = [
        f"{each.address:#x}{'' if each.symbol is UNSET else f'  {each.symbol}'}"
        for each in view.found
    ]
    places = f"{len(view.found)} place{'s' * (len(view.found) != 1)}"
    tail = f"{places} in {view.searched:,} bytes of memory"
    return "\n".join([*rows, tail if view.ends is UNSET else f"{tail}; {view.ends}"])


def compare_text(view: CompareView) -> str:
    """Return a line for each run of bytes that differ."""
    if not view.differing:
        return f"{view.size:,} bytes, all alike"
    rows = [
        f"{view.first + run.offset:#x}  {_bytes(run.first)}  "
        f"{view.second + run.offset:#x}  {_bytes(run.second)}"
        for run in view.runs
    ]
    more = view.differing - sum(len(run.first) // 2 for run in view.runs)
    tail = f"{view.differing:,} of {view.size:,} bytes differ"
    return "\n".join([*rows, f"{tail}, {more:,} of them not shown" if more else tail])


def _bytes(text: str) -> str:
    return bytes.fromhex(text).hex(" ")
