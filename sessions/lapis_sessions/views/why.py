"""Answers of `why`: the sentence, then one line per reason.

The answers are records of the engine, which is why their fields are a contract here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from lapis_engine.cause import sentence
from lapis_engine.explain.moments import moment
from lapis_engine.why import ranking, slowness
from lapis_engine.why.vector import NMI

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_engine.cause import Cause
    from lapis_engine.why.ipi import DryRun, Fate
    from lapis_engine.why.reason import Reason
    from lapis_engine.why.slowness import SlowAnswer
    from lapis_engine.why.vcpu import VcpuAnswer
    from lapis_engine.why.vector import VectorAnswer
    from lapis_sessions.session import Session


@dataclass(frozen=True, slots=True)
class DryRunView:
    """What would become of an IPI: the fields of `IpiView`, and more."""

    icr: int
    mode: str
    text: str
    """The ICR in words."""
    from_: int
    targets: tuple[int, ...]
    dropped: str
    rule: str
    answer: str
    guest: str
    forbidden: str
    """Why `ipi` would not send it without --raw, or nothing."""
    verdicts: tuple[Fate, ...]


@dataclass(frozen=True, slots=True)
class VectorView:
    """Why a vector is, or is not, delivered: what tells most, and how much else."""

    vcpu: int
    vector: int
    where: str
    verdict: str
    text: str
    """One sentence, which names the cause."""
    reasons: tuple[Reason, ...]
    """What tells most comes first."""
    more: int
    """Reasons that are not among them; `--all` gives them."""


def vector(found: VectorAnswer, *, whole: bool = False) -> VectorView:
    """Return an answer with its first reasons, or all of them."""
    rows = found.reasons if whole else found.reasons[: ranking.TOLD]
    more = len(found.reasons) - len(rows)
    what = found.vcpu, found.vector, found.where, found.verdict, found.text
    return VectorView(*what, rows, more)


def dry_run(found: DryRun, forbidden: Cause | None) -> DryRunView:
    """Return what would become of an IPI."""
    return DryRunView(
        icr=found.icr,
        mode=found.mode,
        text=found.words,
        from_=found.sender,
        targets=found.targets,
        dropped=sentence(found.dropped),
        rule="" if found.dropped is None else found.dropped.code,
        answer=found.text,
        guest=found.guest or "",
        forbidden=sentence(forbidden),
        verdicts=found.verdicts,
    )


def bars(rows: Sequence[Reason]) -> list[str]:
    """Return what stands in the way of something, or that nothing does."""
    return _reasons(rows) or ["  nothing stands in its way"]


def _reasons(rows: Sequence[Reason]) -> list[str]:
    return [f"  {'-' if row.blocks else '+'} {row.rule:<16} {row.text}" for row in rows]


class Reasoned(Protocol):
    """A sentence, and what it rests on."""

    @property
    def text(self) -> str:
        """The sentence."""
        ...

    @property
    def reasons(self) -> Sequence[Reason]:
        """What it rests on."""
        ...


def answer_text(view: Reasoned) -> str:
    """Say the sentence, then a row for each reason."""
    return "\n".join([view.text, *_reasons(view.reasons)])


@dataclass(frozen=True, slots=True)
class ToldView(VectorView):
    """Why a vector is, or is not, delivered, and where a file has what bears on it."""

    words: tuple[str, ...]
    """In the words of the file, a sentence each."""


def slow_text(view: SlowAnswer) -> str:
    """Say what takes the time, and which events there were most of."""
    out = [view.text, *_reasons(view.reasons)]
    if view.events:
        out.append(f"of the last {view.seen:,} events, in {view.span:,} ns:")
        rows = view.events
        out += [f"  {e.count:>7,}  {slowness.who(e.vcpu)}  {e.what}" for e in rows]
    return "\n".join(out)


def vector_text(view: VectorView) -> str:
    """Say where a vector is and what keeps it; of what is said already the rule."""
    rows = [
        replace(row, text="") if row.text in view.text else row for row in view.reasons
    ]
    out = [view.text, *(row.rstrip() for row in _reasons(rows))]
    if view.more:
        name = "nmi" if view.vector == NMI else f"{view.vector:#04x}"
        word = "reason" if view.more == 1 else "reasons"
        out.append(f"  {view.more} more {word}: `irq why {name} {view.vcpu} --all`")
    if isinstance(view, ToldView):
        out += [f"  = in the file: {row}" for row in view.words]
    return "\n".join(out)


def placed(session: Session) -> Callable[[int], str]:
    """Return what puts a linear address into words, with the name that is near."""
    places = session.symbols.places

    def place(at: int) -> str:
        name = places.near(at)
        return f"{at:#x} ({name})" if name else f"{at:#x}"

    return place


MOST_TOLD = 3
"""Reasons beside the cause that are told unasked."""


def vcpu_text(view: VcpuAnswer) -> str:
    """Say why a vCPU does not run: the cause and three reasons, or all there is."""
    beside = view.reasons[1:]
    if view.whole:
        return "\n".join([view.text, *_reasons(beside), *_rest(view)])
    ways = [
        replace(way, text=f"it would run after: {way.text}")
        for way in view.wakes
        if not way.blocks
    ][:1]
    shown = [*beside[: MOST_TOLD - len(ways)], *ways]
    out = [view.text, *_reasons(shown)]
    if view.sent or view.did or len(shown) < len(beside) + len(view.wakes):
        out.append(f"  (`why vcpu {view.vcpu} --all` has the rest)")
    return "\n".join(out)


def _rest(view: VcpuAnswer) -> list[str]:
    """Return what was sent to it, what it did, and what would make it run."""
    out = []
    if view.sent:
        out.append("sent to it, or near it:")
        out += [f"  #{fate.event:<6} {fate.text}" for fate in view.sent]
    if view.did:
        out.append("what it did last:")
        out += [
            f"  #{deed.event:<6} {moment(deed.at):>9} {deed.text}" for deed in view.did
        ]
    if view.wakes:
        out += ["what would make it run:", *_reasons(view.wakes)]
    return out


def dry_run_text(view: DryRunView) -> str:
    """Say whom an IPI would reach, one line per vCPU."""
    out = [f"ICR {view.icr:#x} from vCPU {view.from_}: {view.answer}"]
    if view.forbidden:
        out.append(f"  (without --raw it is not sent: {view.forbidden})")
    out += [
        f"  vCPU {row.vcpu:<3} {row.verdict:<12} {row.text}" for row in view.verdicts
    ]
    return "\n".join(out)
