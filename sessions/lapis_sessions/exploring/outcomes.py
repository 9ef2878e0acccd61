"""What runs came to: which of them came to the same, and what that was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from lapis_sessions.scope import scope

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.machine.stop import Stop


@dataclass(frozen=True, slots=True)
class Observed:
    """What the guest, and its user, would notice of a run; no moment in time."""

    stop: str
    """Why it ended: halted, exit, suspended, fault, budget, or until."""
    text: str
    """The same in words; nothing for a budget."""
    states: tuple[str, ...]
    """Of the vCPUs."""
    waiting: tuple[str, ...]
    """Requests that wait for an answer."""
    lints: tuple[str, ...]
    """Names of those that found something."""
    console: str
    """What the guest printed."""
    met: bool
    """Whether it is what was looked for."""

    @property
    def digest(self) -> str:
        """Name of the outcome: 8 hex digits."""
        text = json.dumps(asdict(self), sort_keys=True)
        return blake2b(text.encode(), digest_size=4).hexdigest()


def outcome(machine: Machine, stop: Stop | None, *, met: bool) -> Observed:
    """Describe what a machine has come to; `stop` is None when the goal ended it."""
    reason, text = (stop.reason, stop.text) if stop is not None else ("until", "")
    return Observed(
        reason,
        "" if reason == "budget" else text,
        tuple(machine.vcpu_state(vcpu.id) for vcpu in machine.vcpus),
        tuple(_request(request) for request in machine.pending()),
        tuple(scope.lints(machine)),
        scope.console(machine),
        met,
    )


def _request(request: PendingRequest) -> str:
    verb = "read" if request.read else "write"
    return f"vCPU {request.vcpu}: {request.kind} {verb} {request.address:#x}"


@dataclass(frozen=True, slots=True)
class Result:
    """One run, and what it came to."""

    number: int
    seed: int
    outcome: Observed
    disturbances: tuple[str, ...]
    """What was done to IPIs, in words."""
    turns: int
    switches: int
    retired: int

    @property
    def rank(self) -> tuple[int, int]:
        """How far it lies from a run that anyone would call ordinary."""
        return len(self.disturbances), self.number


@dataclass(slots=True)
class Group:
    """The runs that came to the same."""

    outcome: Observed
    best: Result
    """The first of those with the fewest disturbances; its recording is kept."""
    count: int = 0
    undisturbed: int = 0
    """Runs among them whose IPIs were left alone."""
    first: int = 0
    """Number of the first."""
    file: str = ""
    """Recording of the best."""


class Outcomes:
    """The distinct outcomes so far, in the order in which they were found."""

    def __init__(self) -> None:
        """Know none."""
        self.groups: dict[str, Group] = {}
        self.runs = 0

    def add(self, result: Result) -> Group | None:
        """Count a run; return its group when it is the best of it so far."""
        self.runs += 1
        key = result.outcome.digest
        group = self.groups.get(key)
        is_best = group is None or result.rank < group.best.rank
        if group is None:
            group = Group(result.outcome, result, first=result.number)
            self.groups[key] = group
        group.count += 1
        group.undisturbed += not result.disturbances
        if is_best:
            group.best = result
        return group if is_best else None

    @property
    def met(self) -> Group | None:
        """The first group that is what was looked for."""
        return next((g for g in self.groups.values() if g.outcome.met), None)
