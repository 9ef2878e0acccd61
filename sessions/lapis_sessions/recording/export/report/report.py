"""A recording as a page: what it is, how the processors came up, what became of it.

The branch is done again, and told in the order in which one asks: what stands, why,
what was found, how it came to that. What is long is cut, and how much was left out is
said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.why import vcpu as why_vcpu
from lapis_sessions.recording.export import script
from lapis_sessions.recording.export.report import markup, staircase
from lapis_sessions.recording.export.report.gathered import DRAWN, Gathered
from lapis_sessions.recording.export.report.markup import TableCell
from lapis_sessions.text.visible import shown
from lapis_sessions.views import apic, lints, requests, vectors, why
from lapis_sessions.views import events as events_view
from lapis_sessions.views import machine as machine_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_sessions.recording.format.schema import Annotation
    from lapis_sessions.recording.play.named import Named
    from lapis_sessions.recording.play.player import Player
    from lapis_sessions.session import Session
    from lapis_sessions.views.boot import Moment

REQUESTS: Final = 500
"""Requests that are shown, the last ones; the same of notes, findings and vCPUs."""
NOTES: Final = 500
FINDINGS: Final = 200
ANSWERS: Final = 64
PRINTED: Final = 8_000
"""Bytes of a console, the last ones."""
SECTIONS: Final = {
    "why": "Why each vCPU stands where it does",
    "lints": "What the lints found",
    "notes": "Notes",
    "boot": "How the processors came up",
    "priority": "Priority staircases",
    "requests": "Requests and answers",
    "console": "What the guest printed",
    "events": "Events",
}


def report(named: Named, player: Player) -> Iterator[bytes]:
    """Yield the page in pieces, when all is done; raise `DivergedError`."""
    machine = player.machine
    told = Gathered(len(machine.vcpus))
    for logged in player.events():
        told.take(logged)
    parts = {
        "why": lambda: _why(player.session),
        "lints": lambda: _lints(machine),
        "notes": lambda: _notes(named),
        "boot": lambda: _boot(told),
        "priority": lambda: _priority(machine, told),
        "requests": lambda: _requests(machine, told),
        "console": lambda: _console(machine),
        "events": lambda: _events(told),
    }
    yield "".join(_head(named, player, told)).encode()
    for name, title in SECTIONS.items():
        yield markup.section(name, title).encode()
        for piece in parts[name]():
            yield piece.encode()
    yield markup.END.encode()


def _head(named: Named, player: Player, told: Gathered) -> Iterator[str]:
    """Yield what it is a report of, and where to find what in it."""
    head, machine = named.recording.header, player.machine
    guest = head.image.name
    yield markup.begin(f"{guest} - Lapis")
    yield f"<h1>{markup.words(guest)}</h1>\n"
    rows = {
        "branch": named.branch.name,
        "machine": f"{head.machine}, {head.cpus} vCPUs, {head.memory}",
        "profile": head.profile,
        "seed": f"{head.seed}",
        "schedule": f"{machine.schedule.policy}, quantum {head.quantum}",
        "versions": f"Lapis {head.lapis}, Unicorn {head.unicorn}, format {head.format}",
        "image": f"SHA-256 {head.image.sha256}",
        "end": f"{player.at.retired:,} instructions, {player.at.now:,} ns of virtual "
        f"time, {told.total:,} events, {len(player.entries):,} acts",
        "built by": f"lapis exec {' '.join(script.options(head))}",
    }
    yield from markup.table(("", ""), list(rows.items()))
    links = (f'<a href="#{n}">{markup.words(t)}</a>' for n, t in SECTIONS.items())
    yield f"<nav><p>{' '.join(links)}</p></nav>\n"


def _why(session: Session) -> Iterator[str]:
    machine = session.machine
    vcpus = machine.vcpus[:ANSWERS]
    rows = [machine_view.vcpu(machine, vcpu.id) for vcpu in vcpus]
    heads = ("vCPU", "state", "mode", "RIP", "instructions")
    yield from markup.table(
        heads,
        [
            (
                f"{row.id}",
                row.state,
                row.mode,
                f"{row.rip:#x}",
                markup.number(row.retired),
            )
            for row in rows
        ],
    )
    place = why.placed(session)
    for vcpu in vcpus:
        answer = why_vcpu.vcpu(machine, vcpu.id, place, whole=True)
        yield markup.block(why.vcpu_text(shown(answer)))
    if len(vcpus) < len(machine.vcpus):
        text = f"The first {len(vcpus)} of {len(machine.vcpus)} vCPUs."
        yield markup.paragraph(text)


def _lints(machine: Machine) -> Iterator[str]:
    found = lints.found(machine)
    if not found:
        yield markup.paragraph("They found nothing.")
        return
    rows = found[:FINDINGS]
    heads = ("", "lint", "times, where, and what")
    yield from markup.table(
        heads,
        [
            (
                TableCell(row.severity, row.severity),
                row.name,
                lints.finding_text(row.finding),
            )
            for row in rows
        ],
    )
    if len(rows) < len(found):
        text = f"The gravest {len(rows):,} of {len(found):,}; the others are left out."
        yield markup.paragraph(text)
    for name in dict.fromkeys(row.name for row in rows):
        for page in lints.pages(machine, name):
            yield markup.block(lints.page_text(shown(page)))


def _notes(named: Named) -> Iterator[str]:
    notes = sorted(named.branch.notes, key=lambda note: note.acts)
    if not notes:
        yield markup.paragraph("There are none.")
        return
    rows = notes[:NOTES]
    heads = ("act", "instruction", "note")
    yield from markup.table(
        heads,
        [(markup.number(n.acts), markup.number(n.retired), _note(n)) for n in rows],
    )
    if len(rows) < len(notes):
        text = f"The first {len(rows):,} of {len(notes):,}; the others are left out."
        yield markup.paragraph(text)


def _note(note: Annotation) -> str:
    answer = f" ({note.answer})" if note.answer else ""
    return f"{note.text} - {note.ask}{answer}" if note.ask else note.text


def _boot(told: Gathered) -> Iterator[str]:
    first, last, is_cut = told.moments()
    if not first:
        yield markup.paragraph("No processor was sent anything.")
        return
    cpus = min(told.boot.cpus, DRAWN)
    lanes = (f"vCPU {number}" for number in range(cpus))
    heads = ("ns", "event", "", *lanes, "why not")
    text = (
        "The line of a vCPU is full while it runs, double while it is halted, and "
        "dotted while it waits to be started, or once the machine has stopped."
    )
    yield markup.paragraph(text)
    yield from markup.table(heads, _lanes(first, cpus))
    if is_cut:
        begin, end = first[-1].seq, last[0].seq
        text = f"What lies between events #{begin} and #{end} is left out."
        yield markup.paragraph(text)
    if last:
        yield from markup.table(heads, _lanes(last, cpus))
    if cpus < told.boot.cpus:
        yield markup.paragraph(f"Lanes of the first {cpus} of {told.boot.cpus} vCPUs.")


def _lanes(rows: Iterable[Moment], cpus: int) -> Iterator[Sequence[TableCell | str]]:
    """Yield the moments, each with what every processor does from there on."""
    for row in rows:
        cells = []
        for number, lane in enumerate(row.lanes[:cpus]):
            cell = row.cells.get(number)
            cells.append(TableCell(cell.text if cell is not None else "", lane))
        label = row.label
        if row.sender is not None:
            to = ", ".join(map(str, row.targets)) or "nobody"
            who = "the user" if row.sender < 0 else f"vCPU {row.sender}"
            label = f"{label}: {who} to {to}"
        why_not = TableCell("; ".join(row.reasons), "x")
        yield markup.number(row.at), f"#{row.seq}", label, *cells, why_not


def _priority(machine: Machine, told: Gathered) -> Iterator[str]:
    text = (
        "To the right the events of a vCPU, up the priority classes. Pale: the vector "
        "waits in the IRR; full: it is in service; the line: the PPR, as deliveries "
        "and EOIs told it."
    )
    yield markup.paragraph(text)
    for number, steps in enumerate(told.steps):
        yield f"<h3>vCPU {number}</h3>\n"
        if not steps:
            yield markup.paragraph("No interrupt came to it.")
            continue
        resets = machine.config.profile.apic_disable_resets
        course = vectors.course(
            steps, (), number, apic.of(machine, number), disabling_resets=resets
        )
        span = f"Events #{steps[0].seq} to #{steps[-1].seq}, "
        yield markup.paragraph(f"{span}{steps[0].at:,} to {steps[-1].at:,} ns.")
        yield from staircase.picture(course)
        yield from markup.left_out(
            len(steps), told.steps_total[number], "of its events"
        )
    if len(told.steps) < len(machine.vcpus):
        text = f"The first {len(told.steps)} of {len(machine.vcpus)} vCPUs."
        yield markup.paragraph(text)


def _requests(machine: Machine, told: Gathered) -> Iterator[str]:
    rows = requests.history(machine, REQUESTS)
    if not rows:
        yield markup.paragraph("Nothing was asked.")
        return
    heads = ("event", "ns", "what was asked", "answered by whom, and what")
    yield from markup.table(
        heads,
        [
            (
                "" if row.seq is None else f"#{row.seq}",
                "" if row.at is None else markup.number(row.at),
                requests.text(row.request),
                requests.fate(row),
            )
            for row in rows
        ],
    )
    total = told.settled + len(machine.pending())
    yield from markup.left_out(len(rows), total, "requests")


def _console(machine: Machine) -> Iterator[str]:
    is_silent = True
    for port, data in sorted(machine.consoles.items()):
        if not data:
            continue
        is_silent = False
        yield f"<h3>{markup.words(port)}</h3>\n"
        yield markup.block(bytes(data[-PRINTED:]).decode("utf-8", "replace"))
        yield from markup.left_out(min(len(data), PRINTED), len(data), "bytes")
    if is_silent:
        yield markup.paragraph("Nothing.")


def _events(told: Gathered) -> Iterator[str]:
    if not told.total:
        yield markup.paragraph("Nothing happened.")
        return
    counts = ", ".join(f"{n:,} {kind}" for kind, n in told.kinds.most_common())
    yield markup.paragraph(f"Of each kind: {counts}.")
    yield from markup.left_out(len(told.last), told.total, "events")
    heads = ("event", "ns", "vCPU", "kind", "what")
    yield from markup.table(
        heads,
        (
            (
                f"#{row.seq}", markup.number(row.at),
                "" if row.vcpu < 0 else f"{row.vcpu}", row.kind, row.text,
            )
            for row in map(events_view.of, told.last)
        ),
    )  # fmt: skip
