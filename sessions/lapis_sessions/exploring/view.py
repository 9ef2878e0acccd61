"""Explorations, and schedules that were shrunk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.machine.acts import Act
from lapis_sessions.exploring.plan import Turn
from lapis_sessions.plain import FLAT
from lapis_sessions.text.amounts import amount

if TYPE_CHECKING:
    from lapis_sessions.exploring.goals import Goal
    from lapis_sessions.exploring.outcomes import Group, Observed, Outcomes
    from lapis_sessions.exploring.plan import Step
    from lapis_sessions.exploring.reduction import Reduction
    from lapis_sessions.exploring.shrinking import Score
    from lapis_sessions.exploring.systematic import Coverage
    from lapis_sessions.exploring.work import Job
    from lapis_sessions.recording.play.named import Named

MOST_CONSOLE: Final = 60
"""Characters of what a guest printed that are shown."""
End = Literal["goal", "schedules", "budget", "signal"]
"""Why an exploration did no more runs: what was looked for came about, all that were
asked for are done, the time was up, or somebody broke it off."""

ShrinkEnd = Literal["complete", "tries", "budget", "signal"]
"""Why no more was tried: nothing was left to try, or as above."""
ENDED: Final[dict[ShrinkEnd, str]] = {
    "tries": "the tries are used up",
    "budget": "the budget is used up",
    "signal": "broken off",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """When an exploration was to end."""

    schedules: int
    """Runs at most."""
    budget: float | None = None
    """Seconds at most."""
    never: bool = False
    """What is looked for must not come about."""
    go_on: bool = False
    """All runs are done even when it has."""


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """An outcome, and the runs that came to it."""

    outcome: str
    """Its name: 8 hex digits."""
    came_to: Observed = field(metadata=FLAT)
    count: int
    undisturbed: int
    first: int
    run: int
    """The run that is recorded; so the next ones."""
    seed: int
    disturbances: tuple[str, ...]
    turns: int
    switches: int
    retired: int
    file: str


@dataclass(frozen=True, slots=True)
class SchedulesView:
    """Schedules with so many preemptions."""

    preemptions: int
    done: int
    left: int
    """Known, and not run; those that leave them are not known."""


@dataclass(frozen=True, slots=True)
class CoverageView:
    """What was searched of all schedules with at most so many preemptions."""

    bound: int
    complete: bool
    """Whether there is no other such schedule."""
    schedules: tuple[SchedulesView, ...]
    places: int
    """Where a preemption may come, over all schedules that were run."""
    idle: int
    """Those of them, so far, at which no other vCPU could go on."""
    known: int
    """Schedules that came to a state that was searched from before: those that leave
    them are left out."""
    cut: int
    """Schedules that were not run to their end, for the limit."""
    shared: int
    """Bytes of memory that vCPUs share: a preemption comes before each access."""
    rounds: int
    """How often it was begun anew, as more memory was found to be shared."""


@dataclass(frozen=True, slots=True)
class ExploredView:
    """An exploration."""

    guest: str
    cpus: int
    profile: str
    seed: int
    schedules: int
    """Runs that were asked for."""
    runs: int
    """Those that were done: the first so many."""
    budget: float | None
    """Seconds that it might take."""
    ended_by: End
    until: str
    """What was looked for, or nothing."""
    never: bool
    """Whether that must not come about."""
    found: int | None
    """The first run that came to it."""
    coverage: CoverageView | None
    """None of an exploration at random."""
    outcomes: tuple[OutcomeView, ...]


@dataclass(frozen=True, slots=True)
class ScoreView:
    """How long a schedule is."""

    switches: int
    acts: int
    turns: int
    instructions: int


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn, and the instruction that its vCPU stands before at its end."""

    vcpu: int
    count: int
    before: str


@dataclass(frozen=True, slots=True)
class OtherStepView:
    """Something else that is done."""

    act: str


@dataclass(frozen=True, slots=True)
class ShrunkView:
    """What became of a schedule."""

    file: str
    from_: str
    until: str
    before: ScoreView
    after: ScoreView
    tries: int
    complete: bool
    """Whether nothing more could be taken away."""
    ended_by: ShrinkEnd
    steps: tuple[TurnView | OtherStepView, ...]


def explored(
    job: Job,
    goal: Goal,
    found: Outcomes,
    terms: Terms,
    *,
    broken_off: bool,
    coverage: Coverage | None = None,
) -> ExploredView:
    """Return what an exploration came to; `broken_off` tells of a signal.

    One that was systematic has its coverage.
    """
    met, options = found.met, job.origin.options
    return ExploredView(
        guest=job.origin.image.name,
        cpus=options.cpus,
        profile=options.profile,
        seed=job.seed,
        schedules=terms.schedules,
        runs=found.runs,
        budget=terms.budget,
        ended_by=_end(terms, found, broken_off=broken_off),
        until=goal.text,
        never=terms.never,
        found=None if met is None else met.first,
        coverage=None if coverage is None else _coverage(coverage),
        outcomes=tuple(map(_outcome, found.groups.values())),
    )


def _coverage(it: Coverage) -> CoverageView:
    rows = zip(it.done, it.left, strict=True)
    return CoverageView(
        bound=it.bound,
        complete=it.complete,
        schedules=tuple(SchedulesView(n, *row) for n, row in enumerate(rows)),
        places=it.places,
        idle=it.idle,
        known=it.known,
        cut=it.cut,
        shared=it.shared,
        rounds=it.rounds,
    )


def _end(terms: Terms, found: Outcomes, *, broken_off: bool) -> End:
    if found.met is not None and not terms.go_on:
        return "goal"
    if found.runs == terms.schedules:
        return "schedules"
    return "signal" if broken_off else "budget"


def _outcome(group: Group) -> OutcomeView:
    best = group.best
    return OutcomeView(
        outcome=group.outcome.digest,
        came_to=group.outcome,
        count=group.count,
        undisturbed=group.undisturbed,
        first=group.first,
        run=best.number,
        seed=best.seed,
        disturbances=best.disturbances,
        turns=best.turns,
        switches=best.switches,
        retired=best.retired,
        file=group.file,
    )


def shrunk(
    reduction: Reduction, named: Named, goal: Goal, file: str, *, otherwise: ShrinkEnd
) -> ShrunkView:
    """Return what became of a schedule; `otherwise` ended it if it is not complete."""
    done = reduction.shrunk
    return ShrunkView(
        file=file,
        from_=named.text,
        until=goal.text,
        before=_score(done.before),
        after=_score(done.after),
        tries=done.tries,
        complete=done.complete,
        ended_by="complete" if done.complete else otherwise,
        steps=tuple(map(_step, done.steps, reduction.ends)),
    )


def _step(step: Step, end: str) -> TurnView | OtherStepView:
    if isinstance(step, Turn):
        return TurnView(step.vcpu, step.count, end)
    said = {name: value for name, value in step.args.items() if value is not None}
    return OtherStepView(Act(step.verb, said).text)


def _score(score: Score) -> ScoreView:
    return ScoreView(*score)


def explored_text(view: ExploredView) -> str:
    """Return the distinct outcomes, and where their recordings are."""
    what = f"{amount(view.runs, 'run')} of {view.guest} with seed {view.seed}"
    if view.coverage is not None:
        most = preemptions(view.coverage.bound)
        what = f"{_schedules(view.runs)} of {view.guest} with at most {most}"
    lines = [f"{what}: {amount(len(view.outcomes), 'outcome')}"]
    for row in view.outcomes:
        lines += outcome_lines(row)
    if view.coverage is not None:
        lines += coverage_lines(view.coverage)
    if cut := _cut_text(view):
        lines.append(cut)
    if view.until:
        lines.append(f"{view.until}: {_goal_text(view)}")
    return "\n".join(lines)


def preemptions(count: int) -> str:
    """Return so many of them in words."""
    return f"{count} preemption{'' if count == 1 else 's'}"


def _schedules(count: int) -> str:
    return f"{count:,} schedule{'' if count == 1 else 's'}"


def coverage_lines(it: CoverageView) -> list[str]:
    """Say what was searched, and what was not."""
    lines = [
        f"{preemptions(row.preemptions)}: {_schedules(row.done)}"
        + (f", and {row.left:,} known that were not run" if row.left else "")
        for row in it.schedules
    ]
    lines.append(
        f"{it.shared:,} bytes are shared; at {it.idle:,} of {it.places:,} places for a "
        f"preemption no other vCPU could go on"
    )
    if it.known:
        lines.append(f"{it.known:,} came to a known state: nothing new leaves them")
    if it.cut:
        many = "1 was" if it.cut == 1 else f"{it.cut:,} were"
        lines.append(f"{many} not run to the end: --limit allows more")
    lines.append("complete" if it.complete else "not complete")
    return lines


def _cut_text(view: ExploredView) -> str | None:
    """Say what ended an exploration before all that was asked for was done."""
    if view.ended_by in {"goal", "schedules"}:
        return None
    is_budget = view.ended_by == "budget"
    why = f"the budget of {view.budget:g} s ended it" if is_budget else "broken off"
    if view.coverage is not None:
        return f"{_schedules(view.runs)} done: {why}"
    return f"{view.runs:,} of {view.schedules:,} runs are done: {why}"


def _bounded_text(view: ExploredView, it: CoverageView) -> str:
    must_not = ", which it must not" if view.never else ""
    if view.found is not None:
        return f"came about in schedule {view.found}{must_not}"
    which = f"{view.runs:,} with at most {preemptions(it.bound)}"
    if it.complete:
        return f"no schedule of all {which} comes to it"
    return f"no schedule of {which} came to it, and there are others"


def _goal_text(view: ExploredView) -> str:
    must_not = ", which it must not" if view.never else ""
    if view.coverage is not None:
        return _bounded_text(view, view.coverage)
    if view.found is not None:
        return f"came about in run {view.found}{must_not}"
    if view.never and view.runs < view.schedules:
        return f"did not come about, in {view.runs:,} of {view.schedules:,} runs"
    return "never came about"


def outcome_lines(row: OutcomeView, mark: str = "looked for") -> list[str]:
    """Return what an outcome was, how often, and by which run.

    `mark` says what one is that came to the condition.
    """
    it = row.came_to
    note = f" <- {mark}" if it.met else ""
    runs = f"{amount(row.count, 'run')}, {row.undisturbed:,} with all IPIs as sent"
    states = ", ".join(f"vCPU {n} {state}" for n, state in enumerate(it.states))
    lines = [
        f"{row.outcome}  {runs}{note}",
        f"    {it.stop}{': ' if it.text else ''}{it.text}",
        f"    {states}",
    ]
    if it.lints:
        lines.append(f"    lints {', '.join(it.lints)}")
    if it.console:
        lines.append(f"    printed {it.console[-MOST_CONSOLE:]!r}")
    how = ", ".join(row.disturbances) or "IPIs as sent"
    lines.append(
        f"    run {row.run}: {amount(row.switches, 'switch')}, "
        f"{amount(row.retired, 'instruction')}, {how}{row.file and '; '}{row.file}"
    )
    return lines


def shrunk_text(view: ShrunkView) -> str:
    """Say what is left of a schedule."""
    before, after = view.before, view.after
    became = f"{before.switches:,} switches became {after.switches:,}"
    lines = [f"{view.until}: {became} in {view.tries:,} tries; {view.file}"]
    if before.acts:
        lines.append(f"{before.acts:,} other acts became {after.acts:,}")
    lines += [f"  {_step_text(step)}" for step in view.steps]
    if not view.complete:
        lines.append(f"{ENDED[view.ended_by]}: less may do")
    return "\n".join(lines)


def _step_text(step: TurnView | OtherStepView) -> str:
    if isinstance(step, OtherStepView):
        return step.act
    return f"vCPU {step.vcpu} for {step.count:,}, up to {step.before}"
