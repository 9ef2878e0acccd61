"""A session that is driven at random, held against machines that only go forward.

After each line the session's machine equals, in its position, its last events and every
field of its state, one that was built fresh, was led by the entries of the present
branch to the present spot, and was never put back (`shadows`). Thereby: what is
recorded is what was done, where it was done; every way back or forth comes to a state
that the history has; and what is refused changed nothing.

What a line may not do is held as well: a move changes no branch, an act changes none
but its own and only at its end, and stops of the user are there as before. A file that
is closed opens to the same branches and verifies; the walk goes on in its replay.
"""

from __future__ import annotations

from itertools import zip_longest
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from rigs import deeds, machines, recordings
from rigs.shadows import Shadows, differences

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_engine.machine.machine import Machine
    from lapis_engine.replay.entries import Entry
    from lapis_sessions.session import Session
    from lapis_sessions.timeline.branches import Branch, Spot

GUESTS = (
    "fabric-nesting", "fabric-nmi", "fabric-ioapic", "fabric-timer", "fabric-tpr",
    "fabric-x2apic", "race", "vie-memcpy", "mmio-forms", "lints", "timer", "inout",
)  # fmt: skip
PROFILES = ("sdm", "sdm", "bhyve-current", "bhyve-oxide")
ALONG = frozenset({"run", "run_to", "step", "next_event"})
"""In the past these go along what was done there, if no rule answers."""
RENEWED = 0.004
"""How often the shadow begins anew for no reason."""
LED_ON = 0.05
"""How often one is led on to the end, to see what is ahead."""


def options(rng: Random, cpus: int = 0) -> SessionOptions:
    """Choose a machine."""
    guest = "ap-bringup"
    if rng.random() < 0.4:
        name = rng.choice(GUESTS)
        guest = name if name == "race" else str(machines.GUESTS / f"{name}.bin")
    return SessionOptions(
        guest,
        cpus=cpus or rng.choice((1, 2, 2, 3)),
        memory="1M",
        quantum=rng.choice((1, 7, 100, 1000)),
    )


class Before(NamedTuple):
    """What is compared with how it is after a line."""

    spot: Spot
    branch: str
    branches: dict[str, list[Entry]]
    names: dict[str, tuple[str, Spot]]
    breakpoints: list[int]
    catches: list[int]
    seq: int
    at_end: bool
    rules: int
    given_up: dict[str, int]


class Begun(NamedTuple):
    """A branch, as it was last seen."""

    given_up: int
    gone: list[Entry]
    """What it had before its beginning."""
    entries: list[Entry]


class WrongError(AssertionError):
    """A walk came to what must not be."""


class Walk:
    """One session, and its shadows."""

    def __init__(self, given: SessionOptions, seed: int, folder: Path) -> None:
        self.extensions = recordings.extensions()
        self.options = given
        self.folder = folder
        self.files = 0
        self.begun: dict[str, Begun] = {}
        """All that each branch ever had."""
        self.lines: list[str] = []
        """What was done, for who rebuilds it."""
        self._luck = Random(seed)
        self.shadows = Shadows(self._made)
        self.session = self._attended(open_session(given, self.extensions))

    def _made(self) -> Machine:
        return open_session(self.options, self.extensions).machine

    def _attended(self, session: Session) -> Session:
        """Let luck, and not the clock of the host, say when checkpoints are taken.

        A slice is translated anew from where it begins, so those of a few instructions
        take longer than all else: none is shorter than the shortest that matters.
        """
        luck, timeline = self._luck, session.timeline
        session.limit = 700  # of next-event: most guests never end
        often, slices = luck.choice(
            (
                (0.0, (17, 100_000)),
                (0.3, (17, 50)),
                (0.5, (100, 900)),
                (1.0, (300, 900)),
            )
        )
        timeline.keeper.is_due = lambda **_: luck.random() < often  # type: ignore[method-assign]
        timeline._learn = lambda *_: None  # type: ignore[method-assign]
        timeline.slice = luck.choice(slices)
        timeline.most_branches = luck.choice((500, 500, 4))
        if not timeline.branch.entries:  # what comes from a file is never given up
            timeline.most = luck.choice((200_000, 200_000, 200_000, 8))
        return session

    # Steps.

    def do(self, kind: str, rng: Random) -> None:
        """Do one thing of a kind, and compare."""
        match kind:
            case "record":
                self._record(rng)
            case "close and replay":
                self._close_and_replay()
            case _:
                self.say(kind, deeds.DEEDS[kind](self.session, rng))

    def say(self, kind: str, line: str) -> None:
        """Type a line of a kind, and compare."""
        self.lines.append(line)
        before = self._now()
        outcome = self.session.execute(line)
        now = self._now()
        if not outcome.ok:
            self._refused(before, now, outcome.error)
        self._branches(before, kind)
        if kind != "break":
            self._same("breakpoints", before.breakpoints, now.breakpoints)
        if kind in deeds.BACK:
            self._same("catches", before.catches, now.catches)
        self.compare()

    def _now(self) -> Before:
        session, timeline = self.session, self.session.timeline
        return Before(
            timeline.spot,
            timeline.branch.name,
            {name: [*each.entries] for name, each in timeline.branches.items()},
            dict(timeline.names),
            list(session.machine.breakpoints),
            [catch.number for catch in session.machine.catches.items],
            session.machine.log.next_seq,
            timeline.at_end,
            len(session.rules.rules),
            {name: each.given_up for name, each in timeline.branches.items()},
        )

    def _refused(self, before: Before, now: Before, error: str) -> None:
        """What is refused is refused in a sentence, and nothing moved.

        An act that left an event before it was refused was done, and is recorded.
        """
        if not error or "\n" in error or "internal" in error:
            raise self.wrong(f"refused with {error!r}")
        if now.seq == before.seq:
            self._same("what a refusal left", before, now)

    def _branches(self, before: Before, kind: str) -> None:
        """Only the present branch grew, and none if the machine was just moved."""
        timeline = self.session.timeline
        goes_along = kind in ALONG and not before.at_end and not before.rules
        is_moved = kind in deeds.BACK or goes_along or kind == "play"
        for name, entries in before.branches.items():
            if name not in timeline.branches:
                self._gone(name, before)
                continue
            now = timeline.branches[name].entries
            gone = timeline.branches[name].given_up - before.given_up.get(name, 0)
            if gone and (is_moved or len(entries) < timeline.most // 2):
                raise self.wrong(f"{gone} entries of {name} are gone")
            if gone:
                continue
            is_open = not is_moved and name == timeline.branch.name
            if not is_open:
                self._same(f"branch {name}", entries, now)
            elif entries[:-1] != now[: max(len(entries) - 1, 0)]:
                raise self.wrong(f"branch {name} was {entries} and is {now}")
        new = timeline.branches.keys() - before.branches.keys()
        if new and (is_moved or len(new) > 1):
            raise self.wrong(f"new branches: {sorted(new)}")

    def _gone(self, name: str, before: Before) -> None:
        """A branch is given up only when there are too many, and that is told."""
        timeline = self.session.timeline
        many = sum(map(len, before.branches.values()))
        was_full = len(before.branches) >= timeline.most_branches
        was_full = was_full or many >= timeline.most * 9
        is_told = any(f"{name} was given up" in text for text in self.session.notices)
        named = {branch for branch, _ in before.names.values()}
        if not was_full or not is_told or name in {"main", before.branch, *named}:
            raise self.wrong(f"branch {name} is gone")

    def _same(self, what: str, before: object, now: object) -> None:
        if before != now:
            raise self.wrong(f"{what}: was {before}, is {now}")

    def compare(self) -> None:
        """Hold the machine against a shadow."""
        timeline = self.session.timeline
        gone, entries = self._gone_of(timeline.branch), timeline.branch.entries
        done, at = timeline.spot
        if done < len(entries) and at > entries[done].start:
            done += 1
        path = joined(gone[-1:] + entries[:1]) if done else gone[-1:]
        path = gone[:-1] + path + entries[1:done]
        shadow = self.shadows.at(path, at)
        found = differences(self.session.machine, shadow.machine)
        if found:
            raise self.wrong(f"the machine and its shadow differ: {found}")
        if self._luck.random() < RENEWED:
            self.shadows.forget(shadow)
        if self._luck.random() < LED_ON:
            self._ahead(gone)

    def _ahead(self, gone: list[Entry]) -> None:
        """What is known to come is what comes to a machine that is led on."""
        timeline = self.session.timeline
        ahead, entries = timeline.ahead(), timeline.branch.entries
        if not ahead:
            return
        path = gone[:-1] + joined(gone[-1:] + entries[:1]) + entries[1:]
        log = self.shadows.at(path, entries[-1].end).machine.log
        known = {logged.seq: logged for logged in log.since(ahead[0].seq)}
        self._same("what is ahead", [*ahead], [known[each.seq] for each in ahead])
        if ahead[0].seq < timeline.spot.at.seq:
            raise self.wrong(f"{ahead[0]} is no longer ahead")

    def _gone_of(self, branch: Branch) -> list[Entry]:
        """Return what a branch has given up; the last of it may go on in the rest."""
        gone: list[Entry] = []
        if branch.given_up:
            known = self.begun.get(branch.name) or self.begun[branch.parent]
            more, begin = branch.given_up - known.given_up, branch.kept[0].spot.at
            gone = known.gone + known.entries[:more]
            if more < len(known.entries) and known.entries[more].start < begin:
                gone.append(known.entries[more])
            if gone[-1].end > begin:
                gone[-1] = gone[-1]._replace(end=begin, reason="budget")
            gone = joined(gone)
        self.begun[branch.name] = Begun(branch.given_up, gone, [*branch.entries])
        return gone

    def wrong(self, text: str) -> WrongError:
        """Return what to raise."""
        return WrongError(f"{text}\n{self.options}\n" + "\n".join(self.lines))

    # Files.

    def _record(self, rng: Random) -> None:
        if self.session.writer is not None:
            self.say("record", rng.choice(("record stop", "annotate hello")))
            return
        self.files += 1
        self.say("record", f"record start {self.folder / f'{self.files}.lapis'}")

    def _close_and_replay(self) -> None:
        """Close the file, compare what is in it, and go on in its replay."""
        writer = self.session.writer
        if writer is None:
            return
        self.lines.append("close, replay")
        was = self.session.timeline.branches
        self.session.close()
        verdict = recordings.verify(writer.path)
        if verdict.divergence is not None:
            raise self.wrong(verdict.divergence.text)
        recording = reader.read(str(writer.path))
        session = replaying.session_of(recording, self.extensions)
        now = session.timeline.branches
        missing = was.keys() - now.keys()
        if missing:
            raise self.wrong(f"not in the file: {sorted(missing)}")
        for name, branch in was.items():
            pairs = zip_longest(joined(branch.entries), joined(now[name].entries))
            for number, (mine, its) in enumerate(pairs):
                self._same(f"{name} in the file, entry {number}", mine, its)
        writer.path.unlink()
        self.session = self._attended(session)
        self.compare()


def joined(entries: list[Entry]) -> list[Entry]:
    """Put together what just goes on: a file may hold a run in several parts."""
    found: list[Entry] = []
    for entry in entries:
        last = found[-1] if found else None
        if last and last.act == entry.act and last.moves and last.reason == "budget":
            found[-1] = last._replace(end=entry.end, reason=entry.reason)
        else:
            found.append(entry)
    return found


KINDS = [
    kind for kind in (*deeds.DEEDS, "record") for _ in range(deeds.OFTEN.get(kind, 1))
]
REPLAYED = 0.015
"""How often a file is closed and replayed, if there is one."""


def step(walk: Walk, rng: Random) -> None:
    """Do one thing."""
    is_replayed = rng.random() < REPLAYED
    walk.do("close and replay" if is_replayed else rng.choice(KINDS), rng)
