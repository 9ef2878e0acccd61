"""What checks the guest while it runs: the lints and isrvec."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.lints.lint import SEVERITIES
from lapis_sessions.views.apic import vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.lints.lint import Lint, Severity
    from lapis_engine.lints.state import FoundAt
    from lapis_engine.machine.machine import Machine

WIDTH = 78
"""Columns of a page."""


@dataclass(frozen=True, slots=True)
class FindingView:
    """What a lint has found at one place."""

    vcpu: int
    """The vCPU that it is about; -1 where the places are too many to be told apart."""
    place: str
    times: int
    seq: int | None
    """Number of the event at which it was found first; None between events."""
    at: int | None
    """ns of virtual time; None for what is told apart no more."""
    ran: int | None
    """The vCPU that ran then; None by the user's hand, or while time passed."""
    rip: int | None
    """RIP of that vCPU."""
    values: Mapping[str, int]
    """What it was found by."""
    text: str


@dataclass(frozen=True, slots=True)
class LintView:
    """A lint."""

    name: str
    on: bool
    found: int
    severity: Severity
    text: str
    plugin: str | None
    """The plug-in that it is of; None for ours."""
    places: tuple[FindingView, ...]


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A finding beside the lint that it is of."""

    name: str
    severity: Severity
    finding: FindingView


@dataclass(frozen=True, slots=True)
class LintPage:
    """What there is to read about a lint: a rule of SARIF has the same parts."""

    name: str
    severity: Severity
    text: str
    plugin: str | None
    what: str | None
    """None, with the three below, where a plug-in has written no page."""
    why: str | None
    where: str | None
    fix: str | None


@dataclass(frozen=True, slots=True)
class IsrvecView:
    """bhyve's stack of vectors in service, and whether the ISR agrees with it."""

    vcpu: int
    on: bool
    gives_ppr: bool
    stack: tuple[int, ...]
    isr: tuple[int, ...]
    agrees: bool
    text: str
    """In what they differ, or nothing."""


def of(machine: Machine, name: str | None = None) -> list[LintView]:
    """Return the lints, or one of them, with what they have found."""
    return [
        _view(machine, lint)
        for lint in machine.lints.lints.values()
        if name in {None, lint.name}
    ]


def _view(machine: Machine, lint: Lint) -> LintView:
    lints = machine.lints
    state = lints.state
    return LintView(
        name=lint.name,
        on=lint.name not in state.off,
        found=lints.count(lint.name),
        severity=lint.severity,
        text=lint.text,
        plugin=lint.plugin,
        places=tuple(
            _finding(key[1], key[2], times, state.told.get(key))
            for key, times in state.found.items()
            if key[0] == lint.name
        ),
    )


def _finding(vcpu: int, place: str, times: int, told: FoundAt | None) -> FindingView:
    if told is None:
        return FindingView(vcpu, place, times, None, None, None, None, {}, place)
    return FindingView(
        vcpu, place, times, told.seq, told.at, told.ran, told.rip,
        dict(told.values), told.text,
    )  # fmt: skip


def found(machine: Machine) -> tuple[FoundRow, ...]:
    """Return all findings, the gravest first, and of those the oldest."""
    rows = [
        FoundRow(view.name, view.severity, finding)
        for view in of(machine)
        for finding in view.places
    ]
    return tuple(sorted(rows, key=_gravity))


def _gravity(row: FoundRow) -> tuple[int, int]:
    at = row.finding.at
    return SEVERITIES.index(row.severity), -1 if at is None else at


def pages(machine: Machine, name: str | None = None) -> list[LintPage]:
    """Return what there is to read about the lints, or about one."""
    return [
        _page(lint)
        for lint in machine.lints.lints.values()
        if name in {None, lint.name}
    ]


def _page(lint: Lint) -> LintPage:
    page = lint.page
    parts = (None,) * 4 if page is None else (page.what, page.why, page.where, page.fix)
    return LintPage(lint.name, lint.severity, lint.text, lint.plugin, *parts)


def isrvec(machine: Machine, number: int) -> IsrvecView:
    """Return the stack of one vCPU, and whether the ISR agrees with it."""
    apic = machine.vcpu(number).apic
    gives_ppr = apic.isrvec is not None
    stack = apic.isrvec if gives_ppr else apic.isrvec_view
    differ = priority.out_of_sync(stack, apic.isr)
    return IsrvecView(
        vcpu=number,
        on=stack is not None,
        gives_ppr=gives_ppr,
        stack=tuple(stack or ()),
        isr=tuple(priority.vectors(apic.isr)),
        agrees=differ is None,
        text=differ or "",
    )


def text(rows: Sequence[LintView | LintPage] | LintPage) -> str:
    """Return the lints, each with the places of its findings, or what to read."""
    if isinstance(rows, LintPage):
        return page_text(rows)
    width = max((len(row.name) for row in rows), default=0)
    out = []
    for row in rows:
        if isinstance(row, LintPage):
            out.append(f"{row.name:<{width}} {row.severity:<7} {row.text}")
            continue
        on = "on " if row.on else "off"
        head = f"{on} {row.found:>7}  {row.name:<{width}} {row.severity:<7}"
        out.append(f"{head} {row.text}")
        out += map(finding_text, row.places)
    if rows and isinstance(rows[0], LintPage):
        out.append("lint --explain NAME tells what, why, where it bites and how to fix")
    return "\n".join(out)


def finding_text(row: FindingView) -> str:
    """Return a finding on a line: how often, whom it is about, where, and the words."""
    where = [] if row.vcpu < 0 else [f"vCPU {row.vcpu}"]
    if row.seq is not None:
        where.append(f"event {row.seq}")
    if row.at is not None:
        where.append(f"{row.at:,} ns")
    if row.rip is not None:
        by = "" if row.ran == row.vcpu else f" of vCPU {row.ran}"
        where.append(f"RIP {row.rip:#x}{by}")
    return f"{row.times:>11}  {', '.join(where)}: {row.text}".rstrip(": ")


def page_text(page: LintPage) -> str:
    """Return the page of a lint, wrapped."""
    of = "" if page.plugin is None else f", of plug-in {page.plugin}"
    out = [f"{page.name} ({page.severity}{of}): {page.text}"]
    parts = {
        "What it finds": page.what,
        "Why it matters": page.why,
        "Where it bites": page.where,
        "How to fix it": page.fix,
    }
    for head, words in parts.items():
        if words is not None:
            wrapped = textwrap.fill(
                words, WIDTH, initial_indent="  ", subsequent_indent="  ",
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
            out += ["", head, wrapped]
    return "\n".join(out)


def isrvec_text(view: IsrvecView) -> str:
    """Say what is in the stack and in the ISR, and whether that agrees."""
    if not view.on:
        return f"vCPU {view.vcpu}: isrvec is off; set isrvec on"
    what = "gives the PPR" if view.gives_ppr else "checks the ISR"
    stack, isr = vectors(view.stack), vectors(view.isr)
    verdict = "they agree" if view.agrees else "they do NOT agree"
    return f"vCPU {view.vcpu}: isrvec_stk {stack} ({what}); ISR {isr}; {verdict}"
