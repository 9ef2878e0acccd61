"""All symbols of a session: those that came with the guest, and those that were loaded.

Nothing here changes: what is loaded makes a new `Symbols`, and a picture of a session
keeps the one that it was taken with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from lapis_sessions.symbols.cfi import CallFrames, FrameRow
from lapis_sessions.symbols.lines import Lines, SourceLine
from lapis_sessions.symbols.table import Symbol, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

GUEST: Final = "guest"
"""Kind of the symbols that came with the image."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where symbols come from."""

    name: str
    """The file, or what else they were read out of."""
    kind: str
    """guest, ELF, nm or kallsyms."""
    table: Table
    lines: Lines = field(default_factory=Lines)
    offset: int = 0
    """What was added to every address."""
    frames: CallFrames = field(default_factory=CallFrames)


class Places(Mapping[int, str]):
    """Names by the linear address that they stand for exactly, and what is near."""

    def __init__(self, sources: tuple[Source, ...] = ()) -> None:
        """Look in `sources`, of which a later one goes before an earlier one."""
        self._tables = [each.table for each in reversed(sources)]
        self._lines = [each.lines for each in reversed(sources) if len(each.lines)]

    @classmethod
    def of(cls, names: Mapping[int, str]) -> Places:
        """Return the places of some names by address, for who has no source."""
        table = Table(Symbol(name, at) for at, name in names.items())
        return cls((Source("", GUEST, table),))

    def __getitem__(self, at: int) -> str:
        """Return the name of an address itself."""
        for table in self._tables:
            found = table.exact(at)
            if found is not None:
                return found
        raise KeyError(at)

    def __iter__(self) -> Iterator[int]:
        """Return every address that has a name, ascending."""
        return iter(sorted({at for table in self._tables for at in table.starts}))

    def __len__(self) -> int:
        """Return how many addresses have a name."""
        return len({at for table in self._tables for at in table.starts})

    def address(self, name: str) -> int | None:
        """Return what a name stands for, or None."""
        found = (table.by_name.get(name) for table in self._tables)
        return next((at for at in found if at is not None), None)

    def near(self, at: int) -> str:
        """Return the name of an address as `start` or `start+0x5`, or nothing."""
        best = self._nearest(at)
        if best is None:
            return ""
        return best[0] + (f"+{at - best[1]:#x}" if at > best[1] else "")

    def start(self, at: int) -> int | None:
        """Return where that begins which an address lies in, or None."""
        best = self._nearest(at)
        return None if best is None else best[1]

    def _nearest(self, at: int) -> tuple[str, int] | None:
        found = [table.find(at) for table in self._tables]
        # Of two that begin at one place the first table's.
        return max((f for f in found if f is not None), key=itemgetter(1), default=None)

    def source(self, at: int) -> SourceLine | None:
        """Return where an instruction comes from, or None."""
        for lines in self._lines:
            found = lines.source(at)
            if found is not None:
                return found
        return None

    def line(self, at: int) -> str:
        """Return the same as `file:line`, or nothing."""
        found = self.source(at)
        return "" if found is None else f"{found.file}:{found.line}"


class Symbols(Mapping[str, int]):
    """What names stand for, and by `places` the names of addresses."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        """Know `sources`, of which a later one goes before an earlier one."""
        self.sources = tuple(sources)
        self.places = Places(self.sources)
        self._tables = [each.table for each in reversed(self.sources)]

    @classmethod
    def of_guest(cls, name: str, symbols: Iterable[tuple[str, int]]) -> Symbols:
        """Return those that came with the image `name`, if any did."""
        table = Table(Symbol(label, at) for label, at in symbols)
        return cls([Source(name, GUEST, table)] if len(table) else [])

    def frame(self, at: int) -> FrameRow | None:
        """Return what is known of the frame of an instruction, or None."""
        for source in reversed(self.sources):
            found = source.frames.find(at)
            if found is not None:
                return found
        return None

    def joined(self, source: Source) -> Symbols:
        """Return these and those of `source`, instead of what had its name and kind."""
        kept = [
            each
            for each in self.sources
            if (each.name, each.kind) != (source.name, source.kind)
        ]
        return Symbols([*kept, source])

    def cleared(self) -> Symbols:
        """Return those that came with the image alone."""
        return Symbols(each for each in self.sources if each.kind == GUEST)

    def __getitem__(self, name: str) -> int:
        """Return what a name stands for."""
        for table in self._tables:
            if name in table.by_name:
                return table.by_name[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Return every name."""
        return iter(dict.fromkeys(n for table in self._tables for n in table.by_name))

    def __len__(self) -> int:
        """Return how many names there are."""
        return len({name for table in self._tables for name in table.by_name})

    def starting(self, prefix: str, most: int) -> list[str]:
        """Return at most `most` names that begin with `prefix`, by alphabet."""
        found = {n for table in self._tables for n in table.starting(prefix, most)}
        return sorted(found)[:most]

    def containing(self, text: str, most: int) -> list[Symbol]:
        """Return at most `most` symbols whose name holds `text`, by source."""
        every = (
            symbol
            for each in self.sources
            for symbol in (*each.table.symbols, *each.table.apart)
            if text in symbol.name
        )
        return list(islice(every, most))
