"""A branch of a recording by what the user calls it: FILE, or FILE@BRANCH."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import reader
from lapis_sessions.text.visible import quoted, quoted_path
from lapis_sessions.timeline.branches import FIRST, listed

if TYPE_CHECKING:
    from lapis_sessions.recording.format.reader import RecordedBranch, Recording


class Named(NamedTuple):
    """A recording, and the branch of it that is meant."""

    recording: Recording
    branch: RecordedBranch

    @property
    def text(self) -> str:
        """What is meant, for a message."""
        if len(self.recording.branches) == 1:
            return self.recording.name
        return f"{self.recording.name}@{self.branch.name}"


def find(text: str) -> Named:
    """Read FILE or FILE@BRANCH, of which FILE alone is its first branch.

    A file whose name holds an @ is meant when there is one. Raises `RecordingError`.
    """
    path, name = parts(text)
    recording = reader.read(path)
    return Named(recording, branch_of(recording, name))


def parts(text: str) -> tuple[str, str]:
    """Return the names of the file and of the branch, neither of which need exist."""
    path, at, name = text.rpartition("@")
    return (text, FIRST) if not at or _is_file(text) else (path, name)


def branch_of(recording: Recording, name: str) -> RecordedBranch:
    """Return a branch by name; raise `RecordingError` listing those there are."""
    for branch in recording.branches:
        if branch.name == name:
            return branch
    known = listed([branch.name for branch in recording.branches])
    raise RecordingError(
        f"{quoted_path(recording.name)} has no branch {quoted(name)}: {known}"
    )


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False
