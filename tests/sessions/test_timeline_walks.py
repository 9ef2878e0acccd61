"""Going back and forth and doing things meanwhile, against what only ever went forward.

What is held is said in `rigs.walks`; here a walk is one of Hypothesis, which makes it
short when it fails. `python -m campaign timeline` goes on for as long as it is told.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from rigs import deeds, walks

from lapis_sessions.origin import SessionOptions

STEPS, PARTS = 20_000, 16
WALKS, LONG, EACH = 10, 42, 3
"""Walks of a part, what Hypothesis draws in each, and steps for a draw."""
DONE: Counter[int] = Counter()
"""Steps by part."""
LUCK = st.integers(0, 0xFFFF_FFFF)


class Walks(RuleBasedStateMachine):
    """One walk."""

    part = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.walk: walks.Walk

    @initialize(luck=LUCK)
    def begin(self, luck: int) -> None:
        self.walk = walks.Walk(walks.options(Random(luck)), luck, self.folder)

    def do(self, luck: int, *kinds: str) -> None:
        """Do a few of these things."""
        rng = Random(luck)
        for _ in range(EACH):
            DONE[self.part] += 1
            self.walk.do(rng.choice(kinds), rng)

    @rule(luck=LUCK)
    def moves(self, luck: int) -> None:
        self.do(luck, "run", "step", "run_to", "select", "follow", "next_event")

    @rule(luck=LUCK)
    def answers(self, luck: int) -> None:
        self.do(luck, "answer", "discard", "rule", "trap")

    @rule(luck=LUCK)
    def injects(self, luck: int) -> None:
        self.do(luck, "ipi", "nmi", "line", "interfere", "kernemu", "state")

    @rule(luck=LUCK)
    def stops_and_turns(self, luck: int) -> None:
        self.do(luck, "break", "catch", "schedule", "look")

    @rule(luck=LUCK)
    def goes_back(self, luck: int) -> None:
        self.do(luck, *sorted(deeds.BACK))

    @rule(luck=LUCK)
    def keeps(self, luck: int) -> None:
        self.do(luck, *("name", "record") * 4, "close and replay")

    @rule(luck=LUCK)
    def goes_along(self, luck: int) -> None:
        self.do(luck, "goto", "play", "play", "next_event", "fork")

    @rule(luck=LUCK)
    def goes_on(self, luck: int) -> None:
        self.do(luck, "run", "step", "follow")

    def teardown(self) -> None:
        self.walk.session.close()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_walk_is_what_only_going_forward_comes_to(part: int) -> None:
    machine = type("Part", (Walks,), {"part": part})
    run_state_machine_as_test(
        seed(part)(machine),
        settings=settings(
            max_examples=WALKS + 1,  # the first is the shortest that there is
            stateful_step_count=LONG,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_fork_at_a_beginning_that_lies_within_a_run(tmp_path: Path) -> None:
    """The shadow of a walk goes through what was given up, to where that was cut."""
    walk = walks.Walk(SessionOptions("ap-bringup", cpus=2, memory="1M"), 0, tmp_path)
    timeline = walk.session.timeline
    timeline.most, timeline.slice = 8, 3
    timeline.keeper.is_due = lambda **_: True  # type: ignore[method-assign]
    for count in range(4):
        walk.say("schedule", f"quantum {900 + count}")
    walk.say("run", "run 40")
    walk.say("step", "step 10")
    for count in range(3):
        walk.say("schedule", f"quantum {910 + count}")
    assert timeline.given_up == 5
    assert timeline.branch.entries[0].moves
    walk.say("goto", "goto start")
    assert 40 < timeline.spot.at.retired < 50
    walk.say("nmi", "nmi 0")
    assert timeline.branch.name == "branch-1"
    walk.say("run", "run 10")


def test_a_way_to_a_moment_comes_to_its_end(tmp_path: Path) -> None:
    """Case 173 of the campaign: an entry that ends before what it is told to end at."""
    rng = Random(1 << 64 | 173)
    walk = walks.Walk(walks.options(rng), rng.getrandbits(32), tmp_path)
    for _ in range(150):
        walks.step(walk, rng)
    assert any("us" in line or "ns" in line for line in walk.lines)
    walk.session.close()


def test_so_many_steps_were_done() -> None:
    """What is told of the suite is true; a part that was not run is not counted."""
    # A part may be a walk short: Hypothesis drops one that draws too much.
    assert sum(DONE.values()) * PARTS >= STEPS * len(DONE), DONE
