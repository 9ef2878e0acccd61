"""Commands that go along what was done, or on to an event of a kind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.explain.events import describe
from lapis_engine.machine.catches import EVENTS, Catch, matches
from lapis_sessions.commands import running
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.timeline import searches
from lapis_sessions.views import displays
from lapis_sessions.views import machine as views
from lapis_sessions.views import timeline as places

if TYPE_CHECKING:
    from lapis_sessions.session import Session
    from lapis_sessions.views.machine import FoundView, StopView
    from lapis_sessions.views.timeline import PlaceView

AT_ONCE = 256
"""Events that one instruction may bring: so many are looked through at most."""
OURS = 0
"""Number of the catch that is there while we look: the user's begin with 1."""
ARGUMENTS = (
    Argument("event", "word", required=True, choices=tuple(EVENTS)),
    Argument("vcpu", "vcpu", option=True),
)


def play(session: Session, bound: Bound) -> StopView:
    """Go along acts that were done."""
    count = bound.number("count") if "count" in bound else None
    return running.shown(session, session.play(count))


def next_event(session: Session, bound: Bound) -> FoundView:
    """Go on until an event of a kind has happened."""
    kind = bound.word("event")
    with session.machine.catches.looking_for(_catch(session, bound)):
        stop = session.run(watched=True)
    found = stop.catch == OURS
    if not found:
        text = stop.text or stop.reason
        stop = replace(stop, text=f"no {_what(bound)} before this: {text}")
    return views.found(stop, kind, displays.of(session), found=found)


def previous_event(session: Session, bound: Bound) -> PlaceView:
    """Go back to where an event of a kind had just happened."""
    catch, timeline = _catch(session, bound), session.timeline
    if not searches.back_to_last(timeline, searches.catches(timeline, [catch])):
        what = _what(bound)
        raise CommandError(f"{what}: there is none before this; nothing was moved")
    place = places.place(session)
    # What one instruction brings comes at once: the event need not be the last here.
    late = reversed(session.machine.log.last(AT_ONCE))
    found = next((each.event for each in late if matches(catch, each.event)), None)
    return place if found is None else replace(place, text=describe(found))


def _catch(session: Session, bound: Bound) -> Catch:
    """Return what waits for the event; raise `EngineError` for no vCPU."""
    if "vcpu" not in bound:
        return Catch(OURS, bound.word("event"))
    number = session.machine.vcpu(bound.number("vcpu")).id
    return Catch(OURS, bound.word("event"), number)


def _what(bound: Bound) -> str:
    where = f" on vCPU {bound.number('vcpu')}" if "vcpu" in bound else ""
    return f"{bound.word('event')} event{where}"


COMMANDS = (
    Command(
        "play",
        "in the past go along the next COUNT acts that were done, or to the end of the "
        "branch",
        "time-moving", play, views.stop_text, (Argument("count", "count"),),
    ),
    Command(
        "next-event",
        "go on until the next event of a kind, named as for catch: run, or in the past "
        "along what was done there",
        "time-moving", next_event, views.stop_text, ARGUMENTS,
    ),
    Command(
        "previous-event",
        "go back to just after the last event of a kind before this point",
        "time-moving", previous_event, places.place_text, ARGUMENTS,
    ),
)  # fmt: skip
