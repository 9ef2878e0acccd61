"""Replaying a scenario, and seeing whether all that it asserts still holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_sessions.errors import CommandError
from lapis_sessions.gallery import walk
from lapis_sessions.recording.play import replaying
from lapis_sessions.text.expressions import Expression, ExpressionError

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.gallery.catalog import Expectation, Scenario, Tape
    from lapis_sessions.gallery.walk import Visit
    from lapis_sessions.plain import Data
    from lapis_sessions.session import Session


@dataclass(slots=True)
class Report:
    """What a check came to."""

    scenario: str
    hashes: int = 0
    """Hashes that were compared and equal."""
    held: int = 0
    """Assertions that held."""
    failures: list[str] = field(default_factory=list)
    """A sentence for each that did not, and for each replay that diverged."""

    def to_dict(self) -> Data:
        """Return it as plain data that JSON can hold."""
        return {
            "scenario": self.scenario,
            "ok": not self.failures,
            "hashes": self.hashes,
            "held": self.held,
            "failures": list(self.failures),
        }


def check(
    scenario: Scenario, extensions: Extensions, folder: Path | None = None
) -> Report:
    """Replay every recording of a scenario and test every assertion.

    Whatever is wrong becomes a failure of the report. Recordings are taken from
    `folder` where one is named.
    """
    report = Report(scenario.name)
    for tape in scenario.tapes:
        try:
            _replay(report, scenario, tape, extensions, folder)
            for number, visit in enumerate(
                walk.tour(scenario, tape, extensions, folder), 1
            ):
                _point(report, f"{tape.name}, point {number}", visit)
        except LapisError as error:
            report.failures.append(f"{tape.name}: {error}")
    return report


def _replay(
    report: Report,
    scenario: Scenario,
    tape: Tape,
    extensions: Extensions,
    folder: Path | None,
) -> None:
    recording = walk.opened(scenario, tape, folder)
    session = replaying.session_of(recording, extensions)
    verdict = replaying.verify(session, recording)
    report.hashes += verdict.hashes
    if verdict.divergence is not None:
        report.failures.append(
            f"{tape.name}: {verdict.divergence.text}; if the engine is meant to do so "
            f"now: {walk.REBUILD}"
        )


def _point(report: Report, where: str, visit: Visit) -> None:
    for line in visit.point.show:
        why = _why_not(visit.session, line)
        outcome = visit.session.execute(line) if not why else None
        if outcome is None or not outcome.ok:
            text = why or (outcome.error if outcome else "")
            report.failures.append(f"{where}: {line}: {text}")
    for expectation in visit.point.expect:
        why = found(visit.session, expectation)
        if why:
            report.failures.append(f"{where}: {expectation.command}: {why}")
        else:
            report.held += 1


def found(session: Session, expectation: Expectation) -> str:
    """Return what is found in place of what is expected; nothing if that holds."""
    why = _why_not(session, expectation.command)
    if why:
        return why
    outcome = session.execute(expectation.command)
    if not outcome.ok:
        return outcome.error
    try:
        value = Expression(expectation.what, {"result"}).evaluate(
            {"result": outcome.result}
        )
    except ExpressionError as error:
        return str(error)
    # A bool is an int in Python, and 1 is not true here.
    if value == expectation.value and (
        isinstance(value, bool) is isinstance(expectation.value, bool)
    ):
        return ""
    return f"{expectation.what} is {value!r} and not {expectation.value!r}"


def _why_not(session: Session, line: str) -> str:
    """Say why a command has no place at a point: it would move the machine."""
    try:
        call = session.registry.parse(line, session)
    except CommandError as error:
        return str(error)
    if call.effect == "read-only":
        return ""
    return f"{call.command.name} changes the machine, and a point is only looked at"
