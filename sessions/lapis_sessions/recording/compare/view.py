"""Where two histories part: the report of `lapis session diff`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lapis_engine.explain.events import describe
from lapis_engine.replay.entries import TIME_MOVING
from lapis_sessions.plain import FLAT
from lapis_sessions.views import events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_engine.events import Logged
    from lapis_sessions.recording.compare.diff import Acts, Comparison, Events, Side
    from lapis_sessions.recording.compare.fields import Different
    from lapis_sessions.recording.edit.merge import Numbered
    from lapis_sessions.recording.format.schema import ActRow
    from lapis_sessions.views.events import EventView

MOST: Final = 40
"""Fields that are shown; JSON has all."""
WIDE: Final = 38
"""Letters of a value; longer ones are cut in the middle."""
ENDED: Final = "(it has ended)"


@dataclass(frozen=True, slots=True)
class SideView:
    """One of the two."""

    text: str
    file: str
    branch: str
    profile: str


@dataclass(frozen=True, slots=True)
class DifferentView:
    """A field that differs, and its values."""

    field: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class ActView:
    """An act: what was asked, in words too, and where it ended."""

    verb: str
    args: Mapping[str, object]
    retired: int
    seq: int
    now: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class NumberedView:
    """An act with its number."""

    act: ActView = field(metadata=FLAT)
    number: int


@dataclass(frozen=True, slots=True)
class ActsView:
    """The first act that differs; None where a side has ended."""

    a: NumberedView | None
    b: NumberedView | None


@dataclass(frozen=True, slots=True)
class EventsView:
    """The first event that differs; None where a side has ended."""

    seq: int
    a: EventView | None
    b: EventView | None
    before: tuple[EventView, ...]
    differs: str
    """In what: event, vcpu, time, or who has ended."""


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """The whole report."""

    a: SideView
    b: SideView
    equal: bool
    header: tuple[DifferentView, ...]
    act: ActsView | None
    event: EventsView | None
    fields: tuple[DifferentView, ...]
    beginning: tuple[DifferentView, ...]
    digests: Mapping[str, str]


def comparison(found: Comparison) -> ComparisonView:
    """Return the object of `lapis session diff --json`."""
    return ComparisonView(
        a=_side(found.a),
        b=_side(found.b),
        equal=found.is_equal,
        header=differences(found.header),
        act=_acts(found.acts),
        event=first_event(found.events),
        fields=differences(found.fields),
        beginning=differences(found.beginning),
        digests=dict(zip("ab", found.digests, strict=True)),
    )


def _side(side: Side) -> SideView:
    named = side.named
    profile = side.profile or named.recording.header.profile
    return SideView(side.text, named.recording.name, named.branch.name, profile)


def differences(found: Sequence[Different]) -> tuple[DifferentView, ...]:
    """Return fields that differ."""
    return tuple(DifferentView(row.field, row.a, row.b) for row in found)


def _acts(found: Acts | None) -> ActsView | None:
    return None if found is None else ActsView(_act(found.a), _act(found.b))


def _act(it: Numbered | None) -> NumberedView | None:
    return None if it is None else NumberedView(act(it.row), it.number)


def act(it: ActRow) -> ActView:
    """Return an act: what was asked, in words too, and where it ended."""
    return ActView(
        verb=it.verb,
        args=it.args,
        retired=it.retired,
        seq=it.seq,
        now=it.now,
        reason=it.reason,
        text=act_text(it),
    )


def first_event(found: Events | None) -> EventsView | None:
    """Return the first event that differs, if one does."""
    if found is None:
        return None
    return EventsView(
        seq=found.seq,
        a=_event(found.a),
        b=_event(found.b),
        before=tuple(map(events.of, found.before)),
        differs=_what(found),
    )


def _event(logged: Logged | None) -> EventView | None:
    return None if logged is None else events.of(logged)


def _what(found: Events) -> str:
    """Say in what two events differ: all of it, or only when."""
    if found.a is None or found.b is None:
        return f"{'a' if found.a is None else 'b'} has ended"
    if found.a.event == found.b.event:
        return "time"
    same = describe(found.a.event) == describe(found.b.event)
    return "vcpu" if same else "event"


# In words.


def act_text(it: ActRow) -> str:
    """Put an act into words."""
    given = [pair for pair in it.args.items() if pair != ("by", "user")]
    words = [it.verb, *(f"{name}={_value(value)}" for name, value in given)]
    if it.verb in TIME_MOVING:
        words.append(f"to instruction {it.retired:,} ({it.reason})")
    return " ".join(words)


def _value(value: object) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:#x}" if is_number and value not in range(10) else str(value)


def text(view: ComparisonView) -> str:
    """Return the report of `lapis session diff`."""
    out = [f"a: {view.a.text}", f"b: {view.b.text}"]
    if view.header:
        out += ["", "the machines differ:", *table(view.header)]
    if view.act is not None:
        out += ["", *_acts_text(view.act)]
    out += ["", *event_text(view.event)]
    if view.fields:
        out += ["", _state(view), *table(view.fields)]
    elif view.event is not None:
        out += ["", "the state right after it does not differ"]
    else:
        out.append("the state in the end does not differ")
    if view.beginning:
        count = len(view.beginning)
        out.append(f"left out: {count} fields that differ from the beginning on")
    return "\n".join(out)


def _acts_text(view: ActsView) -> list[str]:
    sides = (("a", view.a), ("b", view.b))
    rows = [f"  {name}  {_act_line(side)}" for name, side in sides]
    return ["the first act that differs:", *rows]


def _act_line(view: NumberedView | None) -> str:
    if view is None:
        return ENDED
    where = f"instruction {view.act.retired:,}, event {view.act.seq}"
    return f"act {view.number}: {view.act.text} -> {where}"


def event_text(view: EventsView | None) -> list[str]:
    """Say which event differs first, and what came before it."""
    if view is None:
        return ["no event differs"]
    what = " only in its time" if view.differs == "time" else ""
    out = [f"event {view.seq} is the first that differs{what}; before it:"]
    out += [f"     {line}" for line in events.text(view.before).split("\n")]
    for name, row in (("a", view.a), ("b", view.b)):
        out.append(f"  {name}  {ENDED if row is None else events.row_text(row)}")
    return out


def _state(view: ComparisonView) -> str:
    count = len(view.fields)
    number = f"{count} fields differ" if count != 1 else "1 field differs"
    return (
        f"{number} in the end:" if view.event is None else f"{number} right after it:"
    )


def table(rows: Sequence[DifferentView]) -> list[str]:
    """Return fields that differ in columns, the first of many."""
    shown = rows[:MOST]
    width = max(len(row.field) for row in shown)
    out = [
        f"  {row.field:<{width}}  {_cut(row.a):<{WIDE}}  {_cut(row.b)}" for row in shown
    ]
    left = len(rows) - len(shown)
    return [*out, f"  and {left} more"] if left else out


def _cut(value: str) -> str:
    if len(value) <= WIDE:
        return value
    half = (WIDE - 3) // 2
    return f"{value[:half]}...{value[-half:]}"
