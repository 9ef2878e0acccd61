"""`lapis bench gdb`: what a step takes in gdb, on Lapis and on QEMU by turns.

The same gdb does the same script with either: the same ROM from its reset on, with two
vCPUs, over a socket in the file system. What is measured is all that the user waits
for, within gdb and around `stepi` alone.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import TYPE_CHECKING, Final

from lapis_sessions.text.visible import json_text
from lapis_tui import output
from lapis_tui.bench.figure import where
from lapis_tui.bench.gdb_steps import (
    GDB,
    KINDS,
    Kind,
    Lost,
    TargetError,
    lapis,
    measured,
    qemu,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_tui.bench.gdb_steps import Target

TIMES = 3
"""Rounds of alternation."""
MOST_MS: Final = 5.0
"""Target: the slowest of twenty steps on Lapis takes no longer."""
LEAST_RATIO: Final = 10.0
"""Target: how much longer a step takes on QEMU."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long steps of one kind take on Lapis beside QEMU; times are in ms."""

    name: str
    unit: str
    steps: int
    """That were measured on Lapis."""
    p50: float | None
    p95: float | None
    problem: str | None
    """Why there is nothing of Lapis, in a sentence."""
    peer: str
    peer_steps: int
    peer_p50: float | None
    peer_p95: float | None
    peer_problem: str | None
    ratio: float | None
    """How much longer the median step takes on the peer; at least so much longer where
    it did not return."""
    ratio_p95: float | None
    goal: str
    met: bool | None
    """None where one of the two could not be measured."""


class Taken:
    """What one target's steps took, by kind."""

    def __init__(self, target: Target) -> None:
        """Begin with nothing."""
        self.target = target
        self.seconds: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
        self.lost: dict[Kind, Lost] = {}
        self.problem: str | None = None

    def measure(self, kind: Kind) -> None:
        """Do a round, unless one before did not work."""
        if self.problem is not None or kind in self.lost:
            return
        try:
            found = measured(self.target, kind)
        except TargetError as error:
            self.problem = str(error)
            return
        if isinstance(found, Lost):
            self.lost[kind] = found
        else:
            self.seconds[kind] += found

    def why_not(self, kind: Kind) -> str | None:
        """Return why there is nothing of a kind, or None."""
        lost = self.lost.get(kind)
        return lost.text if lost is not None else self.problem

    def ms(self, kind: Kind) -> tuple[float | None, float | None]:
        """Return the median and the 95th of a hundred, in ms."""
        taken = self.seconds[kind]
        if self.why_not(kind) is not None or len(taken) < 2:
            return None, None
        cuts = quantiles(taken, n=100, method="inclusive")
        return 1e3 * cuts[49], 1e3 * cuts[94]


def latency(kind: Kind, ours: Taken, theirs: Taken) -> Latency:
    """Compare steps of one kind."""
    p50, p95 = ours.ms(kind)
    peer_p50, peer_p95 = theirs.ms(kind)
    lost = theirs.lost.get(kind)
    if lost is not None:  # it took so long at least
        peer_p50 = peer_p95 = 1e3 * lost.seconds
    ratio = peer_p50 / p50 if peer_p50 and p50 else None
    ratio_p95 = peer_p95 / p95 if peer_p95 and p95 else None
    met = None
    if p95 is not None and ratio is not None:
        met = p95 <= MOST_MS and ratio >= LEAST_RATIO
    return Latency(
        kind.name, "ms", len(ours.seconds[kind]), p50, p95, ours.why_not(kind),
        theirs.target.name, len(theirs.seconds[kind]),
        peer_p50, peer_p95, theirs.why_not(kind), ratio, ratio_p95,
        f"p95 <= {MOST_MS:g} ms, {LEAST_RATIO:g} times faster", met,
    )  # fmt: skip


def line(row: Latency) -> str:
    """Return a line for one kind."""
    verdict = "" if row.met is None else "; met" if row.met else "; MISSED"
    ours = _told(row.p50, row.p95, row.problem)
    theirs = _told(row.peer_p50, row.peer_p95, None)
    if row.peer_problem is not None:
        theirs = row.peer_problem
    ratio = ""
    if row.ratio is not None and row.ratio_p95 is not None:
        ratio = f"; {row.ratio:,.1f} times, {row.ratio_p95:,.1f} at p95"
    return f"{row.name:40} {ours}; {row.peer}: {theirs}{ratio}; {row.goal}{verdict}"


def _told(p50: float | None, p95: float | None, problem: str | None) -> str:
    if p50 is None or p95 is None:
        return problem or "nothing was measured"
    return f"p50 {p50:.2f} ms, p95 {p95:.2f} ms"


def compare(targets: Sequence[Target]) -> list[Latency]:
    """Measure by turns; the first of the targets is Lapis."""
    ours, theirs = [Taken(target) for target in targets]
    for taken in (ours, theirs):
        program = next((p for p in (GDB, taken.target.program) if _is_missing(p)), None)
        if program is not None:
            taken.problem = f"{program} is not installed"
    for _ in range(TIMES):
        for kind in KINDS:
            ours.measure(kind)
            theirs.measure(kind)
    return [latency(kind, ours, theirs) for kind in KINDS]


def _is_missing(program: str) -> bool:
    return shutil.which(program) is None


def main(*, as_json: bool) -> bool:
    """Compare and print; tell whether no target was missed."""
    here = where()
    found = compare([lapis(), qemu()])
    if as_json:
        rows = [asdict(row) | asdict(here) for row in found]
        output.say(json_text(rows, indent=2))
    else:
        output.say("\n".join([str(here), *map(line, found)]))
    return all(row.met is not False for row in found)
