"""Whatever is done to a machine: its script, its pieces and its copies come to it."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rigs import random_acts
from rigs.session_files import DEVICES, check_arrows, digest, nested, verified

from lapis_engine.profiles.catalog import PROFILES
from lapis_sessions import files
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.edit import compose, cut
from lapis_sessions.recording.export import export, script
from lapis_sessions.recording.play import named
from lapis_sessions.recording.play.named import Named
from lapis_sessions.recording.start import start_recording
from lapis_sessions.session import Session


def session_of(seed: Random) -> tuple[Session, dict[str, Any]]:
    options: dict[str, Any] = {
        "cpus": seed.randint(1, 4),
        "profile": seed.choice(sorted(PROFILES)),
        "quantum": seed.choice((1, 7, 100, 1000)),
    }
    return open_session(SessionOptions("ap-bringup", **options), DEVICES), options


def recorded(seed: Random, path: Path) -> tuple[Named, dict[str, Any]]:
    session, options = session_of(seed)
    start_recording(session, str(path), force=True)
    session.machine.run(seed.choice((10, 13_000, 40_000)))
    for _ in range(seed.randint(1, 40)):
        random_acts.act(session.machine, seed)
    session.close()
    return named.find(str(path)), options


@pytest.mark.parametrize("number", range(30))
def test_random_acts(number: int, tmp_path: Path) -> None:
    seed = Random(number)
    one, options = recorded(seed, tmp_path / "a.lapis")
    wanted = verified(one.recording).digest

    session = open_session(SessionOptions("ap-bringup", **options), DEVICES)
    for line in script.lines(one.branch):
        session.execute(line)
    assert digest(session) == wanted

    end = seed.randrange(one.branch.acts[-1].retired + 1)
    branch = cut.cut(one, cut.piece(f":{end}"), DEVICES)
    path = tmp_path / "piece.lapis"
    files.write(str(path), compose.compose(one.recording.header, [branch]))
    piece = named.find(str(path))
    verified(piece.recording)
    assert max((row.retired for row in piece.branch.acts), default=0) == end

    trace = json.loads(b"".join(export.export(one, "perfetto", DEVICES)))
    check_arrows(trace["traceEvents"])
    for _ in nested(trace["traceEvents"]):
        pass
