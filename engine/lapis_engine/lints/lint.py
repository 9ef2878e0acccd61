"""What a lint is: its name, what it finds, and the rules that find it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lapis_engine.lints.state import Finding

if TYPE_CHECKING:
    from lapis_engine.vmm.vm import Vm

Rule = Callable[["Vm", Any, Any], Finding | Iterable[Finding] | None]
"""Given the machine to look at, the lint's memory and an event; returns what it finds.

The memory is a dict of plain data that belongs to this lint and goes back in time with
the machine. A rule changes nothing else."""
Severity = Literal["error", "warning", "note"]
SEVERITIES: Final = ("error", "warning", "note")
"""The guest fails by it; it fails elsewhere, or by bad luck; one should know of it.
The words are SARIF's (`level`)."""


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to read about a lint, each part a paragraph or two."""

    what: str
    """What it finds, and by what; what it does not."""
    why: str
    """Why it matters, with the section of the manual."""
    where: str
    """Where it bites: hypervisors, boards, kernels."""
    fix: str
    """What to do about it, and when to leave it."""


@dataclass(frozen=True, slots=True)
class Lint:
    """One lint."""

    name: str
    text: str
    """What it finds, in half a sentence."""
    rules: Mapping[type, Rule]
    """By the kind of event that they look at; of ours also by `vmm.written.Written`,
    which leaves no event."""
    shared: bool = False
    """Its rules remember in `LintState` itself, and not in a dict of their own."""
    can_wait: bool = False
    """Its rules look at the event and the APICs alone: they may be told of accesses
    after the instructions that came behind, in order."""
    plugin: str | None = None
    """The plug-in that it is of, which is noted in recordings; None for ours."""
    severity: Severity = "warning"
    page: Page | None = None
    """What `lint --explain NAME` shows beside `text`."""


class LintFailedError(Exception):
    """A rule raised, or found what is no finding; its memory is what it was before."""

    def __init__(self, what: str) -> None:
        """Say in a word `what` it was; the word is the same in every replay."""
        super().__init__(what)
        self.what = what
