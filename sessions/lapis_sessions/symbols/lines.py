"""Source lines by address: runs of rows, each searched by halves."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final, NamedTuple

UNKNOWN: Final = 0
"""Line of code that comes from none."""


class Run(NamedTuple):
    """Rows that ascend without a gap."""

    start: int
    end: int
    """First address beyond it."""
    first: int
    last: int
    """Its rows: from the one and before the other."""


class SourceLine(NamedTuple):
    """A line of a source file."""

    file: str
    line: int


class Lines:
    """Which line of which file an instruction comes from."""

    def __init__(self) -> None:
        """Start with none."""
        self.files: list[str] = ["?"]
        """Paths; the first stands for one that has none."""
        self.addresses = array("Q")
        self.file_of = array("I")
        self.line_of = array("I")
        self.runs: list[Run] = []
        self._starts = array("Q")

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.addresses)

    def sort(self) -> None:
        """Make what was added ready to be searched."""
        self.runs.sort()
        self._starts = array("Q", (each.start for each in self.runs))

    def find(self, at: int) -> str | None:
        """Return `file:line` of an address."""
        found = self.source(at)
        return None if found is None else f"{found.file}:{found.line}"

    def source(self, at: int) -> SourceLine | None:
        """Return the line that an address comes from."""
        i = bisect_right(self._starts, at) - 1
        if i < 0 or at >= self.runs[i].end:
            return None
        _, _, first, last = self.runs[i]
        row = bisect_right(self.addresses, at, first, last) - 1
        line = self.line_of[row]
        if line == UNKNOWN:
            return None
        return SourceLine(self.files[self.file_of[row]], line)
