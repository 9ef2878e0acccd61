"""Writing a recording while the machine runs.

The header is on disk before the first act is. What was done goes out at every stop of
the machine, and often enough in between; a process that is killed loses only the rest.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from lapis_engine.checkpoint.digest import Digester
from lapis_engine.replay import Entry
from lapis_sessions.recording import chunks, schema
from lapis_sessions.recording.chunks import RecordingError
from lapis_sessions.recording.header import header
from lapis_sessions.recording.schema import (
    ActRow,
    Annotation,
    CheckpointRow,
    ForkRow,
    HashRow,
    Trailer,
)
from lapis_sessions.timeline.branches import FIRST, continues

if TYPE_CHECKING:
    from lapis_sessions.session import Session

PARTIAL = ".partial"
SECONDS = 0.25
"""What was done goes out at least so often."""
AT_ONCE = 4096
"""Acts that wait at most."""
PATIENCE = 60
"""How many times as long as it takes the machine runs before the next hash."""
FIELDS = 8
"""One hash in so many comes with every field of the state."""


class Writer:
    """A recording that is being made. A failure of the disk ends it, and is told."""

    def __init__(
        self, session: Session, path: str, *, force: bool = False, embed: bool = True
    ) -> None:
        """Begin, with all that was done so far; raise `RecordingError`."""
        self.path = Path(path)
        self.failed = ""
        """Why it ended before it was closed, or nothing."""
        self.acts = 0
        """Acts of the branch that is written."""
        self._session = session
        self._branch = session.timeline.branches[FIRST]
        self._branches = [FIRST]
        self._written = 0
        self._digester = Digester(session.machine)
        self._waiting: list[Entry] = []
        self._chunks = self._hashes = 0
        self._flushed = self._hashed = monotonic()
        self._cost = 0.0
        if self.path.exists() and not force:
            raise RecordingError(f"{path!r} is there already; --force replaces it")
        self._file = self._open(force=force)
        self._begin(header(session, embed=embed))

    def _open(self, *, force: bool) -> BinaryIO:
        name = self.path.with_name(self.path.name + PARTIAL)
        try:
            return name.open("wb" if force else "xb")
        except FileExistsError:
            raise RecordingError(
                f"{str(name)!r} is there already, of a recording that was not closed; "
                f"--force replaces it"
            ) from None
        except OSError as error:
            raise RecordingError(
                f"{str(name)!r} cannot be written: {error.strerror}"
            ) from None

    def _begin(self, head: schema.Header) -> None:
        try:
            self._file.write(chunks.MAGIC)
            self._file.write(chunks.VERSIONS.pack(schema.FORMAT, schema.READER))
            self._chunk("HEAD", head)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise RecordingError(
                f"{str(self.path)!r} cannot be written: {error.strerror}"
            ) from None
        timeline = self._session.timeline
        self._waiting = list(timeline.branches[FIRST].entries)
        self.flush()
        if timeline.branch.name != FIRST:
            self._fork()
        timeline.listeners.append(self._listen)

    # While it runs.

    def _listen(self, entry: Entry) -> None:
        if self._session.timeline.branch is not self._branch:
            self._fork()
            return
        last = self._waiting[-1] if self._waiting else None
        if last is not None and continues(last, entry):
            self._waiting[-1] = Entry(last.act, last.start, entry.end, entry.reason)
        else:
            self._waiting.append(entry)
        if len(self._waiting) >= AT_ONCE or monotonic() - self._flushed > SECONDS:
            self.flush()
            self._hash()

    def _fork(self) -> None:
        """Go on with the branch that the timeline is on, all of which is new here."""
        self.flush()
        branch = self._branch = self._session.timeline.branch
        rows = [_row(entry) for entry in branch.entries]
        parent = branch.parent if branch.parent in self._branches else FIRST
        self._branches.append(branch.name)
        row = ForkRow(branch.name, parent, rows)
        if self._guarded(lambda: self._chunk("FORK", row)):
            self._written += len(rows)
            self.acts = len(rows)

    def flush(self) -> None:
        """Write what waits."""
        self._flushed = monotonic()
        if self.failed or not self._waiting:
            return
        rows = [_row(entry) for entry in self._waiting]
        if self._guarded(lambda: self._chunk("ACTS", rows)):
            self.acts += len(rows)
            self._written += len(rows)
        self._waiting = []

    def _hash(self) -> None:
        begun = monotonic()
        at_end = self._session.timeline.at_end
        if self.failed or not at_end or begun - self._hashed < PATIENCE * self._cost:
            return
        self._hashes += 1
        if self._hashes % FIELDS:
            row = HashRow(self.acts, self._retired, self._digester.digest())
            self._guarded(lambda: self._chunk("hash", row))
        else:
            self.checkpoint()
        self._hashed = monotonic()
        self._cost = self._hashed - begun

    @property
    def _retired(self) -> int:
        return self._session.timeline.spot.at.retired

    def annotate(self, text: str, ask: str = "", answer: str = "") -> None:
        """Add a text at this point."""
        self.flush()
        note = Annotation(self.acts, self._retired, text, ask, answer)
        self._guarded(lambda: self._chunk("note", note))

    def checkpoint(self) -> None:
        """Add every field of the state, if the machine is where the file ends."""
        self.flush()
        if not self._session.timeline.at_end:
            return
        fields, digest = self._digester.fields(), self._digester.digest()
        row = CheckpointRow(self.acts, self._retired, digest, fields)
        self._guarded(lambda: self._chunk("CKPT", row))

    # Its end.

    def close(self) -> None:
        """Finish the file and give it its name; raise `RecordingError`."""
        self._silence()
        self.checkpoint()
        self._guarded(lambda: self._chunk("DONE", Trailer(self._written, self._chunks)))
        if self.failed:
            raise RecordingError(self.failed)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            Path(self._file.name).replace(self.path)
        except OSError as error:
            raise RecordingError(
                f"{str(self.path)!r} cannot be closed: {error.strerror}"
            ) from None

    def _silence(self) -> None:
        listeners = self._session.timeline.listeners
        if self._listen in listeners:
            listeners.remove(self._listen)

    def _guarded(self, write: object) -> bool:
        """Do a write; when it fails the recording ends, and the machine does not."""
        if self.failed:
            return False
        try:
            write()  # type: ignore[operator]
            self._file.flush()
        except OSError as error:
            self.failed = (
                f"recording to {str(self.path)!r} stopped: {error.strerror}; what is "
                f"on disk up to there can be replayed"
            )
            self._silence()
            self._session.notices.append(self.failed)
            return False
        return True

    def _chunk(self, kind: str, body: object) -> None:
        self._file.write(chunks.encode(kind, msgspec.msgpack.encode(body)))
        self._chunks += 1


def _row(entry: Entry) -> ActRow:
    end = entry.end
    args = dict(entry.act.args)
    return ActRow(entry.act.verb, args, end.retired, end.seq, end.now, entry.reason)
