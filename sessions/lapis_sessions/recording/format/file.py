"""The file of a recording: begun beside its name, and given its name when complete."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from lapis_sessions import files
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import chunks, schema

if TYPE_CHECKING:
    from lapis_sessions.recording.format.schema import ActRow, Header, Row

PARTIAL = ".partial"


class File:
    """A recording on disk. What was there by its name stays until it is closed."""

    def __init__(self, path: str, *, force: bool) -> None:
        """Open it beside `path`; raise `RecordingError` if one of them is there."""
        self._named = path
        self.path = Path(path)
        self.chunks = 0
        self._force = force
        self._refuse()
        self._file = self._open()

    @property
    def name(self) -> str:
        """What it is called for now."""
        return self._file.name

    def _refuse(self) -> None:
        files.check(self._named, force=self._force)

    def _open(self) -> BinaryIO:
        name = str(self.path) + PARTIAL
        try:
            return Path(name).open("wb" if self._force else "xb")
        except FileExistsError:
            raise RecordingError(
                f"{name!r} is there already, of a recording that was not closed; "
                f"--force replaces it"
            ) from None
        except OSError as error:
            raise RecordingError(
                f"{name!r} cannot be written: {error.strerror}"
            ) from None
        except ValueError:
            raise RecordingError(f"{name!r} is not the name of a file") from None

    def begin(self, head: Header) -> None:
        """Put the header on disk; raise `RecordingError`, with no file left behind."""
        try:
            self._file.write(chunks.MAGIC)
            self._file.write(chunks.VERSIONS.pack(schema.FORMAT, schema.READER))
            self.chunk("HEAD", head)
            os.fsync(self._file.fileno())
        except OSError as error:
            self.give_up()
            with suppress(OSError):
                Path(self.name).unlink()
            raise RecordingError(
                f"{str(self.path)!r} cannot be written: {error.strerror}"
            ) from None

    def chunk(self, kind: str, body: Row | list[ActRow]) -> None:
        """Write a chunk and hand it to the system; raise `OSError`."""
        self._file.write(chunks.encode(kind, msgspec.msgpack.encode(body)))
        self._file.flush()
        self.chunks += 1

    def give_up(self) -> None:
        """Close what cannot be written any more."""
        with suppress(OSError):
            self._file.close()

    def close(self) -> None:
        """Close it under its own name; raise `RecordingError`."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._refuse()
            Path(self.name).replace(self.path)
        except RecordingError as error:
            raise RecordingError(f"{error}; it stays in {self.name!r}") from None
        except OSError as error:
            raise RecordingError(
                f"{str(self.path)!r} cannot be closed: {error.strerror}; it stays in "
                f"{self.name!r}"
            ) from None
