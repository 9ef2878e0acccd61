"""`lapis bench`: what recording costs, and how fast one gets about in a history."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from lapis_engine.boot import flat
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.units import MIB
from lapis_sessions.commands.builtin import COMMANDS
from lapis_sessions.extensions import Extensions
from lapis_sessions.guests import Image
from lapis_sessions.origin import Origin, SessionOptions
from lapis_sessions.recording.format import chunks, reader, schema
from lapis_sessions.recording.format.header import header
from lapis_sessions.recording.format.schema import ActRow, Trailer
from lapis_sessions.recording.start import start_recording
from lapis_sessions.registry import Registry
from lapis_sessions.session import Session
from lapis_tui.bench.bare import MEMORY_LOOP
from lapis_tui.bench.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_tui.bench.bare import PlainUnicorn

ROUNDS = 5
SPAN = 20_000_000
"""Instructions of a round of recording."""
HISTORY = 100_000_000
PLACES = 60
ACTS = 250_000
AT_ONCE = 4096
CEILING = 512 * MIB
PUT_BACK = "putting a checkpoint back"


def _session() -> Session:
    """A session of 64 MiB whose guest counts in memory for ever."""
    config = MachineConfig(cpus=1, memory=64 * MIB)
    plan = flat.load(MEMORY_LOOP, memory_bytes=config.memory)
    options = SessionOptions("loop", cpus=1, memory="64M")
    image = Image("loop", MEMORY_LOOP, is_flat=True)
    machine = Machine(config, plan, [])
    extensions = Extensions(lambda _: (), Registry(COMMANDS))
    return Session(machine, "loop", extensions, Origin(options, image))


def _seconds(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def _rate(session: Session, count: int) -> float:
    return count / _seconds(lambda: session.run(count))


def _nearly_worst(times: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return sorted(times)[(len(times) * 95 - 1) // 100]


def recording(_raw: PlainUnicorn) -> Figure:
    """A run that is recorded to a file, against one that is not, turn by turn."""
    with TemporaryDirectory() as folder:
        plain, recorded = _session(), _session()
        start_recording(recorded, str(Path(folder) / "bench.lapis"))
        rates = [(_rate(plain, SPAN), _rate(recorded, SPAN)) for _ in range(ROUNDS)]
        recorded.close()
    without, ours = (max(each) for each in zip(*rates, strict=True))
    return Figure(
        "recording to a file", ours, "instructions/s", without, ours / without,
        "ratio >= 0.97", ours / without >= 0.97, "the same run, not recorded",
    )  # fmt: skip


def _past() -> tuple[Session, float]:
    """A session with a long history, and the rate of putting a checkpoint back."""
    session = _session()
    session.run(HISTORY)
    kept = session.timeline.branch.kept[0].checkpoint
    now = capture.take(session.machine, kept)
    back = _seconds(lambda: capture.put(session.machine, kept))
    capture.put(session.machine, now)
    return session, 1 / back


def travels(_raw: PlainUnicorn) -> list[Figure]:
    """Go anywhere in a long history, and from each place back by one instruction."""
    session, ceiling = _past()
    timeline, seed = session.timeline, Random(1)
    gotos, steps = [], []
    for _ in range(PLACES):
        spot = timeline.branch.spot_of(seed.randrange(1, HISTORY))
        begun = perf_counter()
        timeline.go(spot)
        gotos.append(perf_counter() - begun)
        assert timeline.spot.at.retired == spot.at.retired
        steps.append(_seconds(lambda: session.execute("reverse-step")))
        assert timeline.spot.at.retired == spot.at.retired - 1
    held = timeline.keeper.held
    goto, step = 1 / max(gotos), 1 / _nearly_worst(steps)
    return [
        Figure(
            "goto, the slowest", goto, "a second", ceiling, goto / ceiling,
            ">= 2/s, 512 MiB", goto >= 2 and held <= CEILING, PUT_BACK,
        ),
        Figure(
            "reverse-step, p95", step, "a second", ceiling, step / ceiling,
            ">= 10/s", step >= 10, PUT_BACK,
        ),
    ]  # fmt: skip


def _long_file(path: Path) -> list[bytes]:
    """Write a recording of `ACTS` acts; return the bodies of its chunks of acts."""
    session = _session()
    head = header(session.origin, session.timeline, embed=True)
    seed, bodies = Random(1), []
    retired = 0
    rows: list[ActRow] = []
    for number in range(ACTS):
        if number % 2:
            args = {"number": 0, "value": seed.randrange(256)}
            rows.append(ActRow("answer", args, retired, number, retired, ""))
        else:
            retired += seed.randrange(50, 5000)
            rows.append(ActRow("run", {}, retired, number, retired, "exit"))
        if len(rows) == AT_ONCE or number == ACTS - 1:
            bodies.append(msgspec.msgpack.encode(rows))
            rows = []
    with path.open("wb") as file:
        file.write(chunks.MAGIC + chunks.VERSIONS.pack(schema.FORMAT, schema.READER))
        file.write(chunks.encode("HEAD", msgspec.msgpack.encode(head)))
        for body in bodies:
            file.write(chunks.encode("ACTS", body))
        done = Trailer(ACTS, len(bodies) + 1)
        file.write(chunks.encode("DONE", msgspec.msgpack.encode(done)))
    return bodies


def opening(_raw: PlainUnicorn) -> Figure:
    """Open a long recording; beside it, decoding it without a look at it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "long.lapis"
        bodies = _long_file(path)
        ours = min(_seconds(lambda: reader.read(str(path))) for _ in range(ROUNDS))
    decoder = msgspec.msgpack.Decoder(schema.Acts)
    bare = min(
        _seconds(lambda: [decoder.decode(body) for body in bodies])
        for _ in range(ROUNDS)
    )
    return Figure(
        "opening a recording", ACTS / ours, "acts/s", ACTS / bare, bare / ours,
        ">= 1000000/s", ACTS / ours >= 1_000_000, "decoding without a look",
    )  # fmt: skip


def figures(raw: PlainUnicorn) -> list[Figure]:
    """Measure all of it."""
    return [recording(raw), *travels(raw), opening(raw)]
