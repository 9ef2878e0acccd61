"""`lapis replay` and `lapis session`: what is done with recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lapis_engine.errors import ConfigError
from lapis_sessions.gallery import catalog, lesson
from lapis_sessions.recording import view as views_recording
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_tui import ending, output
from lapis_tui.cli import compare as cli_compare
from lapis_tui.cli import configured, console, headless, plugged, screen
from lapis_tui.cli import options as cli_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.recording.format.reader import Recording
    from lapis_sessions.session import Session

CUT_OFF, DAMAGED = 3, 4
STATUS = {
    "whole": headless.OK,
    "diverged": headless.FAILED,
    "cut off": CUT_OFF,
    "damaged": DAMAGED,
}
"""Exit status of `session verify`, `session info` and `replay --headless`; 2 is for
what is no recording, or cannot be replayed here."""


def opened(recording: Recording, profile: str = "") -> Session:
    """Open a recording at its beginning, with what there is to be warned of."""
    session = replaying.session_of(recording, plugged.extensions(), profile)
    for warning in views_recording.warnings(recording):
        session.notices.append(f"{recording.name!r}: {warning}")
    return session


def replay(  # noqa: PLR0913, PLR0917 - one argument per option
    file: str,
    without: bool,  # noqa: FBT001 - click passes it by name
    verify: bool,  # noqa: FBT001 - click passes it by name
    to: str,
    commands: Sequence[str],
    tape: str,
    profile: str,
    compare: str,
    memory_limit: str,
    theme: str | None,
    is_ascii: bool | None,  # noqa: FBT001 - click passes it by name
    as_json: bool,  # noqa: FBT001 - the same
    at_prompt: bool,  # noqa: FBT001 - the same
) -> int:
    """Do what `lapis replay` is told (`lapis_tui.cli.replaying` has its options)."""
    path = _file_of(file, tape)
    recording = reader.read(path)
    if compare:
        return cli_compare.profiles(recording, profile, compare, as_json=as_json)
    session = opened(recording, profile)
    configured.tell(session)
    cli_options.limit(session, memory_limit)
    taught = lesson.of_file(path, plugged.extensions().scenarios)
    if taught is not None:
        lesson.teach(session, taught[1])
    if without or verify:
        return _verify(session, recording, as_json=as_json)
    lines = [*([f"goto {to}"] if to else []), *commands]
    if commands or (to and not sys.stdin.isatty()):
        with ending.listening() as end, ending.closing(session, end):
            return headless.perform(session, lines, end, as_json=as_json)
    for line in lines:
        outcome = session.execute(line)
        if not outcome.ok:
            raise ConfigError(f"--to {to}: {outcome.error}")
    session.read_only = True
    if at_prompt:
        with ending.listening() as end:
            return console.show(session, end)
    screen.need("use --headless or --console")
    with ending.listening() as end:
        return screen.show(session, end, theme, is_ascii=is_ascii)


def _is_there(name: str) -> bool:
    """Tell whether there is such a file; no file has a name that no system takes."""
    try:
        return Path(name).exists()
    except OSError:
        return False


def _file_of(name: str, tape: str) -> str:
    """Return the file of that name, or of the recording of a scenario.

    Raises `ScenarioError` for a scenario that has no such recording, and for a name
    that is neither but near to one.
    """
    scenarios = plugged.extensions().scenarios
    if _is_there(name) or not (tape or catalog.is_near(name, scenarios)):
        return name
    scenario = catalog.find(name, scenarios)
    return str(scenario.path(scenario.tape(tape)))


def _verify(session: Session, recording: Recording, *, as_json: bool) -> int:
    while session.notices:  # before anything runs
        output.tell(session.notices.pop(0))
    try:
        found = replaying.verify(session, recording)
    finally:
        session.release()
    view = views_recording.verdict(recording, found)
    output.result(view, views_recording.verdict_text, as_json=as_json)
    return STATUS[view.state]


def info(*, file: str, as_json: bool) -> int:
    """Do what `lapis session info` is told."""
    view = views_recording.info(reader.outline(file))
    output.result(view, views_recording.info_text, as_json=as_json)
    return STATUS[view.state]


def verify_file(
    *,
    file: str,
    memory_limit: str,
    as_json: bool,
) -> int:
    """Do what `lapis session verify` is told."""
    recording = reader.read(file)
    session = opened(recording)
    cli_options.limit(session, memory_limit)
    return _verify(session, recording, as_json=as_json)
