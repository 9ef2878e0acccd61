"""Random guests, each run whole, in pieces and step by step, recorded and replayed.

However a run is cut, it comes to the same state; nothing raises, hangs or grows.
"""

from __future__ import annotations

from functools import cache
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

from campaign import soup
from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from campaign.case import Case
    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.stop import Stop
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.session import Session

SECONDS = 20.0
MEMORY = "2M"
ANSWERS = (0, 1, 0x31, 0xFF, 0x1234_5678)


class Ran(NamedTuple):
    """What a way came to."""

    digest: str
    fields: Mapping[str, str]
    retired: int


@cache
def extensions() -> Extensions:
    """What there is in every session."""
    return discover().extensions


def one(case: Case) -> None:
    """Run one guest in three ways, and again from its recording."""
    rng = case.rng
    bits, image = soup.guest(rng)
    path = case.folder / "guest.bin"
    path.write_bytes(image)
    options = SessionOptions(
        str(path), rng.choice((1, 1, 2, 4, 8)), MEMORY,
        rng.choice(sorted(extensions().profiles)),
        quantum=rng.choice((1, 3, 100, 1000)), ports=rng.choice(("ask", "float")),
    )  # fmt: skip
    case.doing(
        f"{bits} bits, {options.cpus} vCPUs, {options.profile}, quantum "
        f"{options.quantum}, {options.ports}: {image[:400].hex()}"
    )
    many = rng.choice((50, 300, 300, 1000))
    begun = process_time()
    cuts: dict[str, Callable[[int], int]] = {
        "whole": lambda left: left,
        "pieces": lambda left: min(left, rng.randrange(1, 60)),
        "steps": lambda _left: 1,
    }
    ways = {}
    record = case.folder / "guest.lapis"
    for name, cut in cuts.items():
        ways[name] = run_as(options, many, cut, record if name == "pieces" else None)
    for name in ("pieces", "steps"):
        _compare(case, ways["whole"], name, ways[name])
    _replay(case, record, ways["pieces"])
    case.tally(f"{bits} bits")
    case.tally("instructions", sum(ran.retired for ran in ways.values()))
    took = process_time() - begun
    if took > SECONDS:
        case.find("slow", f"{took:.1f} s")


def run_as(
    options: SessionOptions, many: int, cut: Callable[[int], int], record: Path | None
) -> Ran:
    """Run `many` instructions in pieces; requests are answered by their number."""
    session = open_session(options, extensions())
    if record is not None:
        start_recording(session, str(record))
    ran = drive(session.machine, session.run, many, cut)
    digester = Digester(session.machine)
    found = Ran(digester.digest(), digester.fields(), ran)
    session.close()
    return found


def drive(
    machine: Machine, run: Callable[[int], Stop], many: int, cut: Callable[[int], int]
) -> int:
    """Run `many` instructions in pieces, and answer; return how many it were."""
    left, asked, idle = many, 0, 0
    while left > 0 and idle < 4:
        stop = run(cut(left))
        left -= stop.retired
        idle = 0 if stop.retired or machine.pending() else idle + 1
        if stop.reason in {"halted", "suspended", "fault"}:
            break
        if stop.reason == "exit" and not machine.pending():
            break  # which comes back for ever: nobody can answer it
        for request in machine.pending():
            if request.kind == "inst-emul":
                machine.answer_fault(request.vcpu, "ud")
            else:
                value = ANSWERS[asked % len(ANSWERS)] & (1 << 8 * request.bytes) - 1
                machine.answer(request.vcpu, value)
            asked += 1
        if asked > many:
            break
    return many - left


def differences(one: Ran, other: Ran) -> list[tuple[str, str, str]]:
    """Return the fields that differ, with both values."""
    names = sorted(one.fields.keys() | other.fields.keys())
    pairs = [(n, one.fields.get(n, ""), other.fields.get(n, "")) for n in names]
    return [(name, a, b) for name, a, b in pairs if a != b]


def _compare(case: Case, whole: Ran, way: str, other: Ran) -> None:
    if whole.digest == other.digest:
        case.tally("equal")
        return
    unequal = differences(whole, other)
    text = "; ".join(f"{n}: {a[:80]} and {b[:80]}" for n, a, b in unequal[:8])
    case.find("different", f"whole and {way}: {text}; {case.journal.tally.doing}")


def _replay(case: Case, path: Path, ran: Ran) -> None:
    """Do the recording again."""
    recording = reader.read(str(path))
    session: Session = replaying.session_of(recording, extensions())
    verdict: Any = replaying.verify(session, recording)
    if verdict.divergence is not None:
        case.find("diverged", f"{verdict.divergence.text}; {case.journal.tally.doing}")
    elif verdict.digest != ran.digest:
        case.find("replayed differently", case.journal.tally.doing)
