"""Which generators there are, and how one is run: in a process that may die.

Not here: what a generator does with a case, and the command line.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from campaign.case import Journal

if TYPE_CHECKING:
    from campaign.case import Tally

TESTS = Path(__file__).resolve().parents[1]
NO_END = 1 << 62
START = 60.0
"""Seconds in which a worker must begin."""
POLL = 0.2
"""Seconds between two looks at a worker."""
HOT = {"PYTHONHASHSEED": "0"}


class Generator(NamedTuple):
    """A row of the table."""

    module: str
    what: str
    slice: int
    """How many the suite does; all slices together take less than a minute."""
    share: int
    """Of the time of `all`."""
    patience: float = 60.0
    """Seconds in which a case that says nothing new counts as hung."""


GENERATORS = {
    "guests": Generator(
        "campaign.guests",
        "random guests, run whole, in pieces and in steps, and replayed",
        slice=10,
        share=4,
    ),
    "cuts": Generator(
        "campaign.cuts",
        "random programs by the thousand, run whole, in pieces and in steps",
        slice=100,
        share=2,
    ),
    "command_lines": Generator(
        "campaign.command_lines",
        "lines of the registry, valid, nearly valid and hostile",
        slice=200,
        share=2,
    ),
    "encodings": Generator(
        "campaign.encodings",
        "every encoding in three modes, on the processor and in emulation",
        slice=1_500,
        share=2,
    ),
    "native": Generator(
        "campaign.native",
        "programs of a user, on the processor of the host and on the engine's",
        slice=2_000,
        share=2,
    ),
    "offered": Generator(
        "campaign.offered",
        "every instruction: what CPUID offers, in each mode, and beside the host",
        slice=1_800,
        share=2,
        patience=300.0,
    ),
    "ways": Generator(
        "campaign.ways",
        "random programs, counted by blocks, by instruction, and in single steps",
        slice=50,
        share=2,
    ),
    "plain": Generator(
        "campaign.plain",
        "guests of random accesses, with and without an exit for each",
        slice=10,
        share=2,
    ),
    "determinism": Generator(
        "campaign.determinism",
        "random programs, each in two processes that share nothing of the host",
        slice=3,
        share=2,
        patience=300.0,
    ),
    "kills": Generator(
        "campaign.kills",
        "who records is killed, or his disk is full: what is left opens and replays",
        slice=12,
        share=1,
    ),
    "expressions": Generator(
        "campaign.expressions",
        "rules, conditions and numerals against an evaluator of our own",
        slice=3_000,
        share=1,
    ),
    "timeline": Generator(
        "campaign.timeline",
        "sessions driven back and forth, against machines that only go on",
        slice=450,
        share=2,
    ),
    "soak": Generator(
        "campaign.soak",
        "one session of eight vCPUs for as long as it is told, and what it grew to",
        slice=250,
        share=0,
        patience=300.0,
    ),
    "recordings": Generator(
        "campaign.recordings",
        "recordings with right checksums and hostile content: info, verify and replay",
        slice=150,
        share=2,
    ),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """How long, or how many; whichever ends first."""

    seconds: float | None = None
    count: int | None = None
    first: int = 0
    """The number of the first case."""


def run(name: str, seed: int, budget: Budget) -> dict[str, Any]:
    """Run a generator and return its result, as JSON has it."""
    begun = monotonic()
    until = float("inf") if budget.seconds is None else begun + budget.seconds
    most = NO_END if budget.count is None else budget.count
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        journal.tally.number = budget.first
        journal.save()
        while True:
            ended = _work(name, seed, folder, until, most)
            tally = journal.load()
            if ended is None:
                break
            _bury(journal, ended, Path(folder))
            tally.number, tally.cases, tally.count = (
                tally.number + 1, tally.cases + 1, tally.count + 1,
            )  # fmt: skip
            journal.save()
        journal.close()
        found, rows = journal.findings(), journal.rows()
    told = result(name, seed, tally, found, seconds=monotonic() - begun)
    return told | {"rows": rows} if rows else told


def _work(name: str, seed: int, folder: str, until: float, most: int) -> str | None:
    """Run a worker to its end; None if that was a good one."""
    row = GENERATORS[name]
    argv = [sys.executable, "-m", "campaign.worker", row.module, str(seed), folder]
    with (
        (Path(folder) / "stderr").open("wb") as said,
        subprocess.Popen(
            [*argv, str(until), str(most)],
            cwd=TESTS,
            env=os.environ | HOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        ) as worker,
    ):
        try:
            return _wait(worker, Path(folder) / "tally", row.patience)
        finally:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)


def _wait(worker: subprocess.Popen[bytes], tally: Path, patience: float) -> str | None:
    """Wait until it ends, or has said nothing for too long."""
    last, since, allowed = tally.read_bytes(), monotonic(), START
    while True:
        try:
            status = worker.wait(POLL)
        except subprocess.TimeoutExpired:
            now = tally.read_bytes()
            if now != last:
                last, since, allowed = now, monotonic(), patience
            elif monotonic() - since > allowed:
                return "hung"
            continue
        if status < 0:
            return f"died of {signal.Signals(-status).name}"
        return f"ended with {status}" if status else None


def _bury(journal: Journal, ended: str, folder: Path) -> None:
    """Make a finding of a worker that did not come to its end."""
    tally = journal.tally
    said = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    kind = tally.known if tally.known and ended != "hung" else ended
    journal.find(kind, tally.number, f"{tally.doing}\n{ended}\n{said[-1500:]}")


def result(
    name: str, seed: int, tally: Tally, found: list[dict[str, Any]], *, seconds: float
) -> dict[str, Any]:
    """Put together what came of a run."""
    reasons = getattr(importlib.import_module(GENERATORS[name].module), "KNOWN", {})
    known = {kind: reasons[kind] for kind in sorted(tally.kinds) if kind in reasons}
    return {
        "name": name,
        "seed": seed,
        "cases": tally.cases,
        "count": tally.count,
        "seconds": round(seconds, 1),
        "peak_mib": tally.peak_mib,
        "slowest": [{"what": what, "cpu_s": s} for s, what in tally.slowest],
        "figures": dict(sorted(tally.figures.items())),
        "kinds": {k: n for k, n in sorted(tally.kinds.items()) if k not in known},
        "findings": [row for row in found if row["kind"] not in known],
        "known": {
            kind: {
                "reason": reason,
                "count": tally.kinds[kind],
                "first": next(row for row in found if row["kind"] == kind),
            }
            for kind, reason in known.items()
        },
    }
