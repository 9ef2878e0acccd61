"""When checkpoints are taken, and which are given up again.

They make going back fast and change nothing that anyone sees: so the clock of the host
may say when one is due, and a ceiling how much they hold.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from lapis_engine.replay import capture
from lapis_sessions.timeline.branches import Kept
from lapis_sessions.timeline.holdings import Holdings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.capture import Checkpoint
    from lapis_sessions.timeline.branches import Branch, Spot

DEFAULT_CEILING = 512 << 20
"""Bytes that the checkpoints of all branches may hold."""
MOST = 1000
"""Checkpoints of all branches."""
APART = 0.3
"""Seconds between two checkpoints while the machine runs, if they are cheap enough."""
LIVE, BACK = 30, 4
"""How many times as long as a checkpoint takes the machine runs at least before the
next one: while it runs, and on a way back, where the next one is soon wanted."""
SOONEST = 0.02
"""Seconds between two checkpoints on a way back, at least."""


class Keeper:
    """Takes checkpoints of one machine."""

    def __init__(self, machine: Machine, branches: Mapping[str, Branch]) -> None:
        """Begin; nothing is taken yet. `branches` are all that there are, by name."""
        self._machine = machine
        self._branches = branches
        self.ceiling = DEFAULT_CEILING
        self._cost = 0.0
        self._last = perf_counter()
        self._latest: Checkpoint | None = None
        self.pinned: set[Spot] = set()
        """Where a checkpoint is never given up."""
        self.is_sparse = False
        """Whether a way back is to cost no more than running does."""
        self._holdings = Holdings()

    @property
    def held(self) -> int:
        """Bytes that the checkpoints of all branches hold, shared ones once."""
        return self._holdings.bytes

    @property
    def count(self) -> int:
        """Checkpoints of all branches."""
        return len(self._holdings)

    def start(self) -> None:
        """Begin to measure: what went before was not the machine running."""
        self._last = perf_counter()

    def is_due(self, *, back: bool = False) -> bool:
        """Tell whether it is time for the next one."""
        if not back:
            least = max(self._cost * LIVE, APART)
        else:
            least = max(self._cost * (LIVE if self.is_sparse else BACK), SOONEST)
        return perf_counter() - self._last >= least

    def keep(self, branch: Branch, spot: Spot) -> None:
        """Take a checkpoint at `spot`, where the machine is, unless there is one."""
        begun = perf_counter()
        near = branch.before(spot) if branch.kept else None
        base = near.checkpoint if near is not None else self._latest
        if near is None or near.spot != spot:
            taken = self._latest = capture.take(self._machine, base)
            branch.keep(Kept(spot, taken))
            self._holdings.add(taken)
            self.thin()
        self._last = perf_counter()
        if base is not None:  # the first one costs more than any other
            self._cost = self._last - begun

    def thin(self) -> None:
        """Give checkpoints up until those that are left are within the ceiling."""
        while self.held > self.ceiling or self.count > MOST:
            spare = self._spare()
            if spare is None:
                return
            self.drop(spare)

    def drop(self, spare: Checkpoint) -> None:
        """Give a checkpoint up, on every branch that it lies on."""
        for branch in self._branches.values():
            branch.kept[:] = [k for k in branch.kept if k.checkpoint is not spare]
        self._holdings.remove(spare)

    def forget(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Count no more what lies on no branch any longer."""
        lying = {
            id(kept.checkpoint)
            for branch in self._branches.values()
            for kept in branch.kept
        }
        for checkpoint in checkpoints:
            if id(checkpoint) not in lying:
                self._holdings.remove(checkpoint)

    def _spare(self) -> Checkpoint | None:
        """Return the checkpoint that is missed least: the gap is small, or long ago.

        The beginning of a branch is never one, nor its last, nor a named one.
        """
        weights: dict[int, float] = {}
        found: dict[int, Checkpoint] = {}
        kept_by_all = set()
        for branch in self._branches.values():
            kept = branch.kept
            end = kept[-1].spot.at.retired
            kept_by_all |= {id(kept[0].checkpoint), id(kept[-1].checkpoint)}
            for index in range(1, len(kept) - 1):
                spot, checkpoint = kept[index]
                if spot in self.pinned:
                    kept_by_all.add(id(checkpoint))
                gap = kept[index + 1].spot.at.retired - kept[index - 1].spot.at.retired
                weight = gap / (end - spot.at.retired + 1)
                before = weights.get(id(checkpoint), 0.0)
                weights[id(checkpoint)] = max(weight, before)
                found[id(checkpoint)] = checkpoint
        free = [(weight, key) for key, weight in weights.items()]
        free = [each for each in free if each[1] not in kept_by_all]
        return found[min(free)[1]] if free else None
