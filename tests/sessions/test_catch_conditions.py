"""Catches with conditions on the fields of the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from lapis_sessions.session import Session

LIMIT = 60_000


@pytest.fixture
def session() -> Session:
    it = open_session(SessionOptions("ap-bringup", cpus=2), discover().extensions)
    it.limit = LIMIT
    return it


def done(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, outcome.error
    return outcome.result


CONDITIONS = [
    ("ipi", "event.mode == 'sipi'", lambda e: e["icr"] >> 8 & 7 == 6),
    ("ipi", "1 in event.targets and event.mode != 'init'",
     lambda e: 1 in e["targets"] and e["icr"] >> 8 & 7 != 5),
    ("any", "event.kind == 'accept' and event.vector > 0x30",
     lambda e: e["kind"] == "accept" and e["vector"] > 0x30),
    ("any", "event.kind in ['init', 'sipi']",
     lambda e: e["kind"] in {"init", "sipi"}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "condition", "holds"), CONDITIONS)
def test_it_stops_at_just_the_events_for_which_it_holds(
    session: Session, event: str, condition: str, holds: Any
) -> None:
    done(session, f"run {LIMIT}")
    rows = done(session, "events 100000 --all")
    wanted = [
        row["seq"]
        for row in rows
        if (event == "any" or row["kind"] == event) and holds(row)
    ]
    done(session, "goto start")
    done(session, f"catch {event} if {condition}")
    found = []
    while done(session, "run")["stop"] == "catch":
        found.append(session.machine.log.next_seq - 1)
    # What one instruction brings comes at once: a stop may be behind several.
    assert wanted
    assert found == sorted(set(found))
    assert len(found) <= len(wanted) <= 4 * len(found)
    assert all(any(seq - 8 <= each <= seq for each in wanted) for seq in found)
    for seq in reversed(found):
        done(session, "reverse-continue")
        assert session.machine.log.next_seq - 1 <= seq


def test_it_is_listed_as_it_was_written(session: Session) -> None:
    (row,) = done(session, "catch ipi --vcpu 0 if event.vector in [0x40, 2] ")
    assert row["conditions"] == {"vcpu": 0, "condition": "event.vector in [0x40, 2]"}
    assert session.execute("catch").text == (
        "  1  catch ipi --vcpu 0 if event.vector in [0x40, 2]  (0 times)"
    )


def test_registers_are_those_of_whom_it_happens_to(session: Session) -> None:
    done(session, "catch any if event.vcpu == 1 and vcpu[1].rip == rip")
    stop = done(session, "run")
    assert (stop["stop"], stop["vcpu"]) == ("catch", 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("catch ipi if", ""),
        ("catch ipi if event.nothing == 1", "nothing"),
        ("catch ipi if nothing == 1", "nothing"),
        ("catch console 'a' if event.vector == 1", "catch console has no condition"),
        ("catch if event.vector == 1", "catch needs an event"),
    ],
)
def test_what_is_wrong_is_refused_or_told(
    session: Session, line: str, said: str
) -> None:
    outcome = session.execute(line)
    if not outcome.ok:
        assert said in outcome.error
        return
    session.execute("run")
    assert not said or any(said in each for each in session.notices)


@pytest.mark.parametrize(
    ("field", "near"),
    [
        ("nothing", ""),
        ("vectr", "; did you mean vector?"),
        ("Kind", "; did you mean kind?"),
    ],
)
def test_a_field_that_no_event_has_is_refused_at_once(
    session: Session, field: str, near: str
) -> None:
    outcome = session.execute(f"catch ipi if 1 == 2 and event.{field} == 3")
    assert not outcome.ok
    assert outcome.error.endswith(f"there is no event.{field}{near}")
    assert f"{'^' * len(f'event.{field}')}" in outcome.text
    assert done(session, "catch") == []
    # What some event has is None of the others, and no mistake.
    done(session, "catch ipi if event.ppr == 3")
