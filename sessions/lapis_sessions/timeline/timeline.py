"""A machine's timeline: records what is done to it, and moves it to any point.

While nobody travels it only listens (`Machine.on_act`). An act in the past that does
what was done then goes along; another one forks, and what came after stays as the
branch that it was.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from lapis_engine.machine.stop import Stop
from lapis_engine.replay import capture
from lapis_engine.replay import entries as replay
from lapis_engine.replay.entries import DivergedError
from lapis_sessions.errors import (
    CommandError,
    LeavesBranchError,
    LeftError,
    MisplacedError,
    ReadOnlyError,
)
from lapis_sessions.text.visible import quoted, short
from lapis_sessions.timeline import giving_up
from lapis_sessions.timeline.again import Again
from lapis_sessions.timeline.branches import (
    FIRST,
    Branch,
    Note,
    Spot,
    continues,
    forked_name,
    listed,
    number_of,
    parting,
)
from lapis_sessions.timeline.keeper import Keeper
from lapis_sessions.timeline.known import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lapis_engine.events import Logged
    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.capture import Position
    from lapis_engine.replay.entries import Entry
    from lapis_sessions.timeline.branches import Kept


MOST_ENTRIES = 200_000
"""Entries of a branch; while it is recorded to a file there may be more."""
MOST_BRANCHES = 500
"""Branches that are kept; the oldest is given up for a new one."""
APART = 20
"""At least one checkpoint to so many parts of that."""


class Timeline(Again):
    """What was done to a machine, and where in it the machine is."""

    def __init__(self, machine: Machine) -> None:
        """Begin here, and listen from now on."""
        first = Branch(FIRST, [])
        self.branches = {FIRST: first}
        super().__init__(machine, first, Keeper(machine, self.branches))
        self.known = Known(machine.log, self.branches)
        """What events are known, also those after this point."""
        self._held = self.branch
        """The branch that the machine's log is of."""
        self.names: dict[str, tuple[str, Spot]] = {}
        """Named points: branch and spot."""
        self.most = MOST_ENTRIES
        self.most_branches = MOST_BRANCHES
        self._numbered = 0
        """The number in the name of the last fork; none is given twice."""
        self.travels = 0
        """How often the machine was moved to another point, or to a new branch: what
        lies before and after it must be looked at anew (`ahead`)."""
        self.listeners: list[Callable[[Entry], None]] = []
        """Each is told every act that is done by hand, in this order."""
        self.made = 0
        """Acts that were done by hand, and not along what was done before."""
        self.may_leave = True
        """Whether an act in the past that is not what was done then may fork."""
        self.read_only = False
        """Whether an act that is not what was done then is refused, until `fork`."""
        self.on_leave: Callable[[str, Position], None] | None = None
        """Told the branch that was left, and where."""
        self.on_gone: Callable[[str], None] | None = None
        """Told a branch that was given up."""
        self.keeper.keep(self.branch, self.spot)
        machine.on_act = self._done
        machine.before_act = self._before

    # Listening.

    def _before(self) -> None:
        """Raise an error if an act would not be done where it is said to be, or not.

        In the past only its end tells whether it is what was done.
        """
        self._insist()
        if self.read_only and self.at_end:
            raise ReadOnlyError

    def _insist(self) -> None:
        """Raise `MisplacedError` if the machine is not at `spot`, and put it there.

        Whatever moved it unseen is lost, and what follows would be recorded as done at
        a place where it was not.
        """
        here = capture.position(self.machine)
        if here != self.spot.at:
            wanted = self.spot.at
            self._return_to(self.branch, self.spot)
            raise MisplacedError(wanted.text, here.text)

    def _done(self, act: Act, result: object) -> None:
        here = capture.position(self.machine)
        entry = replay.entry(act, result, self.spot.at, here)
        if not self.at_end:
            if self._follows(entry, result):
                return
            self._leave()
        self.made += 1
        entries = self.branch.entries
        last = entries[-1] if entries else None
        if last is not None and continues(last, entry):
            self.branch.go_on(entry)
        else:
            entries.append(entry)
        self.spot = self.branch.end
        for listen in self.listeners:
            listen(entry)
        if len(entries) - self.branch.kept[-1].spot.done > self.most // APART:
            self.keeper.keep(self.branch, self.spot)
            if len(entries) > self.most and not self.listeners:
                names, left = self.names, self.most // 2
                giving_up.beginning(self.branch, left, self.keeper, names)
                self.spot = self.branch.end

    def _follows(self, entry: Entry, result: object) -> bool:
        """Go along if an act in the past did what was done then; say if it did."""
        known = self.branch.entries[self.spot.done]
        if known.act != entry.act:
            return False
        reached = zip(entry.end, known.end, strict=True)
        if any(mine > theirs for mine, theirs in reached):
            return False
        if not entry.moves:
            if entry.end != known.end:
                return False
            self.spot = Spot(self.spot.done + 1, entry.end)
        else:
            if isinstance(result, Stop) and result.turn is not None:
                self.machine.schedule.put_back(result.turn)
            self.spot = Spot(self.spot.done, entry.end)
            self.end_entry()
        self._settle()
        return True

    @property
    def given_up(self) -> int:
        """How many acts of the present branch are no longer known."""
        return self.branch.given_up

    @property
    def at_end(self) -> bool:
        """Whether nothing is known of what comes next."""
        return self.spot == self.branch.end

    def ahead(self) -> tuple[Logged, ...]:
        """Return what is known to happen after this point, oldest first.

        Only going to another point changes it, and what has happened meanwhile is
        ahead no longer: it is to be asked for when `travels` changed.
        """
        return self.known.ahead(self.branch, self.spot.at.seq)

    @property
    def is_placed(self) -> bool:
        """Whether the machine is where this says that it is; it always should be."""
        return capture.position(self.machine) == self.spot.at

    def _leave(self) -> None:
        """Fork before an act that has just been done; or take it back.

        Raises `LeavesBranchError` or `ReadOnlyError` where this may not fork.
        """
        name = self._new_name
        if self.read_only or not self.may_leave:
            self._return_to(self.branch, self.spot)
            if self.read_only:
                raise ReadOnlyError
            raise LeavesBranchError(short(self.branch.name), short(name))
        left, at = self.branch.name, self.spot.at
        self._fork(name)
        if self.on_leave is not None:
            self.on_leave(left, at)

    @property
    def _new_name(self) -> str:
        return forked_name(self._numbered + 1)

    def fork(self, name: str = "") -> None:
        """Go on from here on a new branch, on purpose; nothing is done on it yet.

        It is called `name`, or as forks are. What is done is no longer refused. Raises
        `CommandError` for a name that is taken, and `MisplacedError`.
        """
        if name in self.branches:
            raise CommandError(f"there is a branch {quoted(name)} already")
        self._insist()
        self.read_only = False
        self._fork(name or self._new_name)

    def _fork(self, name: str) -> None:
        self._numbered = max(self._numbered, number_of(name))
        self.branch = self.branch.forked(name, self.spot)
        self.branches[name] = self.branch
        self.spot, self._held = self.branch.end, self.branch
        self.travels += 1
        most = self.most_branches, self.most
        for spare in giving_up.spare_branches(
            self.branches, self.branch, self.names, most
        ):
            self._give_up(spare)

    def _give_up(self, gone: Branch) -> None:
        del self.branches[gone.name]
        self.known.forget(gone)
        giving_up.inherit(self.branches, gone)
        self.keeper.forget([kept.checkpoint for kept in gone.kept])
        if self.on_gone is not None:
            self.on_gone(gone.name)

    # Travelling.

    def name(self, name: str) -> None:
        """Give the present point a name, and keep a checkpoint of it.

        Raises `MisplacedError`.
        """
        self._insist()
        self.names[name] = self.branch.name, self.spot
        self.keeper.pinned = {spot for _, spot in self.names.values()}
        self.keeper.keep(self.branch, self.spot)

    def annotate(self, text: str, ask: str = "", answer: str = "") -> None:
        """Put a text at this point, with a question and its answer."""
        branch, spot = self.branch, self.spot
        note = Note(branch.over(spot), spot.at.retired, text, ask, answer)
        branch.notes = tuple(sorted([*branch.notes, note]))

    def switch(self, name: str) -> None:
        """Go to the end of another branch; raise `CommandError`."""
        self.go(self.named_branch(name).end, name)

    def named_branch(self, name: str) -> Branch:
        """Return a branch; raise `CommandError`."""
        branch = self.branches.get(name)
        if branch is None:
            raise CommandError(
                f"there is no branch {quoted(name)}: {listed(self.branches)}"
            )
        return branch

    def go(self, spot: Spot, branch: str = "") -> None:
        """Make the machine what it was at `spot` of a branch.

        Raises `CommandError`, and `DivergedError` with the machine where it was.
        """
        self.named_branch(branch or self.branch.name)
        with self.or_back():
            self.travel(spot, branch)

    def travel(self, spot: Spot, branch: str = "") -> None:
        """Go as `go` does, but stay where it went wrong, to look at it."""
        with self.travelling():
            kept = self.named_branch(branch or self.branch.name).before(spot)
            if branch not in {"", self.branch.name}:
                self.branch = self.branches[branch]
                self.put(kept, spot.at.seq)
            elif not (self.is_placed and kept.spot <= self.spot <= spot):
                self.put(kept, spot.at.seq)
            self.forward(spot)

    @contextmanager
    def or_back(self) -> Iterator[None]:
        """Go back to where the machine was when a way to elsewhere fails.

        Where not even that way leads there again, it stands at the last checkpoint
        before, which is what it says it is.
        """
        branch, spot = self.branch, self.spot
        try:
            yield
        except LeftError:
            self.branch = branch
            with self.travelling():
                self.put(branch.before(spot))
            raise
        except BaseException:  # a user who breaks it off, too
            self._return_to(branch, spot)
            raise

    def _return_to(self, branch: Branch, spot: Spot) -> None:
        """Put the machine to a spot where it was, wherever it is now."""
        self.branch, self._course = branch, None
        with self.travelling():
            self.put(branch.before(spot), spot.at.seq)
            with suppress(DivergedError):
                self._forward(spot)

    def go_to_event(self, seq: int) -> None:
        """Go to where event number `seq` has just happened; raise `CommandError`."""
        index = self.branch.entry_of_event(seq)
        if not seq >= 0 or index == len(self.branch.entries):
            last = self.branch.end.at.seq - 1
            raise CommandError(f"event {seq} has not happened: the last one is {last}")
        entry = self.branch.entries[index]
        if seq < self.branch.kept[0].spot.at.seq:
            raise CommandError(f"event {seq} lies before all that is still known")
        if not entry.moves:
            self.go(Spot(index + 1, entry.end))
            return
        with self.or_back(), self.travelling():
            kept = self.branch.before_event(index, seq)
            is_on_the_way = kept.spot <= self.spot and self.spot.is_before(index, seq)
            if not (self.is_placed and is_on_the_way):
                self.put(kept, seq)
            with self.going(entry.end.retired - self.spot.at.retired):
                self.forward(Spot(index, entry.start))
                while self.spot.at.seq <= seq:
                    self._to_event(entry, seq)

    def adopt(
        self, name: str, parent: str, entries: list[Entry], notes: Sequence[Note] = ()
    ) -> None:
        """Take over a branch that was recorded, to be done again from the beginning.

        `main` comes first, before anything was done here, and a parent before its
        forks.
        """
        first = self.branches[FIRST].kept[:1]
        self.most = max(self.most, 2 * len(entries))
        if name == FIRST:
            self.branch.entries, self.branch.notes = entries, tuple(sorted(notes))
        else:
            left = self.named_branch(parent).entries
            fork = parting(left, entries, first[0].spot.at)
            branch = Branch(
                name, first, entries, parent, fork, notes=tuple(sorted(notes))
            )
            self.branches[name] = branch
        self.branches[name].adopted = entries[-1].end.seq if entries else 0
        self.most_branches = max(self.most_branches, 2 * len(self.branches))
        self._numbered = max(self._numbered, number_of(name), len(self.branches) - 1)

    @contextmanager
    def travelling(self) -> Iterator[None]:
        """Nothing is recorded, and nothing stops at the user's stops."""
        machine = self.machine
        self.travels += 1
        points, catches = machine.points.items, machine.catches
        machine.on_act = None
        machine.break_only_at(())
        machine.watches.rest()
        catches.rest()
        self.keeper.start()
        try:
            yield
        except DivergedError:
            self.known.distrust()
            raise
        finally:
            machine.points.put(points)
            machine.watches.attend()
            catches.attend()
            machine.on_act = self._done
            self._settle()

    @contextmanager
    def following(self, heard: Callable[[Act, object], None] | None) -> Iterator[None]:
        """Nothing is recorded, but the user's stops stay; `heard` is told every act."""
        machine = self.machine
        machine.on_act, machine.before_act = heard, None
        try:
            yield
        except DivergedError:
            self.known.distrust()
            raise
        finally:
            machine.on_act, machine.before_act = self._done, self._before
            self._settle()

    def end_entry(self) -> None:
        """Count the present entry as over if the machine has come to its end.

        A stop of the user's may have kept it from the turn that the entry ends with.
        """
        entries, (done, at) = self.branch.entries, self.spot
        if done < len(entries) and entries[done].moves and at == entries[done].end:
            with self.following(None):
                self._finish(entries[done])

    def _settle(self) -> None:
        """Call the end of the branch what it is called."""
        if self.spot.at == self.branch.end.at and self.spot > self.branch.end:
            self.spot = self.branch.end

    def put(self, kept: Kept, goal: int = 0) -> None:
        """Put a checkpoint of this branch back, on the way to event `goal` if known."""
        goal = max(goal, kept.spot.at.seq)
        self.known.keep(self._held, self.spot.at.seq, goal)
        capture.put(self.machine, kept.checkpoint)
        self.spot, self._held = kept.spot, self.branch
