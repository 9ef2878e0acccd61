"""Recordings for tests, and what is looked for in what is made from them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions import files
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.edit import compose
from lapis_sessions.recording.export import export
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.reader import RecordedBranch, Recording
from lapis_sessions.recording.format.schema import Header
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.play.named import Named
from lapis_sessions.recording.start import start_recording
from lapis_sessions.session import Session

DEVICES = discover().extensions
GUESTS = Path(__file__).parents[1] / "guests"
ANSWERED = [
    "run 20000", "run 5000000", "answer 0x1234", "vcpu 1", "step 3", "vcpu 0",
    "run 300", "nmi 1", "ipi fixed 0x41 --to 1", "run 5000000",
]  # fmt: skip
"""The guest reads a device that nobody serves; then comes what only a hand can do."""

Taped = Callable[..., Named]


def recorded(path: Path, lines: list[str], guest: str = "ap-bringup", **o: Any) -> str:
    session = open_session(SessionOptions(guest, **o), DEVICES)
    start_recording(session, str(path), force=True)
    for line in lines:
        session.execute(line)
    session.close()
    return str(path)


def written(path: Path, head: Header, *branches: RecordedBranch) -> Recording:
    files.write(str(path), compose.compose(head, branches))
    return reader.read(str(path))


def verified(recording: Recording) -> replaying.Verdict:
    verdict = replaying.verify(replaying.session_of(recording, DEVICES), recording)
    assert verdict.divergence is None, verdict.divergence
    return verdict


def digest(session: Session) -> str:
    return Digester(session.machine).digest()


# Traces.


def perfetto(one: Named) -> list[dict[str, Any]]:
    trace = json.loads(b"".join(export.export(one, "perfetto", DEVICES)))
    assert trace["displayTimeUnit"] == "ns"
    events: list[dict[str, Any]] = trace["traceEvents"]
    return events


def nested(events: list[dict[str, Any]]) -> Iterator[tuple[int, str, int]]:
    """Check that slices nest on every track; yield (track, name, depth) of each."""
    stacks: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        if event["ph"] not in "BE":
            continue
        stack = stacks.setdefault(event["tid"], [])
        if event["ph"] == "B":
            assert not stack or stack[-1]["ts"] <= event["ts"]
            stack.append(event)
            yield event["tid"], event["name"], len(stack)
        else:
            begun = stack.pop()
            assert begun["name"] == event["name"]
            assert begun["ts"] <= event["ts"]
    assert not any(stacks.values())


def holders(events: list[dict[str, Any]], flow: dict[str, Any]) -> list[str]:
    """Return the names of the slices that one end of an arrow holds on to."""
    return [
        event["name"]
        for event in events
        if event["ph"] == "X"
        and event["tid"] == flow["tid"]
        and event["ts"] <= flow["ts"] <= event["ts"] + event["dur"]
    ]


def check_arrows(events: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Check that arrows have two ends on slices; return their tracks."""
    begins = {e["id"]: e for e in events if e["ph"] == "s"}
    ends = {e["id"]: e for e in events if e["ph"] == "f"}
    assert begins.keys() == ends.keys()
    assert len(begins) + len(ends) == sum(e["ph"] in {"s", "f"} for e in events)
    for number, begin in begins.items():
        end = ends[number]
        assert begin["ts"] <= end["ts"]
        assert end["bp"] == "e"
        assert any(name.startswith("ipi") for name in holders(events, begin))
        assert holders(events, end)
    return [(begin["tid"], ends[number]["tid"]) for number, begin in begins.items()]


def tracks(events: list[dict[str, Any]]) -> dict[str, int]:
    return {e["args"]["name"]: e["tid"] for e in events if e["name"] == "thread_name"}
