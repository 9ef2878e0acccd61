"""What is worth knowing of a machine whose test failed: gathered, and put in words.

The machine is peeked at and left as it is. Whatever is of the guest is made visible.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import CommandError
from lapis_sessions.scope import scope
from lapis_sessions.text.visible import printed, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis.session import Session

EVENTS: Final = 20
"""Events that are shown, the last ones."""
VECTORS: Final = 4
"""Vectors of an APIC that are asked about."""
PRINTED: Final = 2000
"""Characters of what the guest printed that are shown, the last ones."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a machine had come to."""

    title: str
    """What it is of: the fixture, and which schedule."""
    guest: str
    cpus: int
    profile: str
    seed: int | None
    """Of the schedules, or else of the guest's random numbers; None where all schedules
    with so many preemptions were run."""
    retired: int
    now: int
    """ns of virtual time."""
    why: tuple[str, ...]
    """A sentence for each vCPU, and one for each vector that waits."""
    events: tuple[str, ...]
    console: str
    lints: tuple[str, ...]
    file: str | None = None
    """The recording, if there is one."""
    notes: tuple[str, ...] = ()
    """What became of that."""

    @property
    def replay(self) -> str | None:
        """The command line that opens the recording, if there is one."""
        return None if self.file is None else f"lapis replay {shlex.quote(self.file)}"

    @property
    def properties(self) -> list[tuple[str, str]]:
        """The same by name, for JUnit."""
        rows = {
            "lapis_recording": self.file,
            "lapis_replay": self.replay,
            "lapis_guest": self.guest,
            "lapis_profile": self.profile,
            "lapis_seed": None if self.seed is None else str(self.seed),
            "lapis_why": "\n".join(self.why),
        }
        return [(name, printed(value)) for name, value in rows.items() if value]

    @property
    def text(self) -> str:
        """All of it, for a terminal."""
        return printed("\n".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        if self.file is not None and self.replay is not None:
            yield f"recording: {visible(self.file)}"
            yield f"replay it: {visible(self.replay)}"
        yield from self.notes
        yield (
            f"{self.guest}, {self.cpus} vCPUs, profile {self.profile}"
            f"{'' if self.seed is None else f', seed {self.seed}'}; "
            f"{self.retired:,} instructions, {self.now:,} ns"
        )
        yield "why:"
        yield from (f"  {line}" for line in self.why)
        if self.lints:
            yield f"lints that found something: {', '.join(self.lints)}"
        yield f"the last {len(self.events)} events:" if self.events else "no events"
        yield from (f"  {line}" for line in self.events)
        if self.console:
            yield "printed:"
            yield from (f"  {line}" for line in self.console.splitlines())


def gathered(
    session: Session,
    title: str,
    seed: int | None,
    file: str | None,
    notes: Sequence[str],
) -> Evidence:
    """Return what is worth knowing of a session as it stands."""
    machine = session.machine
    return Evidence(
        title=title,
        guest=visible(session.guest),
        cpus=len(session.vcpus),
        profile=machine.config.profile.name,
        seed=seed,
        retired=sum(vcpu.retired for vcpu in session.vcpus),
        now=session.now,
        why=tuple(visible(line) for line in _why(session)),
        events=tuple(
            visible(f"#{e.seq} {e.at:,} ns  vCPU {e.vcpu}  {e.kind}: {e.text}")
            for e in session.events(EVENTS)
        ),
        console=printed(scope.console(machine)[-PRINTED:]),
        lints=tuple(scope.lints(machine)),
        file=file,
        notes=tuple(notes),
    )


def _why(session: Session) -> Iterator[str]:
    """Yield why each vCPU stands where it does, and why what waits for it does."""
    for vcpu in session.vcpus:
        yield _told(session, f"why vcpu {vcpu.id}")
        waiting = vcpu.apic.irr
        for vector in waiting[-VECTORS:]:
            yield _told(session, f"irq why {vector:#x} {vcpu.id}")
        if len(waiting) > VECTORS:
            left = len(waiting) - VECTORS
            yield f"{left} lower vectors wait in the IRR of vCPU {vcpu.id} as well"


def _told(session: Session, line: str) -> str:
    try:
        return str(session.do(line)["text"])
    except CommandError as error:
        return f"{line}: {error}"
