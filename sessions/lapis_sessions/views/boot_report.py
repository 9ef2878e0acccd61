"""The command `boot`: the lanes and checklists of `views.boot`, as data and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.why import vcpu as why_vcpu
from lapis_sessions.views.boot import START_PAGE, Boot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_engine.why.causes.spins import Place
    from lapis_sessions.views.boot import Cell, Moment, Steps

LISTED: Final = 200
"""Moments that are told unless it is said how many: the last ones."""
MODES: Final = (("real", "16"), ("protected", "32"), ("long", "long 64"))
"""Modes that a checklist has, and what it calls them."""


@dataclass(frozen=True, slots=True)
class ProcessorView:
    """How far a processor has come."""

    vcpu: int
    state: str
    """As `vcpus` has it."""
    init: bool
    """Whether it took an INIT; the BSP needs none."""
    sipi: int | None
    """The vector of the SIPI that started it; so `start`, its address."""
    start: int | None
    modes: tuple[str, ...]
    """That it has been in, in order; the last ones."""
    retired: int
    """Instructions that it has retired."""
    halted: bool
    interrupt: int | None
    """The first vector that was delivered to it."""
    last_init: str | None
    """What became of the last INIT that was sent to it; so of the last SIPI."""
    last_sipi: str | None
    why: str | None
    """The cause why it would not retire an instruction now, if it would not."""


@dataclass(frozen=True, slots=True)
class BootMomentView:
    """Something that happened to processors, at one moment."""

    event: int
    now: int
    """ns of virtual time."""
    label: str
    from_: int | None
    """Who sent an IPI, -1 for the user; None where none was sent."""
    targets: tuple[int, ...]
    cells: Mapping[str, Cell]
    """What became of each vCPU that it is about, by its number."""
    lanes: tuple[str, ...]
    """What each vCPU does from here on: waits, runs or halted."""
    reasons: tuple[str, ...]
    """Why what was sent did nothing."""


@dataclass(frozen=True, slots=True)
class BootView:
    """All of it."""

    since: int
    """The first event that is known: what happened before it is in no row."""
    moments: tuple[BootMomentView, ...]
    total: int
    """Moments that there are."""
    processors: tuple[ProcessorView, ...]


def report(
    machine: Machine, count: int, only: int | None = None, place: Place = hex
) -> BootView:
    """Return the last `count` moments, and the steps; or those of vCPU `only`.

    `place` puts linear addresses into words.
    """
    log = machine.log
    boot = Boot(len(machine.vcpus))
    boot.take(log.since(log.first_seq))
    rows = [row for row in boot.rows if only is None or _is_about(row, only)]
    wanted = range(len(machine.vcpus)) if only is None else (only,)
    return BootView(
        since=log.first_seq,
        moments=tuple(map(_moment, rows[len(rows) - min(count, len(rows)) :])),
        total=len(rows),
        processors=tuple(_processor(machine, n, boot.steps[n], place) for n in wanted),
    )


def _is_about(row: Moment, number: int) -> bool:
    return number in row.cells or number in row.targets


def _moment(row: Moment) -> BootMomentView:
    cells = {f"{number}": row.cells[number] for number in sorted(row.cells)}
    return BootMomentView(
        row.seq, row.at, row.label, row.sender, row.targets, cells, row.lanes,
        row.reasons,
    )  # fmt: skip


def _processor(
    machine: Machine, number: int, steps: Steps, place: Place
) -> ProcessorView:
    is_asleep = machine.why_not_runnable(number) is not None
    reasons = why_vcpu.vcpu(machine, number, place).reasons if is_asleep else ()
    return ProcessorView(
        vcpu=number,
        state=machine.vcpu_state(number),
        init=steps.init,
        sipi=steps.sipi,
        start=None if steps.sipi is None else steps.sipi << START_PAGE,
        modes=steps.modes,
        retired=machine.vcpu(number).retired,
        halted=steps.halted,
        interrupt=steps.interrupt,
        last_init=steps.last_init,
        last_sipi=steps.last_sipi,
        why=reasons[0].text if reasons else None,
    )


# In words.


def text(view: BootView) -> str:
    """Return the moments, then a checklist for each processor."""
    out = []
    if view.since:
        out.append(f"events before #{view.since} are no longer known")
    if len(view.moments) < view.total:
        out.append(f"the last {len(view.moments)} of {view.total} moments:")
    for row in view.moments:
        out.append(_moment_text(row))
        out += [f"{'':21}x {reason}" for reason in row.reasons]
    if not view.total:
        out.append("no processor was sent anything yet")
    out.append("")
    for processor in view.processors:
        out += _processor_text(processor)
    return "\n".join(out)


def _moment_text(row: BootMomentView) -> str:
    told = [f"vCPU {n}: {cell.text}" for n, cell in _told(row.cells, row.from_)]
    head = f"{row.now:>12,} ns #{row.event:<5} {row.label:<10}"
    if row.from_ is None:
        return f"{head} {'; '.join(told)}"
    sent = row.cells.get(f"{row.from_}")
    who = "the user" if row.from_ < 0 else f"vCPU {row.from_}"
    to = ", ".join(map(str, row.targets)) or "nobody"
    what = f" {sent.text}" if sent is not None else ""
    return "; ".join([f"{head} {who}{what} -> {to}", *told])


def _told(cells: Mapping[str, Cell], sender: int | None) -> Iterator[tuple[str, Cell]]:
    for number, cell in cells.items():
        if number != f"{sender}":
            yield number, cell


def _processor_text(view: ProcessorView) -> Sequence[str]:
    steps = [(f"{name}", mode in view.modes) for mode, name in MODES]
    steps.insert(1, ("first instruction", view.retired > 0))
    if view.vcpu:
        sipi = "SIPI" if view.sipi is None else f"SIPI {view.sipi:02x}"
        steps = [("INIT", view.init), (sipi, view.sipi is not None), *steps]
    first = "" if view.interrupt is None else f" {view.interrupt:02x}"
    steps.append(("hlt", view.halted))
    steps.append((f"first interrupt{first}", view.interrupt is not None))
    marks = "  ".join(f"[{'x' if done else ' '}] {name}" for name, done in steps)
    out = [f"vCPU {view.vcpu:<3} {marks}"]
    if view.why is not None:
        out.append(f"{'':9}{view.state}: {view.why}")
        sent = [
            f"last {name}: {fate}"
            for name, fate in (("INIT", view.last_init), ("SIPI", view.last_sipi))
            if fate is not None
        ]
        if view.vcpu:
            out.append(f"{'':9}{'; '.join(sent) or 'no INIT came to it'}")
    return out
