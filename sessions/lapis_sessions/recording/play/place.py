"""Points of a recording as users write them: COUNT, #EVENT, act N, start, end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lapis_sessions.errors import RecordingError
from lapis_sessions.text import numerals
from lapis_sessions.text.visible import short

if TYPE_CHECKING:
    from lapis_engine.replay.capture import Position
    from lapis_sessions.recording.format.reader import RecordedBranch
    from lapis_sessions.recording.play.player import Player

ACT = "act"
"""`act7` is right after the seventh act."""


class Place(NamedTuple):
    """A point: so many acts are over, and the machine is at `at`."""

    done: int
    at: Position


def check(branch: RecordedBranch, text: str, what: str) -> None:
    """Raise `RecordingError` or `CommandError` for a point that is not there."""
    last = branch.acts[-1] if branch.acts else None
    limits = {
        "#": ("event", last.seq - 1 if last else -1),
        ACT: ("act", len(branch.acts)),
        "": ("instruction", last.retired if last else 0),
    }
    if text in {"start", "end"}:
        return
    prefix = _prefix(text)
    unit, most = limits[prefix]
    number = numerals.number(text.removeprefix(prefix), f"{what}: {unit}")
    if number > most:
        ends = f"{unit} {most}" if most >= 0 else "no event at all"
        raise RecordingError(
            f"{what} {short(text)}: {short(branch.name)} ends with {ends}"
        )


def _prefix(text: str) -> str:
    return next((prefix for prefix in ("#", ACT) if text.startswith(prefix)), "")


def go(player: Player, text: str) -> Place:
    """Bring a player to a point that was checked, and return it."""
    prefix = _prefix(text)
    if text == "end":
        player.to_act(len(player.entries))
    elif text != "start":
        number = numerals.number(text.removeprefix(prefix), "point")
        match prefix:
            case "#":
                player.to_event(number)
            case "act":
                player.to_act(number)
            case _:
                player.to_count(number)
    return Place(player.done, player.at)
