"""Command lines on live sessions, fifty to a session.

Whatever a line is, it becomes an outcome; one that is refused changes nothing, nor
does one that only shows; none takes long but one that runs the guest.
"""

from __future__ import annotations

import json
import os
from contextlib import chdir, suppress
from functools import cache
from time import process_time
from typing import TYPE_CHECKING, Any

from campaign.lines import Lines
from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.completion import complete
from lapis_sessions.errors import CommandError, RecordingError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from campaign.case import Case
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.session import Outcome, Session

EACH = 50
GUESTS = ("ap-bringup", "ap-bringup", "level", "nesting", "read-device", "rep-outs")
SECONDS = 2.0
MOVING_SECONDS = 10.0
"""Of a line whose purpose is time; it is paced to `MOST`."""
MOST = 20_000
"""Instructions of one line."""
LONGEST = 2000
"""Characters of a refusal."""


@cache
def extensions() -> Extensions:
    """What there is in every session."""
    return discover().extensions


class Watched:
    """A session, and what it was before the line at hand."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._digester = Digester(session.machine)
        self.before = self.state()

    def state(self) -> dict[str, Any]:
        """Return everything that a refusal must leave alone."""
        session = self.session
        line, machine = session.timeline, session.machine
        return {
            "digest": self._digester.digest(),
            "spot": line.spot,
            "branch": line.branch.name,
            "branches": {n: len(b.entries) for n, b in line.branches.items()},
            "names": dict(line.names),
            "breakpoints": list(machine.breakpoints),
            "catches": repr(machine.catches.items),
            "rules": [(rule.text, rule.state) for rule in session.rules.rules],
            "selected": session.selected,
            "recording": None if session.writer is None else session.writer.path,
            "limit": session.limit,
        }


def one(case: Case) -> None:
    """Drive one session."""
    rng, case.done = case.rng, EACH
    cpus = rng.choice((1, 2, 2, 4, 8))
    options = SessionOptions(
        rng.choice(GUESTS), cpus, "4M", rng.choice(sorted(extensions().profiles)),
        quantum=rng.choice((1, 10, 1000)),
    )  # fmt: skip
    with chdir(case.folder):
        os.mkfifo("fifo")
        session = open_session(options, extensions())
        lines = Lines(rng, session.registry, sorted(session.symbols), cpus)
        try:
            if rng.random() < 0.5:
                start_recording(session, "first.lapis")
            watched = Watched(session)
            for _ in range(EACH):
                _line(case, watched, lines)
        finally:
            with suppress(RecordingError):  # its file was written by another line
                session.close()


def pace() -> Callable[[int], int]:
    """Return a pace that breaks off after `MOST` instructions."""
    left = MOST

    def some(wanted: int) -> int:
        nonlocal left
        now = min(wanted, left, 5000)
        left -= now
        return now

    return some


def _line(case: Case, watched: Watched, lines: Lines) -> None:
    session = watched.session
    kind, line = lines.line()
    case.doing(f"{options_of(session)}: {line!r}")
    begun = process_time()
    outcome = session.execute(line, pace=pace())
    took = process_time() - begun
    case.timed(line, took)
    case.tally(f"{kind}: {'done' if outcome.ok else 'refused'}")
    effect = effect_of(session, line)
    if took > (MOVING_SECONDS if effect == "time-moving" else SECONDS):
        case.find("slow", f"{took:.1f} s: {line!r}")
    _is_told(case, line, outcome)
    now = watched.state()
    if not outcome.ok:
        # A recording that could not get its name is kept under another, and closed.
        closed = "kept as" in outcome.error and now["recording"] is None
        but = {"recording"} if closed else set()
        _compare(case, f"{line!r}: {outcome.error}", watched.before, now, but)
    elif effect == "read-only" and "--touch" not in line:
        _compare(case, f"{line!r} shows", watched.before, now, {"selected"})
    watched.before = now
    begun = process_time()
    complete(session, line[: lines.rng.randrange(len(line) + 1)])
    if process_time() - begun > SECONDS:
        case.find("slow", f"completion of {line!r}")


def options_of(session: Session) -> str:
    """Name a session in a line."""
    assert session.origin is not None
    options = session.origin.options
    return f"{options.guest} {options.profile} cpus {options.cpus}"


def effect_of(session: Session, line: str) -> str:
    """Return the declared effect of a line; nothing for what is none."""
    try:
        return session.registry.parse(line, session).command.effect
    except CommandError:
        return ""


def _is_told(case: Case, line: str, outcome: Outcome) -> None:
    """Hold an outcome to its form."""
    json.dumps(outcome.to_dict(), allow_nan=False)
    if outcome.ok:
        return
    if not outcome.error or "\n" in outcome.error or len(outcome.error) > LONGEST:
        case.find("not a sentence", f"{line[:200]!r}: {outcome.error[:500]!r}")


def _compare(
    case: Case, what: str, before: dict[str, Any], now: dict[str, Any], but: set[str]
) -> None:
    for name in sorted(now.keys() - but):
        if now[name] != before[name]:
            text = f"{name} was {before[name]} and is {now[name]}"
            case.find(f"{name} changed", f"{what[:500]}: {text[:1000]}")
