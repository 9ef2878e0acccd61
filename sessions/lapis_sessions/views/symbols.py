"""Symbols: where they come from, and those of a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.symbols.book import Places, Source
    from lapis_sessions.symbols.table import Symbol


@dataclass(frozen=True, slots=True)
class SourceView:
    """A file of symbols, or what else they come from."""

    name: str
    kind: str
    """guest, ELF, nm or kallsyms."""
    symbols: int
    lines: int
    """Rows of its line table."""
    first: int
    last: int
    """Of the addresses that have a name, 0 where none has."""
    offset: int
    """What was added to every address."""


@dataclass(frozen=True, slots=True)
class SymbolView:
    """A name."""

    name: str
    address: int
    size: int | UnsetType = UNSET
    """Bytes, where somebody says."""
    source: str | UnsetType = UNSET
    """`file:line` of what is there, where a line table has it."""


def source(of: Source) -> SourceView:
    """Return where symbols come from."""
    starts = of.table.starts
    return SourceView(
        name=of.name,
        kind=of.kind,
        symbols=len(of.table),
        lines=len(of.lines),
        first=starts[0] if starts else 0,
        last=starts[-1] if starts else 0,
        offset=of.offset,
    )


def symbol(of: Symbol, places: Places) -> SymbolView:
    """Return a symbol."""
    line = places.line(of.at)
    return SymbolView(of.name, of.at, of.size or UNSET, line or UNSET)


def sources_text(rows: Sequence[SourceView]) -> str:
    """Return where symbols come from, one source on a line."""
    return "\n".join(map(_source_text, rows)) or "no symbols"


def _source_text(row: SourceView) -> str:
    lines = f", {row.lines:,} lines" if row.lines else ""
    moved = f", moved by {row.offset:#x}" if row.offset else ""
    return (
        f"{row.kind:<8}  {row.symbols:>7,} symbols{lines}  "
        f"{row.first:#x} - {row.last:#x}{moved}  {row.name}"
    )


def found_text(rows: Sequence[SymbolView]) -> str:
    """Return symbols, one on a line."""
    return "\n".join(map(_found_text, rows)) or "no symbols"


def _found_text(row: SymbolView) -> str:
    size = "" if row.size is UNSET else f"  {row.size:,} bytes"
    line = "" if row.source is UNSET else f"  {row.source}"
    return f"{row.address:>16x} {row.name}{size}{line}"
