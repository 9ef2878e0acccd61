"""When checkpoints are taken, and which are given up again.

They make going back fast and change nothing that anyone sees: so the clock of the host
may say when one is due, and a ceiling how many there are.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from lapis_engine.checkpoint import capture, pages
from lapis_sessions.timeline.branches import Kept

if TYPE_CHECKING:
    from lapis_engine.machine import Machine
    from lapis_sessions.timeline.branches import Branch, Spot

DEFAULT_CEILING = 512 << 20
"""Bytes of pages that checkpoints may hold."""
LIVE, BACK = 50, 2
"""How many times as long as a checkpoint takes the machine runs before the next one:
while it runs, and on a way back, where the next one is soon wanted."""
SOONEST = 0.02
"""Seconds between two checkpoints, at least."""
OWN = 64 << 10
"""Bytes that a checkpoint counts beside its pages."""


class Keeper:
    """Takes checkpoints of one machine."""

    def __init__(self, machine: Machine) -> None:
        """Begin; nothing is taken yet."""
        self._machine = machine
        self.ceiling = DEFAULT_CEILING
        self._cost = 0.0
        self._last = perf_counter()
        self._latest: capture.Checkpoint | None = None
        self.pinned: set[Spot] = set()
        """Where a checkpoint is never given up."""

    def start(self) -> None:
        """Begin to measure: what went before was not the machine running."""
        self._last = perf_counter()

    def is_due(self, *, back: bool = False) -> bool:
        """Tell whether it is time for the next one."""
        patience = max(self._cost * (BACK if back else LIVE), SOONEST)
        return perf_counter() - self._last >= patience

    def keep(self, branch: Branch, spot: Spot) -> None:
        """Take a checkpoint at `spot`, where the machine is."""
        begun = perf_counter()
        near = branch.before(spot).checkpoint if branch.kept else self._latest
        taken = capture.take(self._machine, near)
        branch.keep(Kept(spot, taken))
        self._latest = taken
        self._thin(branch)
        self._last = perf_counter()
        self._cost = self._last - begun

    def _thin(self, branch: Branch) -> None:
        while len(branch.kept) > 2 and self.held(branch) > self.ceiling:
            spare = self._spare(branch)
            if spare is None:
                return
            del branch.kept[spare]

    def held(self, branch: Branch) -> int:
        """Return the bytes that the checkpoints of a branch hold."""
        found = [each.checkpoint.pages for each in branch.kept]
        pairs = zip(found[1:], found, strict=False)
        return sum(pages.changed(mine, base) + OWN for mine, base in pairs)

    def _spare(self, branch: Branch) -> int | None:
        """Return the checkpoint that is missed least: the gap is small, or long ago."""
        kept = branch.kept
        end = kept[-1].spot.at.retired
        best, least = None, 0.0
        for index in range(1, len(kept) - 1):
            if kept[index].spot in self.pinned:
                continue
            gap = kept[index + 1].spot.at.retired - kept[index - 1].spot.at.retired
            weight = gap / (end - kept[index].spot.at.retired + 1)
            if best is None or weight < least:
                best, least = index, weight
        return best
