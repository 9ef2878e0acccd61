"""Writing a file whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.draft import Draft, Target, look, why
from lapis_sessions.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

NEW = ".new"
"""What a file is called till it is whole; a recording that is being made is another."""


def check(path: str, *, force: bool) -> Target:
    """Return `path` as a target; raise `RecordingError` when it must not be written.

    What takes long looks before it begins, and writes to the target that it saw: then
    nobody's work of the time between is replaced.
    """
    return look(path, force=force)


def write(path: str | Target, pieces: Iterable[bytes], *, force: bool = False) -> int:
    """Write `pieces` to a file beside `path` that takes its name in the end.

    Returns the bytes written; raises `RecordingError`, and then `path` is as it was.
    """
    target = look(path, force=force) if isinstance(path, str) else path
    draft = Draft(target, NEW)
    try:
        size = 0
        for piece in pieces:
            draft.write(piece)
            size += len(piece)
        draft.sync()
    except OSError as error:
        draft.drop()
        raise RecordingError(
            f"{target.path!r} cannot be written: {why(error)}"
        ) from None
    except BaseException:
        draft.drop()
        raise
    draft.land()
    return size
