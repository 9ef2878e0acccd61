"""Recordings: the one that is being made, what is in a file, what a replay came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lapis_engine.replay.schema import STATE_SCHEMA
from lapis_sessions.plain import FLAT
from lapis_sessions.text import costs
from lapis_sessions.text.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.recording.format.contents import BranchOutline, Outline
    from lapis_sessions.recording.format.reader import Recording
    from lapis_sessions.recording.play.replaying import Divergence, Verdict


@dataclass(frozen=True, slots=True)
class StatusView:
    """What is being recorded."""

    recording: bool
    file: str | None
    acts: int
    failed: str
    """Why it ended, or nothing."""


@dataclass(frozen=True, slots=True)
class NoteView:
    """A text that was put into the recording."""

    retired: int
    text: str


@dataclass(frozen=True, slots=True)
class RecordedBranchView:
    """A branch of a recording."""

    name: str
    parent: str
    acts: int
    retired: int
    events: int
    hashes: int
    notes: int


@dataclass(frozen=True, slots=True)
class AttachedView:
    """A file that comes with the image."""

    role: str
    name: str
    args: str
    sha256: str


@dataclass(frozen=True, slots=True)
class InfoView:
    """What a recording is of, and what is in it."""

    file: str
    bytes: int
    state: str
    """whole, cut off or damaged."""
    guest: str
    image: str
    """embedded or by reference."""
    sha256: str
    attached: tuple[AttachedView, ...]
    machine: str
    """The platform."""
    cpus: int
    memory: str
    profile: str
    cpu: str
    """The model of its processor: first is that of before there were models."""
    hypervisor: str
    """What CPUID says that it runs under: none, kvm or timing."""
    quantum: int
    """Instructions of a turn."""
    cost: str
    """What accesses take in virtual time."""
    tsc_hz: int
    ports: str
    """What an unclaimed port did: ask or float; so the next."""
    mmio: str
    seed: int
    firmware: bool
    devices: Sequence[str]
    format: int
    state_schema: int
    engine: int
    lapis: str
    unicorn: str
    chunks: int
    branches: tuple[RecordedBranchView, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DivergenceView:
    """Where a replay first came to something else."""

    divergence: Divergence = field(metadata=FLAT)
    text: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """What a replay came to."""

    file: str
    state: str
    """That of the file, or diverged."""
    acts: int
    retired: int
    hashes: int
    stops: int
    digest: str
    divergence: DivergenceView | None
    warnings: tuple[str, ...]


def warnings(recording: Outline) -> tuple[str, ...]:
    """Return what is odd about a file that can be read all the same."""
    found = []
    schema = recording.header.state_schema
    if schema != STATE_SCHEMA:
        found.append(
            f"recorded under state schema {schema}, this is {STATE_SCHEMA}: hashes are "
            f"not comparable, acts are done again and the stops compared"
        )
    if recording.damage is not None:
        found.append(recording.damage.text)
    elif not recording.complete:
        found.append(
            f"cut off: the recording was not closed; it is read up to its last whole "
            f"chunk, {recording.lost} bytes after that are lost"
        )
    if recording.skipped:
        found.append(f"chunks that are not known here: {', '.join(recording.skipped)}")
    return tuple(found)


def info(recording: Outline) -> InfoView:
    """Describe a recording."""
    head = recording.header
    return InfoView(
        file=recording.name,
        bytes=recording.size,
        state=recording.state,
        guest=head.image.name,
        image="embedded" if head.image.data is not None else "by reference",
        sha256=head.image.sha256,
        attached=tuple(
            AttachedView(row.role, row.name, row.args, row.sha256)
            for row in head.attached
        ),
        machine=head.machine,
        cpus=head.cpus,
        memory=head.memory,
        profile=head.profile,
        cpu=head.cpu,
        hypervisor=head.hypervisor,
        quantum=head.quantum,
        cost=costs.written(head.cost),
        tsc_hz=head.tsc_hz,
        ports=head.ports or ("float" if head.firmware else "ask"),
        mmio=head.mmio or "ask",
        seed=head.seed,
        firmware=head.firmware,
        devices=head.devices,
        format=head.format,
        state_schema=head.state_schema,
        engine=head.engine,
        lapis=head.lapis,
        unicorn=head.unicorn,
        chunks=recording.chunks,
        branches=tuple(map(_branch, recording.outlines)),
        warnings=warnings(recording),
    )


def _branch(branch: BranchOutline) -> RecordedBranchView:
    return RecordedBranchView(
        name=branch.name,
        parent=branch.parent,
        acts=branch.acts,
        retired=branch.end.retired,
        events=branch.end.seq,
        hashes=branch.hashes,
        notes=branch.notes,
    )


def verdict(recording: Recording, found: Verdict) -> VerdictView:
    """Return what a replay of it came to."""
    apart = found.divergence
    return VerdictView(
        file=recording.name,
        state="diverged" if apart is not None else recording.state,
        acts=found.acts,
        retired=found.retired,
        hashes=found.hashes,
        stops=found.stops,
        digest=found.digest,
        divergence=DivergenceView(apart, apart.text) if apart is not None else None,
        warnings=warnings(recording),
    )


def status_text(view: StatusView) -> str:
    """Say what is being recorded."""
    if view.failed:
        return view.failed
    if not view.file:
        return "nothing is being recorded; what was done is kept in memory"
    if not view.recording:
        return f"{view.file} is complete: {amount(view.acts, 'act')}"
    return f"recording to {view.file}: {amount(view.acts, 'act')} so far"


def note_text(view: NoteView) -> str:
    """Say where a text was put."""
    return f"noted at instruction {view.retired:,}"


def verdict_text(view: VerdictView) -> str:
    """Say what a replay came to."""
    equal = f"{amount(view.stops, 'stop')} and {amount(view.hashes, 'hash')}"
    done = f"{amount(view.acts, 'act')}, {amount(view.retired, 'instruction')}"
    lines = [
        f"{view.file}: {done}",
        f"{view.state}: {equal} are equal; digest {view.digest}",
        *view.warnings,
    ]
    if view.divergence is not None:
        lines.append(view.divergence.text)
    return "\n".join(lines)


def info_text(view: InfoView) -> str:
    """Describe a recording."""
    machine = f"{view.cpus} vCPUs, {view.memory}, profile {view.profile}"
    lines = [
        f"{view.file}: {view.bytes:,} bytes, {view.state}",
        f"guest {view.guest} ({view.image}), machine {view.machine}, {machine}",
        *(f"{row.role} {row.name} {row.args}".rstrip() for row in view.attached),
        f"processor {view.cpu}, hypervisor {view.hypervisor}",
        f"quantum {view.quantum} instructions, cost {view.cost}, TSC {view.tsc_hz} Hz",
        f"Lapis {view.lapis}, unicorn {view.unicorn}",
    ]
    for row in view.branches:
        tail = f", from {row.parent}" if row.parent else ""
        lines.append(
            f"{row.name}: {amount(row.acts, 'act')}, "
            f"{amount(row.retired, 'instruction')}, {amount(row.events, 'event')}, "
            f"{amount(row.hashes, 'hash')}, {amount(row.notes, 'annotation')}{tail}"
        )
    return "\n".join([*lines, *view.warnings])
