"""The tour: what a new user is shown of `ap-bringup`, one thing after the other.

A step is over when the machine and the screen are as its key makes them, whatever way
they came to be so: nothing listens to keys, and nothing is done for the user.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_tui.bindings import KEYS, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_sessions.views.snapshot import Snapshot
    from lapis_tui.bindings import Key
    from lapis_tui.view import View

GUEST: Final = "ap-bringup"
"""The guest that the tour is of."""
OFFER: Final = "new here? F2 or :tour shows the main things in two minutes"


def has_tour(now: Snapshot) -> bool:
    """Tell whether a session is one that the tour is of."""
    is_new = not now.history.read_only
    return now.guest == GUEST and len(now.vcpus) > 1 and is_new


@dataclass(frozen=True, slots=True)
class Stage:
    """What a step can be told by."""

    view: View
    layout: str
    """The layout that is shown."""
    opened: str | None
    """The box that was opened last over the panes, by its name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing."""

    text: str
    keys: str
    """What to press, as written for people."""
    is_done: Callable[[Stage], bool]


def _all_halted(stage: Stage) -> bool:
    return all(vcpu.state == "halted" for vcpu in stage.view.now.vcpus)


_STEPS: Final = (
    Step("There are two processors: vCPU 0 begins, vCPU 1 waits to be started. A step "
         "is one instruction of one of them, with all others frozen.", "{step}",
         lambda stage: stage.view.now.vcpus[0].retired > 0),
    Step("Number keys show layouts. This one has a lane for each processor, and what "
         "it has gone through.", "{layout-boot}", lambda stage: stage.layout == "boot"),
    Step("Now run until something stops the machine: vCPU 0 sends INIT and SIPI, and "
         "vCPU 1 comes up.", "{continue}",
         lambda stage: stage.view.now.vcpus[1].retired > 0),
    Step("The guest reads a device that only you can answer for. Give it a value: it "
         "goes into its register.", "{answer}, then 0x1234 and Enter",
         lambda stage: not stage.view.now.pending),
    Step("Your answer was taken, and nothing else was done yet. Go on to the end: the "
         "guest prints what it read.", "{continue}", _all_halted),
    Step("Nothing is lost. Go back to the beginning: every pane shows what was then.",
         "{beginning}", lambda stage: stage.view.now.ahead is not None),
    Step("In the past, {continue} goes along what was done, your answer too, from stop "
         "to stop. Go on to where it ends.", "{continue}, or {end}",
         lambda stage: stage.view.now.ahead is None),
    Step("This layout is the life of each vector: accepted, in service, ended, and "
         "what holds it back. {event-back} and {event-on} go from event to event.",
         "{layout-priority}",
         lambda stage: stage.layout == "priority"),
    Step("Interrupts can be sent by hand: a form builds one and says what would become "
         "of it. Esc leaves it.", "{inject}", lambda stage: stage.opened == "inject"),
    Step("Help begins with the pane in focus. {palette} finds everything by its name, "
         "{command} types a command.", "{help}", lambda stage: stage.opened == "help"),
    Step("That was the tour. {quit} quits; `lapis scenarios` lists what there is to be "
         "learned, and `lapis replay NAME` shows it here.", "{tour-leave}",
         lambda _scene: False),
)  # fmt: skip
"""In their order; the last one is left by a key only. Keys are in braces, by ids."""


def steps(table: Sequence[Key]) -> tuple[Step, ...]:
    """Return the steps with the keys that a table has for them."""
    shown = {key.id: key_of(table, key.id) for key in table}
    return tuple(
        replace(step, text=step.text.format(**shown), keys=step.keys.format(**shown))
        for step in _STEPS
    )


STEPS: Final = steps(KEYS)
"""Those of the keys that are the default."""


class Tour:
    """How far a user has come."""

    def __init__(self, table: Sequence[Key]) -> None:
        """Begin, with these keys."""
        self.number = 0
        self._steps = steps(table)
        self._skip = key_of(table, "tour")
        self._leave = key_of(table, "tour-leave")

    @property
    def step(self) -> Step:
        """What is to be done now."""
        return self._steps[self.number]

    @property
    def title(self) -> str:
        """The step by its number, what to press, and how to get away."""
        last = len(STEPS) - 1
        if self.number == last:
            return f"tour: the end, press {self.step.keys}"
        here = f"tour {self.number + 1} of {last}"
        ways = f"{self._skip} skips, {self._leave} leaves"
        return f"{here}: press {self.step.keys}   ({ways})"

    def see(self, stage: Stage) -> None:
        """Go on past what is done."""
        while self.step.is_done(stage):
            self.number += 1

    def skip(self) -> None:
        """Go on though it is not done."""
        self.number = min(self.number + 1, len(STEPS) - 1)
