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
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from rigs import deeds, walks

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

LONG, PARTS = 125, 16
STEPS = 20_000
DONE: Counter[int] = Counter()
"""Steps by part."""


def some(kinds: tuple[str, ...]) -> SearchStrategy[tuple[str, int]]:
    """A kind of thing to do, and the luck with it."""
    return st.tuples(st.sampled_from(kinds), st.integers(0, 0xFFFF))


class Walks(RuleBasedStateMachine):
    """One walk."""

    part = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.walk: walks.Walk

    @initialize(seed=st.integers(0, 0xFFFF))
    def begin(self, seed: int) -> None:
        self.walk = walks.Walk(
            walks.options(Random(seed + (self.part << 16))), seed, self.folder
        )

    def do(self, chosen: tuple[str, int]) -> None:
        DONE[self.part] += 1
        kind, luck = chosen
        self.walk.do(kind, Random(luck))

    @rule(chosen=some(("run", "step", "run_to", "select", "follow")))
    def moves(self, chosen: tuple[str, int]) -> None:
        self.do(chosen)

    @rule(chosen=some(("answer", "discard", "rule", "trap")))
    def answers(self, chosen: tuple[str, int]) -> None:
        self.do(chosen)

    @rule(chosen=some(("ipi", "nmi", "line", "interfere", "kernemu", "state")))
    def injects(self, chosen: tuple[str, int]) -> None:
        self.do(chosen)

    @rule(chosen=some(("break", "catch", "schedule", "look")))
    def stops_and_turns(self, chosen: tuple[str, int]) -> None:
        self.do(chosen)

    @rule(chosen=some(tuple(sorted(deeds.BACK))))
    def goes_back(self, chosen: tuple[str, int]) -> None:
        self.do(chosen)

    @rule(
        chosen=some(("name", "name", "record", "record", "record", "close and replay"))
    )
    def keeps(self, chosen: tuple[str, int]) -> None:
        self.do(chosen)

    def teardown(self) -> None:
        self.walk.session.close()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_walk_is_what_only_going_forward_comes_to(part: int) -> None:
    machine = type("Part", (Walks,), {"part": part})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=STEPS // PARTS // LONG,
            stateful_step_count=LONG,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_so_many_steps_were_done() -> None:
    """What is told of the suite is true; a part that was not run is not counted."""
    done = [DONE[part] for part in range(PARTS) if DONE[part]]
    assert all(steps >= STEPS // PARTS * 0.95 for steps in done), DONE
