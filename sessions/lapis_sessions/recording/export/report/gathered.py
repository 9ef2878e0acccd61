"""What a report keeps of a stream of events, of which there may be any number."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from lapis_engine.events import Answered, Rebooted
from lapis_sessions.views import vectors
from lapis_sessions.views.boot import Boot

if TYPE_CHECKING:
    from lapis_engine.events import Logged
    from lapis_sessions.views.boot import Moment

EVENTS: Final = 1_000
"""Events that are shown, the last ones."""
STEPS: Final = 300
"""The same of a staircase."""
MOMENTS: Final = 200
"""Of the boot as many of the first, and of the last."""
DRAWN: Final = 16
"""vCPUs that have a staircase or a lane, the first ones."""


class Gathered:
    """What happened, as far as it is shown."""

    def __init__(self, cpus: int) -> None:
        """Begin with nothing."""
        self.last: deque[Logged] = deque(maxlen=EVENTS)
        self.kinds = Counter[str]()
        """How many there were of each kind."""
        self.settled = 0
        """Requests that were answered."""
        self.boot = Boot(cpus)
        self.first_moments: list[Moment] = []
        self.steps: list[deque[Logged]] = [
            deque(maxlen=STEPS) for _ in range(min(cpus, DRAWN))
        ]
        """Of each vCPU, the events that a staircase is made of."""
        self.steps_total = [0] * len(self.steps)

    @property
    def total(self) -> int:
        """How many events there were."""
        return self.kinds.total()

    def take(self, logged: Logged) -> None:
        """Take the next event."""
        event = logged.event
        self.last.append(logged)
        self.kinds[event.kind] += 1
        self.settled += isinstance(event, Answered) and bool(event.what)
        self.boot.take([logged])
        if not self.first_moments and len(self.boot.rows) > MOMENTS:
            self.first_moments = self.boot.rows[:MOMENTS]
        if type(event) in vectors.KINDS:
            everybody = range(len(self.steps))
            about = everybody if isinstance(event, Rebooted) else (event.vcpu,)
            for number in about:
                if number in everybody and vectors.is_about(event, number):
                    self.steps[number].append(logged)
                    self.steps_total[number] += 1

    def moments(self) -> tuple[list[Moment], list[Moment], bool]:
        """Return the first and the last moments, and whether there are some between."""
        rows = self.boot.rows
        if not self.first_moments:
            return rows, [], False
        after = self.first_moments[-1].seq
        rest = [row for row in rows if row.seq > after]
        is_cut = len(rest) > MOMENTS or rows[0].seq > after
        return self.first_moments, rest[-MOMENTS:], is_cut
