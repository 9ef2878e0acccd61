"""A recording as a trace that ui.perfetto.dev shows (Chrome's JSON trace format).

Two tracks per vCPU: what it is in (vectors in service, halts, waits for an answer) as
slices that nest, and what happened to it as slices of one instruction's time, between
which the IPIs are arrows. The trace's us are virtual time.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from lapis_engine.events import VectorDelivered, VectorEnded
from lapis_sessions.plain import plain
from lapis_sessions.recording.export.arrows import Arrow, Arrows
from lapis_sessions.recording.export.levels import Edge, Levels
from lapis_sessions.text.visible import json_text
from lapis_sessions.views import events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lapis_engine.events import Logged
    from lapis_engine.replay.entries import Entry
    from lapis_sessions.plain import Data
    from lapis_sessions.recording.format.schema import Annotation
    from lapis_sessions.recording.play.named import Named
    from lapis_sessions.recording.play.player import Player

PID = 1
MACHINE = 1
"""Track of what happens to no vCPU; those of vCPU n are 2n + 2 and 2n + 3."""
MOMENT = 1
"""ns that an event takes up, so that an arrow has something to hold on to."""
COMMON = ("seq", "at", "vcpu", "kind", "text", "times")


def trace(named: Named, player: Player) -> Iterator[bytes]:
    """Yield the trace in pieces; raise `DivergedError`."""
    yield b'{"displayTimeUnit":"ns","traceEvents":[\n'
    for index, row in enumerate(chain(_names(named, player), _rows(named, player))):
        text = json_text(row, sort_keys=True, separators=(",", ":"))
        yield f"{',' if index else ''}{text}\n".encode()
    yield b"]}\n"


def _names(named: Named, player: Player) -> Iterator[Data]:
    """Yield what the tracks are called, and in which order they stand."""
    yield _metadata("process_name", 0, name=named.recording.header.image.name)
    tracks = {MACHINE: "machine"}
    for vcpu in player.machine.vcpus:
        tracks[_levels(vcpu.id)] = f"vCPU {vcpu.id}"
        tracks[_moments(vcpu.id)] = f"vCPU {vcpu.id} events"
    for track, name in tracks.items():
        yield _metadata("thread_name", track, name=name)
        yield _metadata("thread_sort_index", track, sort_index=track)


def _metadata(what: str, track: int, **args: object) -> Data:
    return {"ph": "M", "name": what, "pid": PID, "tid": track, "args": args}


def _levels(vcpu: int) -> int:
    return 2 * vcpu + 2


def _moments(vcpu: int) -> int:
    return 2 * vcpu + 3 if vcpu >= 0 else MACHINE


def _rows(named: Named, player: Player) -> Iterator[Data]:
    levels = [Levels(vcpu.id) for vcpu in player.machine.vcpus]
    arrows = Arrows()
    for note in named.branch.notes:
        yield _note(note.text, _time(note, player.entries))
    for logged in player.events():
        yield from _event(logged, levels, arrows.take(logged))
    end = player.at.now
    yield from _edges(edge for each in levels for edge in each.close(end))


def _time(note: Annotation, entries: Sequence[Entry]) -> int:
    """Return when a note is: within an act as if no time had been slept there."""
    if not entries:
        return 0
    before = entries[: note.acts]
    begin = before[-1].end if before else entries[0].start
    end = entries[note.acts].end if note.acts < len(entries) else begin
    return min(begin.now + max(note.retired - begin.retired, 0), end.now)


def _event(logged: Logged, levels: list[Levels], arrow: Arrow | None) -> Iterator[Data]:
    vcpu = logged.event.vcpu
    view = plain(events.of(logged))
    yield {
        "ph": "X", "name": _title(view), "cat": view["kind"], "pid": PID,
        "tid": _moments(vcpu), "ts": _us(logged.at), "dur": _us(MOMENT),
        "args": _details(view),
    }  # fmt: skip
    if vcpu >= 0:
        yield from _edges(levels[vcpu].take(logged))
    if isinstance(logged.event, VectorDelivered | VectorEnded):
        yield {
            "ph": "C", "name": f"vCPU {vcpu} PPR", "pid": PID, "ts": _us(logged.at),
            "args": {"PPR": logged.event.ppr},
        }  # fmt: skip
    if arrow is not None:
        yield from _arrow(arrow)


def _title(view: Data) -> str:
    """Return a short name: the kind, and what it is about."""
    about = [f"{view[name]:#04x}" for name in ("vector",) if name in view]
    about += [str(view[name]) for name in ("mode", "code") if name in view]
    return " ".join([view["kind"], *about])


def _details(view: Data) -> Data:
    details = {name: value for name, value in view.items() if name not in COMMON}
    return {"event": view["seq"], "text": view["text"], **details}


def _edges(edges: Iterable[Edge]) -> Iterator[Data]:
    for edge in edges:
        row: Data = {
            "ph": edge.phase, "name": edge.name, "cat": edge.category, "pid": PID,
            "tid": _levels(edge.vcpu), "ts": _us(edge.at),
        }  # fmt: skip
        yield row | {"args": {"text": edge.text}} if edge.text else row


def _arrow(arrow: Arrow) -> Iterator[Data]:
    """Yield both ends; the far one holds on to the slice that it lies in."""
    head: Data = {
        "name": "IPI", "cat": "ipi", "pid": PID,
        "id": arrow.sent.seq << 8 | arrow.target,
    }  # fmt: skip
    sender = _moments(arrow.sent.event.vcpu)
    yield head | {"ph": "s", "tid": sender, "ts": _us(arrow.sent.at)}
    target = {"tid": _moments(arrow.target), "ts": _us(arrow.arrived.at)}
    yield head | {"ph": "f", "bp": "e"} | target


def _note(text: str, at: int) -> Data:
    return {
        "ph": "i", "s": "g", "name": text, "cat": "annotation", "pid": PID,
        "tid": MACHINE, "ts": _us(at),
    }  # fmt: skip


def _us(ns: int) -> float:
    return ns / 1000
