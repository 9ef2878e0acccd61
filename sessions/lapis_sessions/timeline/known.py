"""What is known to happen: the events of each branch, also those yet to come.

A machine that is put back forgets what came after, and it stays true: the same acts
lead to the same events. So before a machine is put back its log is looked through for
what is not known yet. A fork shares what went before it with the branch that it left;
nothing is kept twice, and while nobody goes back nothing is kept here at all.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain
from typing import TYPE_CHECKING

from lapis_engine.machine.log import KEPT
from lapis_engine.replay.entries import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_engine.events import Logged
    from lapis_engine.machine.log import EventLog
    from lapis_sessions.timeline.branches import Branch

MOST_OF_ALL = 4
"""How many times the events of a branch there may be on all of them."""


class Known:
    """The known events of all branches. At most `KEPT` of each, and there may be gaps.

    What a branch itself adds is under its name: what lies before its fork is its
    parent's.
    """

    def __init__(self, log: EventLog, branches: Mapping[str, Branch]) -> None:
        """Know nothing. `branches` are all that there are, by name."""
        self._log, self._branches = log, branches
        self._own: dict[str, list[Logged]] = {}
        """By branch, ascending; the branch that was added to last comes last."""
        self._wrong = False
        """Whether the log may hold what did not happen on the branch."""

    @property
    def count(self) -> int:
        """Events that are kept here."""
        return sum(map(len, self._own.values()))

    def distrust(self) -> None:
        """Take over nothing of what the log holds now: it has diverged."""
        self._wrong = True

    def keep(self, branch: Branch, end: int, goal: int) -> None:
        """Take over what the log holds of `branch`, before it is put back.

        Args:
            branch: Where the machine is.
            end: Number of the event that would come next there.
            goal: The same of where it goes. Of too many events those stay that come
                first after it.
        """
        if not self._wrong:
            for each, begin in self._line(branch):
                first = max(begin, self._log.first_seq)
                if first < end:
                    self._merge(each.name, first, end, goal)
                end = min(end, begin)
            self._limit(branch)
        self._wrong = False

    def ahead(self, branch: Branch, seq: int) -> tuple[Logged, ...]:
        """Return the events of a branch from number `seq` on, oldest first."""
        pieces, end = [], NEVER
        for each, begin in self._line(branch):
            own = self._own.get(each.name, [])
            first, last = (bisect_left(own, at, key=_seq) for at in (seq, end))
            pieces.append(own[first:last])
            end = min(end, begin)
            if begin <= seq:
                break
        return tuple(chain.from_iterable(reversed(pieces)))

    def forget(self, gone: Branch) -> None:
        """Know nothing of a branch that is given up but what its forks share of it."""
        own = self._own.pop(gone.name, [])
        for each in self._branches.values():
            if each.parent == gone.name and each.fork is not None:
                shared = own[: bisect_left(own, each.fork.at.seq, key=_seq)]
                if shared:
                    both = shared + self._own.get(each.name, [])
                    self._own[each.name] = both[-KEPT:]

    def _line(self, branch: Branch) -> Iterator[tuple[Branch, int]]:
        """Yield a branch, its parent and so on, and the first event that is its own."""
        each: Branch | None = branch
        while each is not None:
            begin = each.fork.at.seq if each.fork is not None else 0
            yield each, begin
            each = self._branches.get(each.parent) if begin else None

    def _merge(self, name: str, begin: int, end: int, goal: int) -> None:
        own = self._own.setdefault(name, [])
        left, right = (bisect_left(own, seq, key=_seq) for seq in (begin, end))
        known = right - left
        if known == end - begin:
            return
        if known and own[right - 1].seq == begin + known - 1:
            left, begin = right, begin + known  # what is new comes after them
        own[left:right] = self._log.between(begin, end)
        excess = len(own) - KEPT
        if excess > 0:
            before = min(bisect_left(own, goal, key=_seq), excess)
            del own[before + KEPT :]
            del own[:before]
        self._own[name] = self._own.pop(name)

    def _limit(self, present: Branch) -> None:
        """Give up what was added to longest ago, but not of the `present` branch."""
        wanted = {branch.name for branch, _ in self._line(present)}
        spare = [name for name in self._own if name not in wanted]
        while spare and self.count > MOST_OF_ALL * KEPT:
            del self._own[spare.pop(0)]


def _seq(logged: Logged) -> int:
    return logged.seq
