"""Recordings made by an older Lapis come to what they came to then.

What is expected was written by the program that made them, beside each file: at the end
of every branch the vCPUs, registers, APICs and the last 50 events.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from lapis_plugins.host import discover
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.session import Session

FOLDER = Path(__file__).parents[1] / "fixtures" / "recordings"
FILES = sorted(FOLDER.glob("*/*.lapis"))


def result(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, outcome.error
    return json.loads(json.dumps(outcome.result))


def come_to(session: Session, branch: str) -> dict[str, Any]:
    """What there is at the end of a branch, in the words of the expectation."""
    session.execute(f"branch {branch}")
    where = result(session, "where")
    cpus = range(len(session.machine.vcpus))
    vcpus = result(session, "vcpus")
    for each in vcpus:
        each.pop("symbol", None)  # it came later
    return {
        "vcpus": vcpus,
        "where": {name: where[name] for name in ("retired", "event", "now")},
        "regs": [result(session, f"regs {number}") for number in cpus],
        "apics": [result(session, f"apic {number}") for number in cpus],
        "events": [
            [event["seq"], event["at"], event["kind"], event["text"]]
            for event in result(session, "events 50 --all")
        ],
    }


def test_there_are_recordings_of_each_kind() -> None:
    assert len(list(FOLDER.glob("schema-1/*.lapis"))) >= 11


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_an_old_recording_comes_to_what_it_came_to_then(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    recording = reader.read(str(path))
    assert recording.complete
    assert recording.acts == expected["acts"]
    session = replaying.session_of(recording, discover().extensions)
    assert {branch.name for branch in recording.branches} == set(expected["branches"])
    for name, wanted in expected["branches"].items():
        found = come_to(session, name)
        found["events"] = [
            as_told(*pair)
            for pair in zip(found["events"], wanted["events"], strict=True)
        ]
        for key, value in wanted.items():
            assert found[key] == value, (name, key)


def as_told(found: list[Any], wanted: list[Any]) -> list[Any]:
    """An exception has a reason by now: what was told then is how it begins."""
    *facts, text = found
    is_longer = facts[2] == "exception" and text.startswith(wanted[3])
    return [*facts, wanted[3] if is_longer else text]
