"""A machine's timeline: records what is done to it, and moves it to any point.

While nobody travels it only listens (`Machine.on_act`). An act in the past that does
what was done then goes along; another one forks, and what came after stays as the
branch that it was.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING

from lapis_engine.machine.stop import Stop
from lapis_engine.replay import capture
from lapis_engine.replay import entries as replay
from lapis_engine.replay.capture import Position
from lapis_engine.replay.entries import DivergedError
from lapis_sessions.errors import (
    CommandError,
    LeavesBranchError,
    LeftError,
    MisplacedError,
)
from lapis_sessions.text.visible import quoted, short
from lapis_sessions.timeline.branches import (
    FIRST,
    Branch,
    Spot,
    continues,
    forked_name,
    listed,
    number_of,
)
from lapis_sessions.timeline.keeper import Keeper
from lapis_sessions.timeline.way import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lapis_engine.machine.acts import Act
    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.entries import Entry, Hit
    from lapis_sessions.timeline.branches import Kept


LEAST, MOST = 1_000, 16_000_000
"""Instructions of a slice on the way through a run."""
QUICK, SLOW = 0.004, 0.016
"""Seconds that a slice should take."""
MOST_ENTRIES = 200_000
"""Entries of a branch; while it is recorded to a file there may be more."""
MOST_BRANCHES = 500
"""Branches that are kept; the oldest is given up for a new one."""
MOST_OF_ALL = 10
"""How many times the entries of a branch there may be on all of them."""
APART = 20
"""At least one checkpoint to so many parts of that."""


class Timeline:
    """What was done to a machine, and where in it the machine is."""

    def __init__(self, machine: Machine) -> None:
        """Begin here, and listen from now on."""
        self.machine = machine
        self.spot = Spot(0, capture.position(machine))
        """Where the machine is."""
        self.branch = Branch(FIRST, [])
        self.branches = {FIRST: self.branch}
        self.keeper = Keeper(machine, self.branches)
        self.names: dict[str, tuple[str, Spot]] = {}
        """Named points: branch and spot."""
        self.slice = LEAST * 100
        """Instructions of a slice: what takes a moment on this machine."""
        self.most = MOST_ENTRIES
        self.most_branches = MOST_BRANCHES
        self._numbered = 0
        """The number in the name of the last fork; none is given twice."""
        self.travels = 0
        """How often the machine was moved to another point."""
        self.listeners: list[Callable[[Entry], None]] = []
        """Each is told every act that is done by hand, in this order."""
        self.made = 0
        """Acts that were done by hand, and not along what was done before."""
        self.may_leave = True
        """Whether an act in the past that is not what was done then may fork."""
        self.on_leave: Callable[[str, Position], None] | None = None
        """Told the branch that was left, and where."""
        self.on_gone: Callable[[str], None] | None = None
        """Told a branch that was given up."""
        self.on_way: Callable[[Way], None] | None = None
        """Told how a way to another point gets on; what it raises breaks that off."""
        self._goal: tuple[int, int | None] | None = None
        """Begin and end of the present way, as in `Way`; None if it is not told."""
        self.keeper.keep(self.branch, self.spot)
        machine.on_act = self._done
        machine.before_act = self._insist

    # Listening.

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
            entries[-1] = replay.Entry(last.act, last.start, here, entry.reason)
        else:
            entries.append(entry)
        self.spot = self.branch.end
        for listen in self.listeners:
            listen(entry)
        if len(entries) - self.branch.kept[-1].spot.done > self.most // APART:
            self.keeper.keep(self.branch, self.spot)
            if len(entries) > self.most and not self.listeners:
                self._give_up()

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

    def _give_up(self) -> None:
        """Let the branch begin at a checkpoint in the middle of it."""
        branch = self.branch
        wanted = len(branch.entries) - self.most // 2
        dones = [kept.spot.done for kept in branch.kept]
        index = next(n for n, done in enumerate(dones) if done >= wanted)
        gone = branch.kept[index].spot
        before = [kept.checkpoint for kept in branch.kept[:index]]
        branch.begin_at(index)
        self.spot = branch.end
        self.keeper.forget(before)
        for name, (where, spot) in list(self.names.items()):
            if where == branch.name and spot < gone:
                del self.names[name]
            elif where == branch.name:
                self.names[name] = where, spot.without(gone.done)
        self.keeper.pinned = {spot for _, spot in self.names.values()}

    @property
    def at_end(self) -> bool:
        """Whether nothing is known of what comes next."""
        return self.spot == self.branch.end

    @property
    def is_placed(self) -> bool:
        """Whether the machine is where this says that it is; it always should be."""
        return capture.position(self.machine) == self.spot.at

    def _leave(self) -> None:
        """Fork before an act that has just been done; or take it back.

        Raises `LeavesBranchError` where this may not fork.
        """
        if not self.may_leave:
            name, spot = self._new_name, self.spot
            self._return_to(self.branch, spot)
            raise LeavesBranchError(short(self.branch.name), short(name))
        left, at = self.branch.name, self.spot.at
        self._fork()
        if self.on_leave is not None:
            self.on_leave(left, at)

    @property
    def _new_name(self) -> str:
        return forked_name(self._numbered + 1)

    def _fork(self) -> None:
        name = self._new_name
        self._numbered += 1
        self.branch = self.branch.forked(name, self.spot)
        self.branches[name] = self.branch
        self.spot = self.branch.end
        while self._are_too_many:
            spare = self._spare_branch()
            if spare is None:
                return
            self._give_up_branch(spare)

    @property
    def _are_too_many(self) -> bool:
        entries = sum(len(branch.entries) for branch in self.branches.values())
        is_large = entries > self.most * MOST_OF_ALL
        return is_large or len(self.branches) > self.most_branches

    def _spare_branch(self) -> Branch | None:
        """Return the oldest branch, but not the first, one named in, or one near."""
        named = {name for name, _ in self.names.values()}
        wanted = {FIRST, self.branch.name, self.branch.parent, *named}
        spare = (each for each in self.branches.values() if each.name not in wanted)
        return next(spare, None)

    def _give_up_branch(self, gone: Branch) -> None:
        del self.branches[gone.name]
        for branch in self.branches.values():
            if branch.parent == gone.name:
                branch.parent = gone.parent
                forks = [fork for fork in (branch.fork, gone.fork) if fork is not None]
                branch.fork = min(forks, default=None)
        self.keeper.forget([kept.checkpoint for kept in gone.kept])
        if self.on_gone is not None:
            self.on_gone(gone.name)

    def timed(self, advance: Callable[[int], Stop], limit: int) -> Stop:
        """Do a slice of at most `limit` instructions; keep a checkpoint if due."""
        begun = perf_counter()
        stop = advance(min(limit, self.slice))
        self._learn(perf_counter() - begun, stop.retired)
        if self.keeper.is_due():
            self.keeper.keep(self.branch, self.spot)
        return stop

    def _learn(self, seconds: float, retired: int) -> None:
        """Adapt the slice to how long the last one took."""
        if seconds < QUICK and retired >= self.slice:
            self.slice = min(self.slice * 2, MOST)
        elif seconds > SLOW:
            self.slice = max(self.slice // 2, LEAST)

    # Travelling.

    def name(self, name: str) -> None:
        """Give the present point a name, and keep a checkpoint of it.

        Raises `MisplacedError`.
        """
        self._insist()
        self.names[name] = self.branch.name, self.spot
        self.keeper.pinned = {spot for _, spot in self.names.values()}
        self.keeper.keep(self.branch, self.spot)

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
                self.put(kept)
            elif not (self.is_placed and kept.spot <= self.spot <= spot):
                self.put(kept)
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
        self.branch = branch
        with self.travelling():
            self.put(branch.before(spot))
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
                self.put(kept)
            self.forward(Spot(index, entry.start))
            with self._telling(entry.end.retired):
                while self.spot.at.seq <= seq:
                    self._to_event(entry, seq)

    def adopt(self, name: str, parent: str, entries: list[Entry]) -> None:
        """Take over a branch that was recorded, to be done again from the beginning.

        `main` comes first, before anything was done here.
        """
        first = self.branches[FIRST].kept[:1]
        self.most = max(self.most, 2 * len(entries))
        if name == FIRST:
            self.branch.entries = entries
        else:
            self.branches[name] = Branch(name, first, entries, parent)
        self.most_branches = max(self.most_branches, 2 * len(self.branches))
        self._numbered = max(self._numbered, number_of(name), len(self.branches) - 1)

    @contextmanager
    def travelling(self) -> Iterator[None]:
        """Nothing is recorded, and nothing stops at the user's stops."""
        machine = self.machine
        self.travels += 1
        stops, catches = list(machine.breakpoints), machine.catches
        machine.on_act = None
        machine.break_only_at(())
        catches.rest()
        self.keeper.start()
        try:
            yield
        finally:
            machine.break_only_at(stops)
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
        finally:
            machine.on_act, machine.before_act = self._done, self._insist
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

    def put(self, kept: Kept) -> None:
        """Put a checkpoint of this branch back."""
        capture.put(self.machine, kept.checkpoint)
        self.spot = kept.spot

    def forward(self, spot: Spot, hit: Hit | None = None) -> None:
        """Do again what was done, up to `spot`; `hit` is as for `replay.advance`."""
        with self._telling(spot.at.retired if hit is None else None):
            self._forward(spot, hit)

    @contextmanager
    def _telling(self, end: int | None) -> Iterator[None]:
        """Tell `on_way` of a way that begins here; `end` is as in `Way`."""
        self._goal = self.spot.at.retired, end
        try:
            yield
        finally:
            self._goal = None

    def _tell(self) -> None:
        if self.on_way is not None and self._goal is not None:
            self.on_way(Way(self.spot.at.retired, *self._goal))

    def _forward(self, spot: Spot, hit: Hit | None = None) -> None:
        entries = self.branch.entries
        while self.spot.done < spot.done:
            entry = entries[self.spot.done]
            self.through(entry, entry.end, hit)
            self._tell()
        if spot.at > self.spot.at and spot.done < len(entries):
            self.through(entries[spot.done], spot.at, hit)

    def _to_event(self, entry: Entry, seq: int) -> None:
        """Go on in the present entry till an event of it, by a slice at most."""
        begun, here = perf_counter(), self.spot.at
        replay.to_event(self.machine, entry, seq, self.slice)
        self.spot = Spot(self.spot.done, capture.position(self.machine))
        if self.spot.at == here or self.spot.at > entry.end:
            raise DivergedError(entry.act, entry.end, self.spot.at)
        self._passed(perf_counter() - begun, here)
        if self.spot.at == entry.end:
            self._finish(entry)

    def _passed(self, seconds: float, since: Position) -> None:
        """Learn from a slice on the way; keep a checkpoint if due."""
        self._learn(seconds, self.spot.at.retired - since.retired)
        if self.keeper.is_due(back=True):
            self.keeper.keep(self.branch, self.spot)
        self._tell()

    def through(self, entry: Entry, to: Position, hit: Hit | None = None) -> None:
        """Go on in the present entry as far as `to`, in slices.

        How large these are says the clock of the host, and nothing else does it say:
        a slice that does not come to its end is a divergence, whatever its size.
        Raises `DivergedError`.
        """
        while entry.moves and self.spot.at.retired + self.slice < to.retired:
            goal = self.spot.at.retired + self.slice
            self._slice(entry, Position(goal, 0, 0), hit)
            if self.spot.at.retired < goal:
                raise DivergedError(entry.act, to, self.spot.at)
        self._slice(entry, to, hit)
        if self.spot.at == entry.end:
            self._finish(entry)

    def _finish(self, entry: Entry) -> None:
        """Count an entry as over; where its instructions end the turn may not be."""
        if entry.moves:
            replay.perform(self.machine, entry)
        self.spot = Spot(self.spot.done + 1, entry.end)

    def _slice(self, entry: Entry, to: Position, hit: Hit | None) -> None:
        begun, here = perf_counter(), self.spot.at
        try:
            if to == entry.end:
                replay.perform(self.machine, entry, hit)
            else:
                replay.advance(self.machine, entry, to, hit)
        finally:
            self.spot = Spot(self.spot.done, capture.position(self.machine))
        if entry.moves:
            self._passed(perf_counter() - begun, here)
