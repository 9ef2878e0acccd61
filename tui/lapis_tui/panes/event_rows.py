"""The rows of the events pane: what has happened as the filter and folding leave it.

A filter looks at each event once, and so does folding; both do a part of it a frame, so
that 65,536 events hold up nobody.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from lapis_engine.machine.log import KEPT
from lapis_sessions.views.folding import Folds
from lapis_tui.blocks.event_filter import EVERYTHING
from lapis_tui.past import SPARE, Past

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.events import Logged
    from lapis_tui.blocks.event_filter import EventFilter
    from lapis_tui.view import View

SIFTED: Final = 1_000
"""Events that the filter looks at in one frame."""
FOLDED: Final = 500
"""Events that are folded in one frame; each takes about four microseconds."""
MOST_LATER: Final = 4_000
"""Events ahead that a filter looks at."""


class EventRows:
    """Rows of what has happened, and behind them those of what is known to come."""

    def __init__(self) -> None:
        """Begin with all events, each in its row."""
        self.filter = EVERYTHING
        self.folds: Folds | None = None
        """What folds; None where nothing is folded."""
        self._past: Sequence[Logged] = Past()
        self._found: list[Logged] = []
        """Those of the past that the filter shows, as far as it has looked."""
        self._looked = 0
        """Number of the event that the filter looks at next."""
        self._generation = 0
        self._shown: Sequence[Logged] = self._past
        self._later: Sequence[Logged] = ()
        """Those ahead that the filter shows."""
        self._later_of: object = None

    def only(self, wanted: EventFilter) -> None:
        """Show what `wanted` says, and nothing else."""
        self.filter = wanted
        self._begin()

    def fold(self, *, on: bool) -> None:
        """Fold what repeats, or show each event in its row."""
        self.folds = Folds() if on else None

    def _begin(self) -> None:
        self._found, self._looked, self._later_of = [], 0, None
        self.fold(on=self.folds is not None)

    def sift(self, view: View) -> bool:
        """Take a part of what has come; tell whether there is more to take."""
        if self._generation != view.events.generation:
            self._generation = view.events.generation
            self._begin()
        self._past = view.events
        is_more = False
        if self.filter is EVERYTHING:
            self._later = view.ahead
        else:
            is_more = self._look(view)
        self._shown = source = self._source
        if self.folds is not None:
            at = bisect_left(source, self.folds.next_seq, key=_seq)
            self.folds.take(source[at : at + FOLDED])
            is_more |= at + FOLDED < len(source)
            self._shown = self.folds.shown(source)
        return is_more

    def _look(self, view: View) -> bool:
        """Let the filter look at a part of the events; tell whether there are more."""
        at = view.events.index_of(self._looked)
        some = view.events[at : at + SIFTED]
        self._found += [each for each in some if self.filter(each)]
        if some:
            self._looked = some[-1].seq + 1
        if len(self._found) > KEPT + SPARE:
            del self._found[:-KEPT]
        if self._later_of is not view.ahead:
            self._later_of = view.ahead
            self._later = [e for e in view.ahead[:MOST_LATER] if self.filter(e)]
        return at + SIFTED < len(view.events)

    @property
    def _source(self) -> Sequence[Logged]:
        return self._past if self.filter is EVERYTHING else self._found

    def toggle(self, seq: int) -> bool:
        """Open what event `seq` is folded into, or close it; tell whether it is."""
        if self.folds is None or not self.folds.toggle(seq):
            return False
        self._shown = self.folds.shown(self._source)
        return True

    def times(self, logged: Logged) -> int:
        """Return how many events stand in the row of one."""
        return 1 if self.folds is None else self.folds.times(logged.seq)

    def is_open(self, logged: Logged) -> bool:
        """Tell whether an event is the first of a group that was opened."""
        folds = self.folds
        is_first = folds is not None and folds.begin_of(logged.seq) == logged.seq
        return folds is not None and is_first and folds.is_open(logged.seq)

    @property
    def everything(self) -> tuple[Logged, ...]:
        """All rows, in their order."""
        return (*self._shown, *self._later)

    def __len__(self) -> int:
        return len(self._shown) + len(self._later)

    def at(self, index: int) -> Logged | None:
        """Return the event of a row, or None where there is none."""
        shown = self._shown
        if 0 <= index < len(shown):
            return shown[index]
        index -= len(shown)
        return self._later[index] if 0 <= index < len(self._later) else None

    def index(self, seq: int) -> int:
        """Return the row of the last event up to number `seq`."""
        shown, later = self._shown, self._later
        index = bisect_right(shown, seq, key=_seq)
        if index == len(shown):
            index += bisect_right(later, seq, key=_seq)
        return max(index - 1, 0)

    def is_at(self, row: int, seq: int) -> bool:
        """Tell whether `index(seq)` is `row`, without a search: each row asks it."""
        here, after = self.at(row), self.at(row + 1)
        is_there = row == 0 or (here is not None and here.seq <= seq)
        return is_there and (after is None or after.seq > seq)


def _seq(logged: Logged) -> int:
    return logged.seq
