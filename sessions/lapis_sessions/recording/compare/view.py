"""A comparison as plain data that JSON can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.explain.events import describe
from lapis_engine.replay.entries import TIME_MOVING
from lapis_sessions.views import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.events import Logged
    from lapis_sessions.recording.compare.diff import Acts, Comparison, Events, Side
    from lapis_sessions.recording.compare.fields import Different
    from lapis_sessions.recording.edit.merge import Numbered
    from lapis_sessions.recording.format.schema import ActRow
    from lapis_sessions.views.machine import Json


def comparison(found: Comparison) -> Json:
    """Return the object of `lapis session diff --json`."""
    digests = dict(zip("ab", found.digests, strict=True))
    return {
        "a": _side(found.a),
        "b": _side(found.b),
        "equal": found.is_equal,
        "header": _rows(found.header),
        "act": _acts(found.acts),
        "event": _events(found.events),
        "fields": _rows(found.fields),
        "beginning": _rows(found.beginning),
        "digests": digests,
    }


def _side(side: Side) -> Json:
    head = side.named.recording.header
    return {
        "text": side.text,
        "file": side.named.recording.name,
        "branch": side.named.branch.name,
        "profile": side.profile or head.profile,
    }


def _rows(found: Sequence[Different]) -> list[Json]:
    return [{"field": row.field, "a": row.a, "b": row.b} for row in found]


def _acts(found: Acts | None) -> Json | None:
    if found is None:
        return None
    return {"a": _act(found.a), "b": _act(found.b)}


def _act(act: Numbered | None) -> Json | None:
    return None if act is None else row(act.row) | {"number": act.number}


def row(act: ActRow) -> Json:
    """Return an act: what was asked, in words too, and where it ended."""
    return {
        "verb": act.verb,
        "args": act.args,
        "retired": act.retired,
        "seq": act.seq,
        "now": act.now,
        "reason": act.reason,
        "text": text(act),
    }


def text(act: ActRow) -> str:
    """Put an act into words."""
    given = [pair for pair in act.args.items() if pair != ("by", "user")]
    words = [act.verb, *(f"{name}={_value(value)}" for name, value in given)]
    if act.verb in TIME_MOVING:
        words.append(f"to instruction {act.retired:,} ({act.reason})")
    return " ".join(words)


def _value(value: object) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:#x}" if is_number and value not in range(10) else str(value)


def _events(found: Events | None) -> Json | None:
    if found is None:
        return None
    return {
        "seq": found.seq,
        "a": _event(found.a),
        "b": _event(found.b),
        "before": [machine.event(logged) for logged in found.before],
        "differs": _what(found),
    }


def _event(logged: Logged | None) -> Json | None:
    return None if logged is None else machine.event(logged)


def _what(found: Events) -> str:
    """Say in what two events differ: all of it, or only when."""
    if found.a is None or found.b is None:
        return f"{'a' if found.a is None else 'b'} has ended"
    if found.a.event == found.b.event:
        return "time"
    same = describe(found.a.event) == describe(found.b.event)
    return "vcpu" if same else "event"
