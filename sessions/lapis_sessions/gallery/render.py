"""Scenarios, their points and what a check of them came to, in words."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from lapis_sessions.gallery.catalog import Point, Scenario, Tape
    from lapis_sessions.gallery.check import Report
    from lapis_sessions.gallery.walk import Visit

WIDTH = 80
"""Columns of a text."""


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent
    )


def gallery(scenarios: list[Scenario]) -> str:
    """Return the list of them."""
    rows = [f"{visible(s.name):<19} {visible(s.summary)}" for s in scenarios]
    return "\n".join(
        [*rows, "", "lapis scenario NAME tells one; with --lesson it asks"]
    )


def opening(scenario: Scenario) -> str:
    """Return what is told before the first point."""
    title, source = visible(scenario.title), visible(scenario.source)
    head = [title, "=" * len(title), f"({source})"]
    return "\n".join([*head, "", _wrapped(scenario.text)])


def tape(scenario: Scenario, one: Tape) -> str:
    """Return the head of a recording."""
    machine = f"{one.guest}, {one.cpus} vCPUs, profile {one.profile}"
    if one.cpus == 1:
        machine = f"{one.guest}, 1 vCPU, profile {one.profile}"
    path = visible(str(scenario.path(one)))
    head = visible(f"{one.name}: {one.about}")
    return f"\n{head}\n  {visible(machine)}\n  lapis replay {path}"


def point(visit: Visit, number: int) -> str:
    """Return the text of a point and what its commands show."""
    place = f"instruction {visit.session.timeline.spot.at.retired:,}"
    if visit.point.branch != "main":
        place += f" of {visible(visit.point.branch)}"
    lines = ["", f"{number}. At {place}", _wrapped(visit.point.text, "   ")]
    for outcome in visit.shown():
        lines.append(f"   > {outcome.command}")
        lines.append(textwrap.indent(outcome.text.rstrip("\n") or "(nothing)", "     "))
    return "\n".join(lines)


def question(asked: Point) -> str:
    """Return the question of a point."""
    return _wrapped(f"? {asked.ask}", "   ")


def answer(asked: Point, given: str | None, *, right: bool) -> str:
    """Return what is to be said of an answer; None is that there was none."""
    if right:
        return _wrapped(f"Right: {asked.answer}. {asked.because}", "   ")
    begin = "" if given is None else f"You said {given!r}. "
    return _wrapped(f"{begin}It is {asked.answer}. {asked.because}", "   ")


def score(right: int, asked: int) -> str:
    """Return how a lesson went."""
    return f"\n{right} of {asked} predicted"


def report(found: Report) -> str:
    """Return what a check of one scenario came to."""
    if not found.failures:
        return (
            f"{found.scenario:<19} ok: {found.hashes} hashes equal, {found.held} "
            f"assertions hold"
        )
    count = len(found.failures)
    wrong = "1 thing is wrong" if count == 1 else f"{count} things are wrong"
    lines = [f"{found.scenario:<19} {wrong}"]
    return "\n".join([*lines, *(f"  {failure}" for failure in found.failures)])
