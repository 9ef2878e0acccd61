"""From a test that failed to the recording and the evidence of each of its machines."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from re import sub
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from lapis import opening
from lapis.kernel_tests import evidence
from lapis_engine.errors import LapisError
from lapis_sessions.errors import RecordingError
from lapis_sessions.text.visible import quoted_path

if TYPE_CHECKING:
    from lapis.exploring import Exploration
    from lapis.kernel_tests.evidence import Evidence
    from lapis.kernel_tests.machine import KernelMachine
    from lapis.kernel_tests.schedules import Schedules

SUFFIX: Final = ".lapis"
LONGEST: Final = 80
"""Characters of a name that are kept, beside what makes it its own."""


def name_of(test: str) -> str:
    """Return what the recording of a test is called, from the test's id.

    Two tests have two names, though they look alike when they are made fit for a file.

    >>> name_of("test_a.py::test_it[a/b]")
    'test_a.py-test_it-a-b-4107dc19'
    """
    plain = sub(r"[^A-Za-z0-9._]+", "-", test).strip("-.")
    own = blake2b(test.encode(errors="replace"), digest_size=4).hexdigest()
    return f"{plain[-LONGEST:].lstrip('-.')}-{own}"


def of_machine(machine: KernelMachine, place: Path, seed: int) -> Evidence:
    """Record all that was done to the machine of `lapis_machine`, and describe it."""
    wanted, notes = f"{place}{SUFFIX}", list[str]()
    file: str | None = None
    try:
        _make_room(place)
        machine.record(wanted, force=True)
        file = wanted
    except LapisError as error:
        notes.append(f"there is no recording: {error}")
    return evidence.gathered(machine, "lapis_machine", seed, file, notes)


def of_schedules(schedules: Schedules, place: Path, tries: int) -> Evidence | None:
    """Record the schedule that failed, shrunk by so many tries, and describe its end.

    None when no schedule failed.
    """
    done = schedules.last
    if done is None or done.found is None:
        return None
    title = f"lapis_schedules, {done.where}"
    with TemporaryDirectory() as elsewhere:
        wanted, notes = f"{place}{SUFFIX}", list[str]()
        file: str | None = None
        try:
            _make_room(place)
            path = done.save(wanted, force=True)
            file = wanted
        except LapisError as error:
            notes.append(f"there is no recording: {error}")
            path = done.save(Path(elsewhere, f"a{SUFFIX}"))
        notes.append(_shrunk(done, path, tries))
        with opening.replay(path) as session:
            session.goto("end")
            seed = done.seed if done.coverage is None else None
            return evidence.gathered(session, title, seed, file, notes)


def _make_room(place: Path) -> None:
    """Make the folder of a recording; raise `RecordingError`."""
    folder = place.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not the name of a folder"
        where = quoted_path(str(folder))
        raise RecordingError(f"folder {where} cannot be made: {why}") from None


def _shrunk(done: Exploration, file: Path, tries: int) -> str:
    """Shrink a recording in its place; say what came of it."""
    if not tries:
        return "the schedule as it was found, not shrunk"
    try:
        view = done.shrink(file, tries=tries)
    except LapisError as error:
        return f"the schedule as it was found, not shrunk: {error}"
    before, after = view.before.switches, view.after.switches
    if after >= before:
        return f"nothing could be taken away in {view.tries:,} tries"
    return (
        f"the schedule was shrunk from {before:,} switches between vCPUs to {after:,} "
        f"in {view.tries:,} tries"
    )
