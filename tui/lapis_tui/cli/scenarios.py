"""`lapis scenarios` and `lapis scenario`: the recordings that come with a text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lapis_sessions.errors import SessionError
from lapis_sessions.gallery import catalog, check, render, walk
from lapis_sessions.text.visible import shown
from lapis_tui import output, statuses
from lapis_tui.cli import headless, plugged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.gallery.catalog import Scenario
    from lapis_sessions.gallery.walk import Visit
    from lapis_sessions.plain import Data

JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, one line each."
)


@click.command(epilog=statuses.epilog("scenarios"))
@click.option(
    "--check", "checks", is_flag=True, help="Replay all; status 1 if anything differs."
)
@plugged.OPTION
@JSON
def scenarios(checks: bool, as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the scenarios of the gallery."""
    extensions = plugged.extensions()
    found = catalog.everything(extensions.scenarios)
    if checks:
        return _check(found, extensions, as_json=as_json)
    if as_json:
        for scenario in found:
            output.data(walk.listed(scenario))
    else:
        output.say(render.gallery(found))
    return headless.OK


def scenario(
    name: str,
    lesson: bool,  # noqa: FBT001 - click passes it by name
    checks: bool,  # noqa: FBT001 - click passes it by name
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Do what `lapis scenario` is told (`lapis_tui.cli.replaying` has its options)."""
    if lesson and checks:
        raise click.UsageError("--lesson and --check exclude each other")
    extensions = plugged.extensions()
    found = catalog.find(name, extensions.scenarios)
    if checks:
        return _check([found], extensions, as_json=as_json)
    guide = Guide(found, extensions, lesson=lesson, as_json=as_json)
    guide.walk()
    return headless.OK


def _check(wanted: Sequence[Scenario], extensions: Extensions, *, as_json: bool) -> int:
    status = headless.OK
    for each in wanted:
        report = check.check(each, extensions)
        if as_json:
            output.data(report.to_dict())
        else:
            output.say(render.report(shown(report)))
        status = headless.FAILED if report.failures else status
    return status


class Guide:
    """Tells a scenario, point by point, and asks."""

    def __init__(
        self, scenario: Scenario, extensions: Extensions, *, lesson: bool, as_json: bool
    ) -> None:
        """Prepare to tell `scenario`."""
        self._scenario = scenario
        self._extensions = extensions
        self._lesson = lesson
        self._json = as_json
        self._right = 0

    def walk(self) -> None:
        """Go from the first point to the last."""
        told = walk.listed(self._scenario) | {"text": self._scenario.text.strip()}
        self._say(told, render.opening(self._scenario))
        for tape in self._scenario.tapes:
            if not self._json:
                output.say(render.tape(self._scenario, tape))
            tour = walk.tour(self._scenario, tape, self._extensions)
            for number, visit in enumerate(tour, 1):
                self._visit(visit, number)
        if self._lesson:
            asked = self._scenario.questions
            told = {"right": self._right, "asked": asked}
            self._say(told, render.score(self._right, asked))

    def _say(self, told: Data, text: str) -> None:
        if self._json:
            output.data(told)
        else:
            output.say(text)

    def _visit(self, visit: Visit, number: int) -> None:
        # A point is told before its question is put, and the answer comes after.
        told = walk.told(visit, number) if self._json else {}
        self._say(told, "" if self._json else render.point(visit, number))
        if self._lesson and visit.point.ask:
            self._ask(visit)

    def _ask(self, visit: Visit) -> None:
        point = visit.point
        output.say(render.question(point), err=self._json)
        given = _line()
        right = given is not None and walk.is_right(point, given)
        self._right += right
        told = {
            "asked": point.ask,
            "given": given,
            "right": right,
            "answer": point.answer,
            "because": point.because,
        }
        self._say(told, render.answer(point, given, right=right))


def _line() -> str | None:
    """Return a line of standard input, or None when there are no more.

    Raises `SessionError` for what is no text.
    """
    if sys.stdin is None:  # closed before we began
        return None
    if sys.stdin.isatty():
        output.say("   > ", err=True, end="")
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise SessionError("standard input is not text in UTF-8") from None
    return line.strip() if line else None
