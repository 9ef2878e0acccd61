"""A fault of ours on the session's thread: what is saved of it, told and reported."""

from __future__ import annotations

import platform
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from lapis_sessions.draft import why
from lapis_sessions.errors import RecordingError
from lapis_sessions.text.visible import printed, visible
from lapis_tui import built

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lapis_sessions.session import Session


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, and what became of the recording."""

    what: str
    """The exception in one line."""
    trace: str
    """Where it was raised."""
    lines: tuple[str, ...]
    """Commands that were done last, oldest first; the last one failed."""
    recording: str | None
    """The file that has what was done; None where nothing was recorded."""
    trouble: str | None
    """Why that file could not be closed, or None."""

    @property
    def saved(self) -> str:
        """What became of the recording, in a sentence."""
        if self.trouble is not None:
            return f"The recording could not be closed: {self.trouble}"
        if self.recording is not None:
            return f"The recording is saved: {self.recording}"
        return "There was no recording: what was done here cannot be kept."


def of(error: Exception, lines: Iterable[str], session: Session) -> Failure:
    """Close the recording of a session that failed, and return what there is to tell.

    The machine is not what its acts made of it, so its state is left out of the file.
    """
    writer, trouble = session.writer, None
    try:
        session.close(intact=False)
    except RecordingError as refused:
        trouble = str(refused)
    except Exception as broken:  # noqa: BLE001 - whatever is broken, the fault is told
        trouble = f"{type(broken).__name__}: {broken}"
        if writer is not None:
            trouble = f"{trouble}; what was written is in {writer.name}"
    return Failure(
        what=visible(f"{type(error).__name__}: {error}"),
        trace="".join(traceback.format_exception(error)),
        lines=tuple(lines),
        recording=str(writer.path) if writer is not None else None,
        trouble=trouble,
    )


def report(failure: Failure) -> str:
    """Return the text that whoever mends it needs."""
    parts = f"core {built.core()}, engine {built.build()}"
    rows = [
        "Lapis failed. This is all that a report of it needs; it was sent nowhere.",
        "",
        f"what        {failure.what}",
        f"version     lapis {version('lapis')} ({parts})",
        f"on          Python {platform.python_version()}, {platform.platform()}",
        f"started as  {' '.join(sys.argv)}",
        f"recording   {failure.saved}",
        "",
        "The last commands, the one that failed at the end:",
        *(f"  {line}" for line in failure.lines or ("(none)",)),
        "",
        failure.trace,
    ]
    return printed("\n".join(rows))


def keep(text: str, folder: Path | None) -> Path | str:
    """Write a report into `folder`; return its path, or why there is none."""
    if folder is None:
        return "there is no folder for it"
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    path = folder / f"failure-{stamp}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", "backslashreplace")
    except OSError as error:
        return why(error)
    return path


def told(failure: Failure, file: Path | str) -> str:
    """Return the text of the dialog."""
    kept = (
        f"The report could not be written: {file}. The results have it."
        if isinstance(file, str)
        else f"What to report is in {file}"
    )
    last = f"`{failure.lines[-1]}` failed" if failure.lines else "it failed at once"
    return (
        f"{last}: {failure.what}\nThis is a fault of Lapis, and the machine cannot go "
        f"on.\n\n{failure.saved}\n{kept}"
    )
