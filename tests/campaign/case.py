"""One case of a generator, and the journal that outlives the process it runs in."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

SLOWEST = 5
KEPT = 20
"""Findings of one kind that are kept in full; all are counted."""
LONGEST = 4000
"""Characters of a finding."""


@dataclass(slots=True)
class Tally:
    """What a run of cases has come to so far."""

    beats: int = 0
    """How often it was saved, which tells that somebody is alive."""
    number: int = 0
    """The case under way, or the one that comes next."""
    cases: int = 0
    count: int = 0
    """Things tried; a case may hold many."""
    slowest: list[tuple[float, str]] = field(default_factory=list)
    """(seconds of CPU, what), longest first."""
    peak_mib: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    """Findings by kind."""
    doing: str = ""
    known: str = ""
    """The kind of a death that is expected now."""

    def timed(self, what: str, seconds: float) -> None:
        """Keep it if it is among the slowest."""
        if len(self.slowest) == SLOWEST and seconds <= self.slowest[-1][0]:
            return
        self.slowest.append((round(seconds, 4), what[:200]))
        self.slowest = sorted(self.slowest, reverse=True)[:SLOWEST]


class Journal:
    """Files in a folder: the tally, overwritten; and findings and rows, appended."""

    def __init__(self, folder: Path) -> None:
        self.tally = Tally()
        self._found = folder / "found"
        self._rows = folder / "rows"
        self._at = os.open(folder / "tally", os.O_RDWR | os.O_CREAT, 0o600)

    def save(self) -> None:
        """Write the tally down; one system call, so that a kill leaves it whole."""
        self.tally.beats += 1
        fields = {name: getattr(self.tally, name) for name in Tally.__slots__}
        data = json.dumps(fields).encode()
        os.pwrite(self._at, len(data).to_bytes(4, "little") + data, 0)

    def load(self) -> Tally:
        """Read what was written last, perhaps by another process."""
        size = int.from_bytes(os.pread(self._at, 4, 0), "little")
        if size:
            fields: dict[str, Any] = json.loads(os.pread(self._at, size, 4))
            fields |= {name: Counter(fields[name]) for name in ("figures", "kinds")}
            fields["slowest"] = [(seconds, what) for seconds, what in fields["slowest"]]
            self.tally = Tally(**fields)
        return self.tally

    def find(self, kind: str, number: int, text: str) -> None:
        """Keep a finding."""
        self.tally.kinds[kind] += 1
        if self.tally.kinds[kind] <= KEPT:
            row = {"kind": kind, "number": number, "text": text[-LONGEST:]}
            _append(self._found, row)
        self.save()

    def row(self, row: dict[str, Any]) -> None:
        """Keep a row of a table."""
        _append(self._rows, row)

    def findings(self) -> list[dict[str, Any]]:
        """Return what was found, in order."""
        return sorted(
            _rows_of(self._found),
            key=lambda row: (row["kind"], row["number"], row["text"]),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return the table, as it came."""
        return _rows_of(self._rows)

    def close(self) -> None:
        """Close the tally's file."""
        os.close(self._at)


def _append(file: Path, row: dict[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")


def _rows_of(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return list(map(json.loads, file.read_text(encoding="utf-8").splitlines()))


@dataclass(slots=True)
class Case:
    """What a generator is called with."""

    seed: int
    number: int
    folder: Path
    """Empty, and removed after the case."""
    journal: Journal
    done: int = 1
    """How many things this case tries; the generator says so."""

    @property
    def rng(self) -> Random:
        """A new generator of random numbers, the same for the same case."""
        return Random(self.seed << 64 | self.number)

    def find(self, kind: str, text: str) -> None:
        """Tell what is wrong: a few words that sort it, and what rebuilds it."""
        self.journal.find(kind, self.number, text)

    def doing(self, text: str, known: str = "") -> None:
        """Note what is tried, in case it kills the process; `known`: as it should."""
        self.journal.tally.doing, self.journal.tally.known = text[:LONGEST], known
        self.journal.save()

    def tally(self, name: str, many: int = 1) -> None:
        """Count something for the result."""
        self.journal.tally.figures[name] += many

    def row(self, row: dict[str, Any]) -> None:
        """Add a row to the table of the result."""
        self.journal.row(row)

    def timed(self, what: str, seconds: float) -> None:
        """Put a part of the case among the slowest, if it is."""
        self.journal.tally.timed(f"#{self.number} {what}", seconds)
