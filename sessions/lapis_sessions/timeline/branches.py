"""What was done to a machine, in order, and where that forked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.replay.capture import Checkpoint, Position
from lapis_engine.replay.entries import Entry
from lapis_sessions.text.visible import short

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

FIRST = "main"
LISTED = 8
"""Names of branches that a refusal lists."""


class Spot(NamedTuple):
    """A point of a branch: so many entries are done, and the next one up to `at`.

    At the end of a run that just used up its budget it is still in that run.
    """

    done: int
    at: Position

    def without(self, gone: int) -> Spot:
        """Return it as it is called when so many entries are given up."""
        return Spot(self.done - gone, self.at)

    def is_before(self, index: int, seq: int) -> bool:
        """Tell whether event `seq`, of entry `index`, comes after this."""
        return self.done <= index and self.at.seq <= seq


class Kept(NamedTuple):
    """A checkpoint and where it lies."""

    spot: Spot
    checkpoint: Checkpoint


class Note(NamedTuple):
    """A text that somebody put at a point of a branch."""

    acts: int
    """Acts that are over there, from the beginning of the branch on."""
    retired: int
    """Instructions of all vCPUs."""
    text: str
    ask: str = ""
    """A question to put before going on, or nothing."""
    answer: str = ""
    accept: tuple[str, ...] = ()
    """Other answers that are as right, where a scenario knows of them."""
    because: str = ""
    """Why that is the answer, or nothing."""


@dataclass(slots=True)
class Branch:
    """One history, from the beginning on."""

    name: str
    kept: list[Kept]
    """Checkpoints that lie on it, ascending; the first is the beginning."""
    entries: list[Entry] = field(default_factory=list)
    """All acts, oldest first, each beginning where the one before ended."""
    parent: str = ""
    """The branch that it forked from, or nothing."""
    fork: Spot | None = None
    """Where it forked."""
    given_up: int = 0
    """Entries before its beginning that are no longer known."""
    notes: tuple[Note, ...] = ()
    """In their order."""
    adopted: int = 0
    """Events with a lower number came with a recording, and were not made here."""

    @property
    def end(self) -> Spot:
        """Where it ends."""
        if not self.entries:
            return self.kept[0].spot
        last = self.entries[-1]
        return Spot(len(self.entries) - (last.reason == "budget"), last.end)

    def spot_of(self, retired: int) -> Spot:
        """Return where so many instructions had retired for the first time."""
        index = self._first(lambda entry: entry.end.retired, retired)
        start = self.kept[0].spot.at if not index else self.entries[index - 1].end
        if start.retired >= retired or index == len(self.entries):
            return Spot(index, start)
        return Spot(index, Position(retired, 0, 0))

    def go_on(self, entry: Entry) -> None:
        """Let the last entry, a run that used up its budget, go on to the end of one.

        Notes at its end lie within it from now on: it was not over there.
        """
        last = self.entries[-1]
        over = self.given_up + len(self.entries), last.end.retired
        self.entries[-1] = Entry(last.act, last.start, entry.end, entry.reason)
        if self.notes and self.notes[-1][:2] == over:
            self.notes = tuple(
                note._replace(acts=note.acts - 1) if note[:2] == over else note
                for note in self.notes
            )

    def spot_at(self, at: Position) -> Spot:
        """Return where the branch has come to `at`, a position that lies on it."""
        return Spot(bisect_left(self.entries, at, key=lambda each: each.end), at)

    def over(self, spot: Spot) -> int:
        """Return how many acts are over at a spot, from the beginning of the branch on.

        A run that just used up its budget is over: nothing of it is left.
        """
        index, at = spot
        entry = self.entries[index] if index < len(self.entries) else None
        is_over = entry is not None and entry.start != at == entry.end
        return self.given_up + index + is_over

    def entry_of_event(self, seq: int) -> int:
        """Return the number of the entry in which an event happened.

        It is the number of entries when the event has not happened.
        """
        return self._first(lambda entry: entry.end.seq, seq + 1)

    def entry_of_time(self, now: int) -> int:
        """Return the number of the entry in which it becomes later than `now`, in ns.

        It is the number of entries when that never happens.
        """
        return self._first(lambda entry: entry.end.now, now + 1)

    def before_time(self, now: int) -> Spot:
        """Return the last checkpoint at `now` or before it, or the first."""
        at = bisect_right(self.kept, now, key=lambda each: each.spot.at.now)
        return self.kept[max(at - 1, 0)].spot

    def _first(self, key: Callable[[Entry], int], value: int) -> int:
        return bisect_left(self.entries, value, key=key)

    def before(self, spot: Spot) -> Kept:
        """Return the last checkpoint at `spot` or before it."""
        return self.kept[max(self._after(spot) - 1, 0)]

    def strictly_before(self, spot: Spot, near: int = 0) -> Kept | None:
        """Return the last checkpoint before `spot`, or None at the beginning.

        It is the first of those that lie `near`, by so many instructions at most.
        """
        at = bisect_left(self.kept, spot, key=lambda each: each.spot)
        if not at:
            return None
        first = spot.at.retired - near
        nearest = bisect_left(self.kept, first, key=lambda each: each.spot.at.retired)
        return self.kept[min(nearest, at - 1)]

    def before_event(self, index: int, seq: int) -> Kept:
        """Return the last checkpoint before event `seq` of entry `index`."""
        found = [kept for kept in self.kept if kept.spot.is_before(index, seq)]
        return found[-1]

    def keep(self, kept: Kept) -> None:
        """Add a checkpoint, unless there is one at that spot."""
        at = self._after(kept.spot)
        if not at or self.kept[at - 1].spot != kept.spot:
            self.kept.insert(at, kept)

    def begin_at(self, index: int) -> None:
        """Give up what lies before checkpoint number `index`."""
        gone, at = self.kept[index].spot
        kept = [Kept(each.spot.without(gone), each.checkpoint) for each in self.kept]
        self.kept = kept[index:]
        self.entries = self.entries[gone:]
        if self.entries and self.entries[0].start != at:
            self.entries[0] = self.entries[0]._replace(start=at)
        self.given_up += gone
        begin = self.given_up, at.retired
        self.notes = tuple(note for note in self.notes if note[:2] >= begin)

    def _after(self, spot: Spot) -> int:
        return bisect_right(self.kept, spot, key=lambda each: each.spot)

    def forked(self, name: str, spot: Spot) -> Branch:
        """Return a branch that shares everything up to `spot`."""
        entries = self.entries[: spot.done]
        if spot.done < len(self.entries):
            within = self.entries[spot.done]
            if within.start != spot.at:
                entries.append(Entry(within.act, within.start, spot.at, "budget"))
        here = self.over(spot), spot.at.retired
        notes = tuple(note for note in self.notes if note[:2] <= here)
        beginning = self.kept[:1]
        forked = Branch(name, beginning, entries, self.name, spot, self.given_up, notes)
        forked.adopted = min(self.adopted, spot.at.seq)
        end = forked.end
        for spot_of, checkpoint in self.kept[1 : self._after(spot)]:
            # After a run that just used up its budget here the next act may be the
            # rest of it: what lies at the end of it lies within it.
            forked.keep(Kept(min(spot_of, end), checkpoint))
        return forked


def parting(parent: Sequence[Entry], fork: Sequence[Entry], begin: Position) -> Spot:
    """Return up to where two branches did the same, as the parent has it.

    `begin` is where both begin. A run that was cut short, or is in pieces, does what
    the whole does.
    """
    mine = theirs = 0
    at = begin
    while mine < len(parent) and theirs < len(fork):
        one, other = parent[mine], fork[theirs]
        is_same = one == other or (one.moves and one.act == other.act)
        if not is_same:
            break
        at = min(one.end, other.end)
        if one.end > at and not _is_piece(fork, theirs):
            break
        if other.end > at and not _is_piece(parent, mine):
            break
        mine, theirs = mine + (one.end == at), theirs + (other.end == at)
    return Spot(mine, at)


def _is_piece(entries: Sequence[Entry], index: int) -> bool:
    """Tell whether an entry goes on in the next one."""
    more = entries[index + 1 : index + 2]
    return any(continues(entries[index], entry) for entry in more)


def listed(names: Collection[str]) -> str:
    """Return the first of many names, fit for a refusal."""
    first = ", ".join(map(short, islice(names, LISTED)))
    more = len(names) - LISTED
    return f"{first} and {more} more" if more > 0 else first


def continues(last: Entry, entry: Entry) -> bool:
    """Tell whether an entry just goes on with the one before."""
    same = last.act.verb == entry.act.verb and last.act.args == entry.act.args
    return same and last.moves and last.reason == "budget"


FORKED = "branch-"
"""What names of forks begin with; a number follows."""


def forked_name(number: int) -> str:
    """Return the name of fork number `number`."""
    return f"{FORKED}{number}"


def number_of(name: str) -> int:
    """Return the number in the name of a fork; 0 if it is not one that we give."""
    number = name.removeprefix(FORKED)
    is_ours = name.startswith(FORKED) and number.isascii() and number.isdigit()
    return int(number) if is_ours and len(number) <= 9 else 0
