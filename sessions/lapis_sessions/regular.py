"""Reading files that users name: regular ones, of a bounded size, and never waiting.

A name may lead anywhere: to a device, whose mere opening does something, a FIFO that
nobody writes to, a link to itself, a file of /proc that says it is empty and never
ends. So nothing but a regular file is opened, it is looked at again once it is open, as
another may have taken its place, and no more is read than was said.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from lapis_sessions.errors import SessionError
from lapis_sessions.text.visible import quoted_path

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENING: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
PIECE: Final = 1 << 20
"""Bytes that are read at once."""


class FileError(SessionError):
    """A file that was named cannot be read."""

    title = "Bad file"

    def __init__(self, what: str, path: str, said: str, why: str) -> None:
        """Say that `path`, which was to be `what`, is not read: `said` of the file.

        `why` is the reason alone, as the system would put it.
        """
        super().__init__(f"{what} {quoted_path(path)}{said}")
        self.why = why


class NoFileError(FileError):
    """There is no file of that name."""


class NoNameError(FileError):
    """No file can have that name."""


def read(path: str, most: int, what: str) -> bytes:
    """Return a regular file of at most `most` bytes; raise `FileError`.

    `what` says in the error what it was to be.
    """
    with opened(path, what) as file, _told(path, what):
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise _too_large(path, what, f"{size}", most)
        data = _bounded(file, most)
    # What /proc has, and what still grows, is larger than it says.
    if len(data) > most:
        raise _too_large(path, what, f"more than {most}", most)
    return data


def opened(path: str, what: str) -> BinaryIO:
    """Open a regular file, of any size; raise `FileError`."""
    with _told(path, what):
        if not path:
            raise ValueError
        _refuse(Path(path).stat().st_mode, path, what)
        file = os.fdopen(os.open(path, OPENING), "rb")
        try:
            _refuse(os.fstat(file.fileno()).st_mode, path, what)
        except BaseException:
            file.close()
            raise
        return file


def _refuse(mode: int, path: str, what: str) -> None:
    if stat.S_ISDIR(mode):
        raise FileError(what, path, " is a directory", os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise FileError(what, path, " is not a regular file", "Not a regular file")


def _bounded(file: BinaryIO, most: int) -> bytes:
    """Read all, and a byte more than is allowed of what has more."""
    pieces = []
    left = most + 1
    while left and (piece := file.read(min(left, PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _too_large(path: str, what: str, size: str, most: int) -> FileError:
    said = f" has {size} bytes; {most} is the most"
    return FileError(what, path, said, os.strerror(errno.EFBIG))


@contextmanager
def _told(path: str, what: str) -> Iterator[None]:
    """Put into words what the system says of a file."""
    try:
        yield
    except FileNotFoundError as error:
        said = ": there is no such file"
        raise NoFileError(what, path, said, str(error.strerror)) from None
    except OSError as error:
        why = str(error.strerror)
        raise FileError(what, path, f" cannot be read: {why}", why) from None
    except ValueError:  # such as one with NUL in it
        why = "is not the name of a file"
        raise NoNameError(what, path, f" {why}", why) from None
