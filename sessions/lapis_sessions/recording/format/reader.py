"""Reading a recording: everything is checked, nothing is trusted, nothing is run.

What it may hold in all says `budget`, and is counted before it is taken.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from lapis_sessions import regular
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import budget, chunks, schema, tail, taking
from lapis_sessions.recording.format.budget import Spent
from lapis_sessions.recording.format.collecting import unwatched
from lapis_sessions.recording.format.contents import (
    Outline,
    RecordedBranch,
    Recording,
    State,
)
from lapis_sessions.recording.format.tail import Damage
from lapis_sessions.regular import FileError, NoNameError
from lapis_sessions.text.visible import quoted_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from lapis_sessions.recording.format.budget import Budget
    from lapis_sessions.recording.format.schema import Header

__all__ = [
    "Outline", "RecordedBranch", "Recording", "State", "is_recording", "outline",
    "read",
]  # fmt: skip
F = TypeVar("F", bound=Outline)


def read(path: str, limits: Budget = budget.DEFAULT) -> Recording:
    """Read a recording; raise `RecordingError` saying what is wrong with it."""
    with unwatched(), _opened(path, limits) as file:
        found: Recording = _read(file, path, Recording, limits)
        return found


def outline(path: str, limits: Budget = budget.DEFAULT) -> Outline:
    """Look through a recording as `read` does, and keep only how much there is."""
    with unwatched(), _opened(path, limits) as file:
        return _read(file, path, Outline, limits)


def is_recording(path: str) -> bool:
    """Tell whether a file begins as a recording does, whole or not."""
    try:
        with regular.opened(path, "recording") as file:
            return file.read(len(chunks.MAGIC)) == chunks.MAGIC
    except (FileError, OSError):
        return False


@contextmanager
def _opened(path: str, limits: Budget) -> Iterator[BinaryIO]:
    try:
        with regular.opened(path, "recording") as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.file:
                raise RecordingError(
                    f"{quoted_path(path)} has {size:,} bytes; {limits.file:,} is the "
                    f"most"
                )
            yield file
    except NoNameError as error:
        raise RecordingError(f"{quoted_path(path)} {error.why}") from None
    except FileError as error:
        raise RecordingError(
            f"{quoted_path(path)} cannot be read: {error.why}"
        ) from None
    except OSError as error:
        raise RecordingError(
            f"{quoted_path(path)} cannot be read: {error.strerror}"
        ) from None


def _read(file: BinaryIO, path: str, kind: type[F], limits: Budget) -> F:
    size = os.fstat(file.fileno()).st_size
    versions = _versions(file, path, size)
    try:
        found = _chunks(file, path, kind, Spent(limits))
    except RecordingError as error:
        raise RecordingError(f"{quoted_path(path)}: {error}") from None
    if found is None:
        raise RecordingError(_no_header(file, path))
    if versions != (found.header.format, found.header.reader):
        raise RecordingError(
            f"{quoted_path(path)} has a damaged header: its versions disagree"
        )
    at = file.tell()
    found.lost = size - at
    if found.lost:
        found.damage = tail.damage(file.read(), at)
        if found.complete and found.damage is None:
            found.damage = Damage(at, None, ())
    return found


def _chunks(file: BinaryIO, path: str, kind: type[F], spent: Spent) -> F | None:
    """Take up all that is whole; None where not even the header is."""
    size = os.fstat(file.fileno()).st_size
    each = chunks.scan(file)
    first = next(each, None)
    if first is None:
        return None
    head = taking.header(first, spent)
    del first  # the image may be large
    if kind is Outline:
        head = _without_data(head)
    found = kind(path, size, head, chunks=1)
    taker = taking.Taker(found, spent)
    for chunk in each:
        taker.take(chunk)
        if found.complete:
            break
    return found


def _without_data(head: Header) -> Header:
    """Return the header with no bytes for each file that is within."""
    image, attached = head.image, head.attached
    if image.data is not None:
        image = structs.replace(image, data=b"")
        attached = [structs.replace(row, data=b"") for row in attached]
    return structs.replace(head, image=image, attached=attached)


def _no_header(file: BinaryIO, path: str) -> str:
    if tail.damage(file.read(), file.tell()) is None:
        return f"{quoted_path(path)} ends before its header: nothing can be replayed"
    return f"{quoted_path(path)} has a damaged header: nothing can be replayed"


def _versions(file: BinaryIO, path: str, size: int) -> tuple[int, int]:
    """Return the versions of the format and of the oldest reader."""
    if not size:
        raise RecordingError(f"{quoted_path(path)} is empty")
    head = file.read(len(chunks.MAGIC) + chunks.VERSIONS.size)
    if not head.startswith(chunks.MAGIC):
        if chunks.MAGIC.startswith(head):
            raise RecordingError(
                f"{quoted_path(path)} has {size} bytes: its header is cut off"
            )
        raise RecordingError(f"{quoted_path(path)} is not a recording of Lapis")
    if len(head) < len(chunks.MAGIC) + chunks.VERSIONS.size:
        raise RecordingError(
            f"{quoted_path(path)} has {size} bytes: its header is cut off"
        )
    version, reader = chunks.VERSIONS.unpack_from(head, len(chunks.MAGIC))
    if reader > schema.FORMAT:
        raise RecordingError(
            f"{quoted_path(path)} is of format {version} and needs a reader of format "
            f"{reader}; this one knows {schema.FORMAT}: a newer Lapis reads it"
        )
    return version, reader
