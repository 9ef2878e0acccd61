"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lapis_sessions.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

NEW = ".new"
"""What a file is called till it is whole; a recording that is being made is another."""


def check(path: str, *, force: bool) -> None:
    """Raise `RecordingError` when `path` is there and must not be replaced."""
    if not path or "\0" in path:
        raise RecordingError(f"{path!r} is not the name of a file")
    try:
        is_folder, is_there = Path(path).is_dir(), Path(path).exists()
    except OSError:
        return  # writing will say it better
    if is_folder:
        raise RecordingError(f"{path!r} is a directory")
    if is_there and not force:
        raise RecordingError(f"{path!r} is there already; --force replaces it")


def write(path: str, pieces: Iterable[bytes], *, force: bool = False) -> int:
    """Write `pieces` to a file beside `path` that takes its name in the end.

    Returns the bytes written; raises `RecordingError`, and then `path` is as it was.
    """
    check(path, force=force)
    target = Path(path)
    new = target.with_name(f"{target.name}{NEW}")
    try:
        with new.open("wb" if force else "xb") as file:
            try:
                return _fill(file, pieces, target)
            except BaseException:
                with suppress(OSError):
                    new.unlink()
                raise
    except FileExistsError:
        raise RecordingError(
            f"{str(new)!r} is there already, of something that was not finished; "
            f"--force replaces it"
        ) from None
    except OSError as error:
        raise RecordingError(f"{path!r} cannot be written: {error.strerror}") from None


def _fill(file: BinaryIO, pieces: Iterable[bytes], target: Path) -> int:
    size = sum(file.write(piece) for piece in pieces)
    file.flush()
    os.fsync(file.fileno())
    Path(file.name).replace(target)
    return size
