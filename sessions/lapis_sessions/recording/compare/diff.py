"""Where two recordings, two branches, or one under two profiles first differ.

First what the machines are made of is compared, then what was done to them, act by act;
then both are done again side by side, to find the first event that differs and what it
left behind. Nothing is recorded of the inside, so this is where it comes from.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from lapis_engine.profiles.catalog import profile_named
from lapis_engine.profiles.switches import SWITCHES
from lapis_engine.replay.digest import AT_RESET
from lapis_sessions.recording.compare import fields
from lapis_sessions.recording.edit.merge import Numbered, joined
from lapis_sessions.recording.play.player import Player
from lapis_sessions.text import costs, numerals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.events import Logged
    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.compare.fields import Different
    from lapis_sessions.recording.format.schema import ActRow
    from lapis_sessions.recording.play.named import Named

BEFORE = 8
"""Events shown that both still have in common."""


class Side(NamedTuple):
    """One of the two."""

    named: Named
    profile: str = ""
    """Profile it is done under, where that is not the recorded one."""

    @property
    def text(self) -> str:
        """What it is called in a report."""
        return f"{self.named.text}{f' under {self.profile}' if self.profile else ''}"


@dataclass(frozen=True, slots=True)
class Acts:
    """The first act that differs; a side that has ended has none."""

    a: Numbered | None
    b: Numbered | None


@dataclass(frozen=True, slots=True)
class Events:
    """The first event that differs; a side that has ended has none."""

    a: Logged | None
    b: Logged | None
    before: list[Logged]
    """The last that are equal, oldest first."""

    @property
    def seq(self) -> int:
        """Its number."""
        first = self.a or self.b
        assert first is not None
        return first.seq


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that was found."""

    a: Side
    b: Side
    header: list[Different]
    acts: Acts | None
    events: Events | None
    fields: list[Different]
    """Of the state right after that event, or in the end where no event differs; what
    was so from the beginning is left out."""
    beginning: list[Different]
    """Of the state before the first act."""
    digests: tuple[str, str]
    """Of the states that `fields` are of."""

    @property
    def is_equal(self) -> bool:
        """Whether one is as good as the other.

        Two profiles that were asked for are meant to differ; what they do is not.
        """
        is_trial = bool(self.a.profile or self.b.profile)
        found = self.acts or self.events or self.fields
        return not (found or (self.header and not is_trial))


def compare(a: Side, b: Side, extensions: Extensions) -> Comparison:
    """Compare two sides; raise what building or replaying a machine raises."""
    one, other = _player(a, extensions), _player(b, extensions)
    beginning, _ = fields.compare(one.machine, other.machine)
    found = events(one, other)
    if found is not None:
        # Both are past it by up to a slice, and a machine does not go back.
        one, other = _player(a, extensions), _player(b, extensions)
        one.to_event(found.seq)
        other.to_event(found.seq)
    rows, digests = fields.compare(one.machine, other.machine)
    since = set(beginning)
    rows = [row for row in rows if row not in since]
    header = machines(a, b, extensions.profiles)
    return Comparison(a, b, header, acts(a, b), found, rows, beginning, digests)


def _player(side: Side, extensions: Extensions) -> Player:
    return Player(side.named, extensions, side.profile, strict=False)


def machines(a: Side, b: Side, profiles: Mapping[str, Profile]) -> list[Different]:
    """Return in what the machines differ, the switches of their profiles included."""
    return fields.different(_made_of(a, profiles), _made_of(b, profiles))


def _made_of(side: Side, profiles: Mapping[str, Profile]) -> dict[str, str]:
    """Return what makes a difference to the guest; versions and file names do not."""
    head = side.named.recording.header
    switches = head.switches
    if side.profile:
        switches = asdict(profile_named(side.profile, profiles))
    made: dict[str, Any] = {
        "image": head.image.sha256,
        "image is flat": head.image.is_flat,
        "firmware": head.firmware,
        "cpus": head.cpus,
        "memory": numerals.size(head.memory),
        "profile": side.profile or head.profile,
        "quantum": head.quantum,
        "cost": costs.written(head.cost),
        "tsc hz": head.tsc_hz,
        "machine": head.machine,
        "ports": head.ports,
        "mmio": head.mmio,
        "seed": head.seed,
        "on reset": head.on_reset,
        "checks": "all" if head.strict else "usual" if head.usual else "off",
        "append": head.append,
        "cpu": head.cpu,
        "hypervisor": head.hypervisor,
        "devices": " ".join(head.devices),
    }
    for number, row in enumerate(head.attached):
        made[f"file {number}"] = f"{row.role} {row.sha256} {row.args}".rstrip()
    for name in (switch.name for switch in SWITCHES):
        made[f"switch {name}"] = switches.get(name, AT_RESET)
    return {name: str(value) for name, value in made.items()}


def acts(a: Side, b: Side) -> Acts | None:
    """Return the first acts that differ: in what was asked, or in where they ended.

    Of a run that was only cut short the act after it is meant.
    """
    if a.named.branch is b.named.branch:
        return None
    first, second = joined(a.named.branch.acts), joined(b.named.branch.acts)
    for index in range(max(len(first), len(second))):
        one, other = _at(first, index), _at(second, index)
        if one is None or other is None:
            return Acts(one, other)
        if one.row != other.row:
            return Acts(
                _at(first, index + 1) if _is_cut(one.row, other.row) else one,
                _at(second, index + 1) if _is_cut(other.row, one.row) else other,
            )
    return None


def _at(rows: Sequence[Numbered], index: int) -> Numbered | None:
    return rows[index] if index < len(rows) else None


def _is_cut(row: ActRow, longer: ActRow) -> bool:
    """Tell whether a run or a step is the first part of another."""
    alike = (row.verb, row.args) == (longer.verb, longer.args)
    return alike and row.reason == "budget" and row.retired < longer.retired


def events(a: Player, b: Player) -> Events | None:
    """Do both again side by side; return the first event that differs."""
    before: deque[Logged] = deque(maxlen=BEFORE)
    for one, other in zip_longest(a.events(), b.events()):
        if one != other:
            return Events(one, other, list(before))
        before.append(one)
    return None
