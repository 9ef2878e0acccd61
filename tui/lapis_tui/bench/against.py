"""`lapis bench peers`: the same loops on Lapis and on other emulators, in one run.

The rounds of Lapis and of its peers alternate, for the machine is never the same for
long. Each measures how long N rounds of a loop take and how long twice as many; the
difference is that of N rounds, without what starting takes. Time is that of the
processor.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Final

from lapis_sessions.text.visible import json_text
from lapis_tui import output
from lapis_tui.bench import guests, rom
from lapis_tui.bench.figure import where
from lapis_tui.bench.peers import ICOUNT, PeerError, peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lapis_tui.bench.peers import Peer

TIMES = 5
"""Rounds of alternation."""
SPAN = 0.25
"""Seconds that N rounds of a loop should take at least."""
FIRST = 2_000
"""Rounds that are tried first."""
MOST: Final = rom.MOST_ROUNDS // 2
TARGETS: Final = {
    (rom.REGISTERS.name, ICOUNT): 0.8,
    (rom.ON_DATA.name, ICOUNT): 0.5,
    (rom.ON_CODE.name, ICOUNT): 0.1,
}
"""The least ratio, by loop and peer, where there is one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One loop on Lapis beside one peer; all None but the problem, if there is one."""

    name: str
    unit: str
    peer: str
    value: float | None = None
    """What Lapis does: the median."""
    peer_value: float | None = None
    ratio: float | None = None
    """The median of the ratios, each of rounds that followed each other."""
    lowest: float | None = None
    highest: float | None = None
    times: int = 0
    """Rounds that were compared."""
    target: float | None = None
    met: bool | None = None
    problem: str | None = None
    """Why there is nothing to compare, in a sentence."""


class Runner:
    """One emulator on one loop."""

    def __init__(self, seconds: Callable[[bytes], float], loop: rom.Loop) -> None:
        """Find how many rounds are enough, twice as many at a time, or more.

        `seconds` runs a ROM to its end and tells how long that took.
        """
        self._seconds, self._loop = seconds, loop
        self._rounds = FIRST
        while (took := self._difference()) < SPAN and self._rounds < MOST:
            factor = min(max(1.2 * SPAN / max(took, 1e-9), 2), 16)
            self._rounds = min(int(self._rounds * factor), MOST)

    def rate(self) -> float | None:
        """Return what it does a second; None if noise is all that was seen."""
        took = self._difference()
        return self._rounds * self._loop.amount / took if took > 0 else None

    def _difference(self) -> float:
        once = self._seconds(rom.image(self._loop, self._rounds))
        return self._seconds(rom.image(self._loop, 2 * self._rounds)) - once


def lapis(image: bytes) -> float:
    """Run a ROM on Lapis to its end; return the processor time that it took."""
    start = process_time()
    machine = guests.from_reset(image)
    stop = machine.run(1 << 40)
    machine.close()
    assert stop.reason == "exit", stop
    return process_time() - start


class Match:
    """Lapis and one peer on one loop."""

    def __init__(self, peer: Peer, loop: rom.Loop, lost: dict[str, str]) -> None:
        """Prepare the peer, unless it is among `lost`: what is wrong, by name."""
        self._peer, self._loop, self._lost = peer, loop, lost
        self._pairs: list[tuple[float, float]] = []
        self._runner: Runner | None = None
        with self._losing():
            if peer.name not in lost:
                self._runner = Runner(peer.seconds, loop)

    def play(self, ours: float | None) -> None:
        """Measure the peer right after Lapis, which did `ours` a second."""
        if self._runner is None or self._peer.name in self._lost:
            return
        with self._losing():
            theirs = self._runner.rate()
            if ours and theirs:
                self._pairs.append((ours, theirs))

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except PeerError as error:
            self._lost[self._peer.name] = str(error)

    def result(self) -> Comparison:
        """Return what came out."""
        peer, loop = self._peer.name, self._loop
        problem = self._lost.get(peer)
        if problem is None and not self._pairs:
            problem = "what it did was too short to be measured"
        if problem is not None:
            return Comparison(loop.name, loop.unit, peer, problem=problem)
        ratios = [ours / theirs for ours, theirs in self._pairs]
        ratio, target = median(ratios), TARGETS.get((loop.name, peer))
        return Comparison(
            loop.name, loop.unit, peer,
            value=median(ours for ours, _ in self._pairs),
            peer_value=median(theirs for _, theirs in self._pairs),
            ratio=ratio, lowest=min(ratios), highest=max(ratios), times=len(ratios),
            target=target, met=None if target is None else ratio >= target,
        )  # fmt: skip


def compare(
    loop: rom.Loop, those: Sequence[Peer], lost: dict[str, str]
) -> list[Comparison]:
    """Run a loop on Lapis and on its peers by turns; what fails is `lost` from then."""
    matches = [Match(peer, loop, lost) for peer in those]
    if len(lost) < len(those):
        ours = Runner(lapis, loop)
        for _ in range(TIMES):
            rate = ours.rate()
            for match in matches:
                match.play(rate)
    return [match.result() for match in matches]


def line(c: Comparison) -> str:
    """Return a line for a comparison; of one with a problem, what it is."""
    if c.ratio is None or c.value is None or c.peer_value is None:
        return f"{c.name:28} {'-':>13} {c.unit:14} {c.peer}: {c.problem}"
    target = "" if c.target is None else f"; >= {c.target} "
    verdict = "" if c.met is None else "met" if c.met else "MISSED"
    return (
        f"{c.name:28} {c.value:13,.0f} {c.unit:14} {c.ratio:8.4f} of {c.peer}"
        f" ({c.peer_value:,.0f}; {c.lowest:.4f} to {c.highest:.4f} in {c.times})"
        f"{target}{verdict}"
    )


def main(*, as_json: bool) -> None:
    """Compare and print everything; peers that are missing or hang are told as such."""
    here = where()
    those = peers()
    lost = {p.name: f"{p.program} is not installed" for p in those if not p.installed}
    found = [row for loop in rom.LOOPS for row in compare(loop, those, lost)]
    if as_json:
        rows = [asdict(row) | asdict(here) for row in found]
        output.say(json_text(rows, indent=2))
    else:
        output.say("\n".join([str(here), *map(line, found)]))
