"""Writing a recording while the machine runs.

The header is on disk before the first act is. What was done goes out at every stop of
the machine, and often enough in between; a process that is killed loses only the rest.
"""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from lapis_engine.replay.digest import Digester
from lapis_engine.replay.entries import Entry
from lapis_sessions.draft import why
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording.format import budget
from lapis_sessions.recording.format.file import File, packed
from lapis_sessions.recording.format.header import header
from lapis_sessions.recording.format.schema import (
    ActRow,
    Annotation,
    CheckpointRow,
    ForkRow,
    HashRow,
    Trailer,
    TurnRow,
)
from lapis_sessions.recording.format.spending import Spending
from lapis_sessions.text.visible import quoted_path
from lapis_sessions.timeline.branches import FIRST, continues

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lapis_sessions.origin import Origin
    from lapis_sessions.recording.format.budget import Budget
    from lapis_sessions.recording.format.schema import Row
    from lapis_sessions.timeline.branches import Branch
    from lapis_sessions.timeline.timeline import Timeline

SECONDS = 0.25
"""What was done goes out at least so often,"""
SLOWER = 10_000
"""and as much later again after so many chunks: a file holds a day of running, and its
end is not lost for much."""
AT_ONCE = 4096
"""Acts that wait at most, and acts of a chunk."""
PATIENCE = 150
"""How many times as long as it takes the machine runs before the next hash."""
FIELDS = 8
"""One hash in so many comes with every field of the state."""


class Writer:
    """A recording that is being made. A failure of the disk ends it, and is told."""

    def __init__(
        self,
        origin: Origin | None,
        timeline: Timeline,
        path: str,
        tell: Callable[[str], None],
        *,
        force: bool = False,
        embed: bool = True,
        limits: Budget = budget.DEFAULT,
    ) -> None:
        """Begin, with all that was done so far; raise `RecordingError`.

        Args:
            origin: What the machine was made of; without it nothing can be recorded.
            timeline: What is done to the machine.
            path: The file.
            tell: Told, in a sentence, when the disk ends the recording.
            force: Replace the file if it is there.
            embed: Put the image into it.
            limits: What the file may hold.
        """
        self.failed = ""
        """Why it ended before it was closed, or nothing."""
        self._timeline = timeline
        self._tell = tell
        self._branch = timeline.branches[FIRST]
        self._written: dict[str, int] = {}
        """Acts on disk by branch, in the order in which these were begun."""
        self._digester = Digester(timeline.machine)
        self._waiting: list[Entry] = []
        self._hashes = 0
        self._flushed = self._hashed = monotonic()
        self._cost = 0.0
        head = header(origin, timeline, embed=embed)
        self._spending = Spending(head, limits)
        self._file = File(path, force=force)
        self._file.begin(head)
        self._spending.spent.take("file", "chunk HEAD", self._file.size)
        if self._file.others:
            tell(
                f"{quoted_path(self._file.others[-1])} is there, of a recording that "
                f"was not closed or is still made, and is left alone: this one is "
                f"{quoted_path(self._file.name)} until it is closed"
            )
        self._begin()

    @property
    def path(self) -> Path:
        """The file, once it is complete."""
        return self._file.path

    @property
    def name(self) -> str:
        """What the file is called for now."""
        return self._file.name

    @property
    def acts(self) -> int:
        """Acts of the branch that is written."""
        return self._written.get(self._branch.name, 0)

    def _begin(self) -> None:
        """Write what was done before, branch by branch, the present one last."""
        timeline = self._timeline
        for branch in timeline.branches.values():
            self._all_of(branch)
        self._turn_to(timeline.branch)
        timeline.listeners.append(self._listen)

    # While it runs.

    def _listen(self, entry: Entry) -> None:
        branch = self._timeline.branch
        if branch.name not in self._written:
            self.flush()
            self._all_of(branch)
            return
        if branch is not self._branch:
            self.flush()
            self._turn_to(branch)
        last = self._waiting[-1] if self._waiting else None
        if last is not None and continues(last, entry):
            self._waiting[-1] = Entry(last.act, last.start, entry.end, entry.reason)
        else:
            self._waiting.append(entry)
        if len(self._waiting) >= AT_ONCE or self._is_due:
            self.flush()
            self._hash()

    @property
    def _is_due(self) -> bool:
        seconds = SECONDS * (1 + self._file.chunks / SLOWER)
        return monotonic() - self._flushed > seconds

    def _all_of(self, branch: Branch) -> None:
        """Begin a branch, with all that it has."""
        self._branch = branch
        self._written[branch.name] = 0
        if branch.name != FIRST:
            parent = branch.parent if branch.parent in self._written else FIRST
            self._chunk("FORK", ForkRow(branch.name, parent, []))
        at = 0
        of_parent = self._timeline.branches.get(branch.parent)
        inherited = of_parent.notes if of_parent is not None else ()
        for note in (note for note in branch.notes if note not in inherited):
            done = max(note.acts - branch.given_up, at)
            self._add(branch.entries[at:done])
            at = done
            row = Annotation(done, note.retired, note.text, note.ask, note.answer)
            self._chunk("note", row)
        self._add(branch.entries[at:])

    def _turn_to(self, branch: Branch) -> None:
        if branch is not self._branch:
            self._branch = branch
            self._chunk("TURN", TurnRow(branch.name))

    def flush(self) -> None:
        """Write what waits."""
        self._flushed = monotonic()
        waiting, self._waiting = self._waiting, []
        self._add(waiting)

    def _add(self, entries: Sequence[Entry]) -> None:
        for first in range(0, len(entries), AT_ONCE):
            rows = [_row(entry) for entry in entries[first : first + AT_ONCE]]
            if self._chunk("ACTS", rows):
                self._written[self._branch.name] += len(rows)

    def _hash(self) -> None:
        begun = monotonic()
        at_end = self._timeline.at_end
        if self.failed or not at_end or begun - self._hashed < PATIENCE * self._cost:
            return
        self._hashes += 1
        if self._hashes % FIELDS:
            digest = self._digester.digest()
            self._chunk("hash", HashRow(self.acts, self._retired, digest))
        else:
            self.checkpoint()
        self._hashed = monotonic()
        self._cost = self._hashed - begun

    @property
    def _retired(self) -> int:
        return self._timeline.spot.at.retired

    def annotate(self, text: str, ask: str = "", answer: str = "") -> None:
        """Add a text at this point."""
        self._catch_up()
        note = Annotation(self.acts, self._retired, text, ask, answer)
        self._chunk("note", note)

    def checkpoint(self) -> None:
        """Add every field of the state, if the machine is where its branch ends."""
        self._catch_up()
        is_there = self._timeline.at_end and self._timeline.is_placed
        if self.failed or not is_there:
            return
        fields, digest = self._digester.fields(), self._digester.digest()
        row = CheckpointRow(self.acts, self._retired, digest, fields)
        chunk = packed("CKPT", row)
        if self._spending.has_room(len(fields), chunk[0]):
            self._put("CKPT", row, chunk)
        else:
            self._chunk("hash", HashRow(self.acts, self._retired, digest))

    def _catch_up(self) -> None:
        self.flush()
        branch = self._timeline.branch
        if branch.name in self._written:
            self._turn_to(branch)
        else:  # it was begun, and nothing is done on it yet
            self._all_of(branch)

    # Its end.

    def close(self, *, intact: bool = True) -> None:
        """Finish the file and give it its name; raise `RecordingError`.

        The state goes in, unless the machine is not `intact`.
        """
        self._silence()
        self.flush()
        for branch in self._timeline.branches.values():
            if branch.name not in self._written:
                self._all_of(branch)
        if intact:
            self.checkpoint()
        written = sum(self._written.values())
        self._chunk("DONE", Trailer(written, self._file.chunks))
        if self.failed:
            raise RecordingError(self.failed)
        self._file.close()

    def _silence(self) -> None:
        with suppress(ValueError):
            self._timeline.listeners.remove(self._listen)

    def _chunk(self, kind: str, body: Row | list[ActRow]) -> bool:
        """Write a chunk; when that fails the recording ends, and the machine does not.

        Tells whether it is written.
        """
        return not self.failed and self._put(kind, body, packed(kind, body))

    def _put(
        self, kind: str, body: Row | list[ActRow], chunk: tuple[int, bytes]
    ) -> bool:
        expanded, data = chunk
        try:
            self._spending.take(kind, body, expanded, len(data))
            self._file.chunk(data)
        except RecordingError as error:
            return self._stop(str(error))
        except OSError as error:
            return self._stop(why(error))
        return True

    def _stop(self, because: str) -> bool:
        self.failed = (
            f"recording to {quoted_path(str(self.path))} stopped: {because}; what is "
            f"on disk up to there can be replayed from {quoted_path(self._file.name)}"
        )
        self._silence()
        self._file.give_up()
        self._tell(self.failed)
        return False


def _row(entry: Entry) -> ActRow:
    end = entry.end
    args = dict(entry.act.args)
    return ActRow(entry.act.verb, args, end.retired, end.seq, end.now, entry.reason)
