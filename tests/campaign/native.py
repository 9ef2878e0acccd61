"""Random programs of a user, on the processor of this host and on the engine's.

A case is a batch of them. Where there is no such host or no compiler nothing is tried,
and the figures say so.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rigs.native_cpu import compare, host, programs, trial
from rigs.native_cpu.engine import Bench

if TYPE_CHECKING:
    from campaign.case import Case

BATCH = 2000
KNOWN = compare.KNOWN
"""Departures of the processor underneath: the README names them."""


@cache
def bench() -> Bench:
    """The engine's processor, for all cases of this process."""
    return Bench()


@cache
def harness() -> Path:
    """The program that runs on the host, built once."""
    return host.build(Path(tempfile.mkdtemp(prefix="native")))


def one(case: Case) -> None:
    """Run a batch."""
    case.done = BATCH
    reason = host.why_not()
    if reason is not None:
        case.tally(reason, BATCH)
        return
    rng = case.rng
    has = trial.features()
    case.doing(f"{BATCH} programs with {' '.join(sorted(has))}")
    batch = [programs.program(rng, has) for _ in range(BATCH)]
    for found in trial.compare(harness(), bench(), batch):
        case.find(found.kind or "different", found.text)
    case.tally("instructions", sum(len(program.names) for program in batch))
