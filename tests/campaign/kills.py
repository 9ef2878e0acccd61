"""Who records is killed at random moments, or has no more room; the file is opened.

Every file opens to its last whole chunk and replays to there. One whose maker got a
signal that can be heard is whole, and the maker died of that signal. Who records is
a fork of this process, which has everything loaded; the moment is so many acts and
some microseconds of his, on which the result does not depend.
"""

from __future__ import annotations

import os
import signal
import time
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lapis_plugins.host import discover
from lapis_sessions.errors import SessionError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader, writer
from lapis_sessions.recording.play import replaying
from lapis_sessions.recording.start import start_recording
from lapis_tui import ending
from lapis_tui.cli import headless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from campaign.case import Case
    from lapis_sessions.extensions import Extensions

NAME = "made.lapis"
LINES = (
    "run 37", "run 400", "nmi 2", "quantum 9", "quantum 90", "step", "answer 5",
    "ipi fixed 0x31 --to 3 --from 1", "goto 90", "branch main", "goto end",
    "record", "annotate 'a point' --ask why",
)  # fmt: skip
MOST_ACTS = 120
"""Lines after which it is killed, at most."""
LONGEST = 3_000
"""Microseconds that pass after the last of them, at most."""
MOST_ROOM = 12_000
"""Bytes after the header that fit on a disk that is soon full, at most."""
FULL = "full"
WAYS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, FULL)


class Maker(NamedTuple):
    """What is known of the one who records before he begins."""

    path: Path
    way: signal.Signals | str
    rng: Random
    room: int


@cache
def _extensions() -> Extensions:
    return discover().extensions


def one(case: Case) -> None:
    """Record, kill, open and replay."""
    rng = case.rng
    way = WAYS[case.number % len(WAYS)]
    maker = Maker(case.folder / NAME, way, rng, rng.randrange(MOST_ROOM))
    lines, wait = rng.randrange(MOST_ACTS), rng.randrange(LONGEST)
    name = way if isinstance(way, str) else way.name
    case.doing(f"{name} after {lines} lines and {wait} us, room {maker.room}")
    status = _ended(maker, lines, wait)
    case.tally(name)
    partial = maker.path.with_name(f"{NAME}.partial")
    if way in {signal.SIGTERM, signal.SIGHUP}:
        if status != -int(way):
            case.find("status", f"{name}: it ended with {status}")
        _judge(case, maker.path, "whole")
        if partial.exists():
            case.find("left behind", f"{name}: {partial.name}")
    elif way == FULL and maker.path.exists():
        _judge(case, maker.path, "whole")  # there was room for it
    elif partial.exists():
        _judge(case, partial, "cut off")
    else:
        case.find("lost", f"{name}: there is no file")


def _judge(case: Case, path: Path, state: str) -> None:
    """Open and replay what there is; tell what is wrong with it."""
    try:
        recording = reader.read(str(path))
        session = replaying.session_of(recording, _extensions())
        found = replaying.verify(session, recording)
    except (SessionError, OSError) as error:
        case.find("does not open", str(error))
        return
    if found.divergence is not None:
        case.find("diverges", found.divergence.text)
    if recording.state != state:
        case.find("state", f"it is {recording.state} and should be {state}")
    case.tally(f"{recording.state}, torn" if recording.lost else recording.state)
    case.tally("acts", recording.acts)


def _ended(maker: Maker, lines: int, wait: int) -> int:
    """Have it recorded, end it after so many lines and microseconds; return how."""
    heard, said = os.pipe()
    child = os.fork()
    if not child:
        os.close(heard)
        _child(maker, said, lines)
    os.close(said)
    with os.fdopen(heard, "rb", buffering=0) as pipe:
        # One byte that it has begun, and one for each line.
        for _ in range(lines + 1):
            if not pipe.read(1):
                break
        if maker.way != FULL:
            until = time.perf_counter() + wait / 1e6
            while time.perf_counter() < until:
                pass
            os.kill(child, int(maker.way))
        while pipe.read(4096):
            pass
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _child(maker: Maker, said: int, lines: int) -> None:
    """Record until it is ended; never return."""
    status = 1
    for (
        number
    ) in ending.SIGNALS:  # who runs the campaign may ignore some, as nohup does
        signal.signal(number, signal.SIG_DFL)
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        status = _record(maker, said, lines)
        ending.leave(status)
    finally:
        os._exit(status)


def _record(maker: Maker, said: int, most: int) -> int:
    """Do what `lapis exec` does, with lines that do not end."""
    # As a slow disk and a fast guest would have it: something is always being written.
    writer.SECONDS, writer.PATIENCE = 0.002, 0
    with ending.listening() as end:
        options = SessionOptions("ap-bringup", cpus=4, memory="4M")
        session = open_session(options, _extensions())
        name = start_recording(session, str(maker.path)).name
        if maker.way == FULL:
            _limit(Path(name).stat().st_size + maker.room)
        with ending.closing(session, end):
            os.write(said, b"b")
            lines = _lines(maker, said, most)
            return headless.perform(session, lines, end, as_json=False)


def _limit(room: int) -> None:
    import resource  # noqa: PLC0415 - only POSIX systems have it

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


def _lines(maker: Maker, said: int, most: int) -> Iterator[str]:
    """Yield lines: for ever, unless it is the disk that ends the recording."""
    for _ in range(most) if maker.way == FULL else count():
        yield maker.rng.choice(LINES)
        os.write(said, b"l")
