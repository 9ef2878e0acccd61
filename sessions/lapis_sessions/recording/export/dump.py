"""A recording row by row, as plain data: what is in the file, and what it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lapis_sessions.plain import plain
from lapis_sessions.recording.compare import view as views_diff
from lapis_sessions.recording.format.stored import StoredCheckpoint
from lapis_sessions.recording.play.named import Named
from lapis_sessions.recording.play.player import Player
from lapis_sessions.views import events as events_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_engine.events import Logged
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.plain import Data
    from lapis_sessions.recording.format.reader import RecordedBranch, Recording
    from lapis_sessions.recording.format.schema import (
        Annotation,
        AttachedRow,
        HashRow,
        Header,
        ImageRow,
    )

    Mark = HashRow | StoredCheckpoint | Annotation


def rows(recording: Recording) -> Iterator[Data]:
    """Yield a row for each record of the file: what is noted follows its act."""
    yield header(recording.header)
    for branch in recording.branches:
        yield _beginning(branch)
        marks = _marks(branch)
        yield from _told(branch, marks.get(0, ()))
        for number, _ in enumerate(branch.acts, 1):
            yield act(branch, number)
            yield from _told(branch, marks.get(number, ()))


def with_events(recording: Recording, extensions: Extensions) -> Iterator[Data]:
    """Yield the rows, and the events of each act before it; raise `DivergedError`."""
    yield header(recording.header)
    for branch in recording.branches:
        yield _beginning(branch)
        marks, over = _marks(branch), 0
        yield from _told(branch, marks.get(0, ()))
        player = Player(Named(recording, branch), extensions)
        for done, events in player.acts():
            yield from (event(branch, logged) for logged in events)
            if done > over:
                over = done
                yield act(branch, over)
                yield from _told(branch, marks.get(over, ()))


def header(head: Header) -> Data:
    """Return the header; of a file its size, or None where it is not within."""
    image = _file(head.image)
    image["symbols"] = [list(symbol) for symbol in head.image.symbols]
    files = {"image": image, "attached": list(map(_file, head.attached))}
    return {"type": "header"} | msgspec.structs.asdict(head) | files


def _file(row: ImageRow | AttachedRow) -> Data:
    found = msgspec.structs.asdict(row)
    data = found.pop("data")
    return found | {"bytes": None if data is None else len(data)}


def _beginning(branch: RecordedBranch) -> Data:
    return {
        "type": "branch",
        "branch": branch.name,
        "parent": branch.parent,
        "acts": len(branch.acts),
    }


def act(branch: RecordedBranch, number: int) -> Data:
    """Return an act; they are counted from 1."""
    head = {"type": "act", "branch": branch.name, "number": number}
    view: Data = plain(views_diff.act(branch.acts[number - 1]))
    return head | view


def event(branch: RecordedBranch, logged: Logged) -> Data:
    """Return an event."""
    view: Data = plain(events_view.of(logged))
    del view["times"]
    return {"type": "event", "branch": branch.name} | view


def _marks(branch: RecordedBranch) -> dict[int, list[tuple[str, Mark]]]:
    """Return what is noted after so many acts."""
    found: dict[int, list[tuple[str, Mark]]] = {}
    kinds: tuple[tuple[str, list[Mark]], ...] = (
        ("hash", [*branch.hashes]),
        ("checkpoint", [*branch.checkpoints]),
        ("annotation", [*branch.notes]),
    )
    for kind, marks in kinds:
        for mark in marks:
            found.setdefault(mark.acts, []).append((kind, mark))
    return found


def _told(branch: RecordedBranch, marks: Sequence[tuple[str, Mark]]) -> Iterator[Data]:
    for kind, mark in marks:
        row = mark.row if isinstance(mark, StoredCheckpoint) else mark
        fields = msgspec.structs.asdict(row)
        yield {"type": kind, "branch": branch.name} | fields


def text(row: Data) -> str:
    """Put a row into words."""
    match row["type"]:
        case "header":
            return (
                f"{row['image']['name']}, {row['cpus']} vCPUs, {row['memory']}, "
                f"profile {row['profile']}, Lapis {row['lapis']}"
            )
        case "branch":
            tail = f", from {row['parent']}" if row["parent"] else ""
            return f"{row['branch']}: {row['acts']} acts{tail}"
        case "act":
            where = f"instruction {row['retired']:,}, event {row['seq']}"
            return f"{row['number']:>7}  {row['text']} -> {where}"
        case "event":
            who = "-" if row["vcpu"] < 0 else row["vcpu"]
            return f"{row['seq']:>15} {row['at']:>15,} ns  {who:>3}  {row['text']}"
        case "annotation":
            return f"{'note':>7}  at instruction {row['retired']:,}: {row['text']}"
        case _:
            return f"{row['type']:>10}  after act {row['acts']}: {row['digest']}"
