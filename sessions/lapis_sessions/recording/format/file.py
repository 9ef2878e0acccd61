"""The file of a recording: begun beside its name, and given its name when complete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lapis_sessions.draft import Draft, look, why
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import chunks, schema
from lapis_sessions.text.visible import quoted_path

if TYPE_CHECKING:
    from lapis_sessions.recording.format.schema import ActRow, Header, Row

PARTIAL = ".partial"
"""What a recording is called till it is closed; a second one at once has a number."""


class File:
    """A recording on disk. What was there by its name stays until it is closed."""

    def __init__(self, path: str, *, force: bool) -> None:
        """Open it beside `path`; raise `RecordingError` if that must not be written."""
        self.path = Path(path)
        self.chunks = 0
        self.size = 0
        """Bytes that were written."""
        self._draft = Draft(look(path, force=force), PARTIAL)

    @property
    def name(self) -> str:
        """What it is called for now."""
        return self._draft.name

    @property
    def others(self) -> list[str]:
        """Recordings to the same name that were not closed, or are being made."""
        return self._draft.others

    def begin(self, head: Header) -> None:
        """Put the header on disk; raise `RecordingError`, with no file left behind."""
        try:
            versions = chunks.VERSIONS.pack(schema.FORMAT, schema.READER)
            self.chunk(chunks.MAGIC + versions + packed("HEAD", head)[1])
            self._draft.sync()
        except OSError as error:
            self._draft.drop()
            raise RecordingError(
                f"{quoted_path(str(self.path))} cannot be written: {why(error)}"
            ) from None

    def chunk(self, data: bytes) -> None:
        """Write a chunk and hand it to the system; raise `OSError`."""
        self._draft.write(data)
        self.chunks += 1
        self.size += len(data)

    def give_up(self) -> None:
        """Close what cannot be written any more."""
        self._draft.give_up()

    def close(self) -> None:
        """Close it under its own name; raise `RecordingError`."""
        self._draft.land()


def packed(kind: str, body: Row | list[ActRow]) -> tuple[int, bytes]:
    """Return how many bytes a body has when it is expanded, and its chunk."""
    raw = msgspec.msgpack.encode(body)
    return len(raw), chunks.encode(kind, raw)
