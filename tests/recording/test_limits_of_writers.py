"""A recording that comes to a limit stops with a sentence, and what is there opens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rigs import recordings
from rigs.framing import GUEST

from lapis_plugins.host import discover
from lapis_sessions.errors import RecordingError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.budget import Budget
from lapis_sessions.recording.format.writer import Writer
from lapis_sessions.recording.play import replaying

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session

LINES = (
    "annotate here", "act touch '{{\"number\": 0, \"address\": {n}, \"size\": 8}}'",
    "run 7", "goto {n}", "nmi 0", "quantum {n}",
)  # fmt: skip
"""What is done again and again: it forks, and no two rounds are alike."""
LIMITS = {
    "acts": (40, "acts"),
    "unlike": (12, "acts unlike others"),
    "chunks": (30, "chunks"),
    "branches": (4, "branches"),
    "notes": (5, "annotations"),
    "memory": (60_000, "bytes of memory"),
    "expanded": (9_000, "bytes when expanded"),
    "file": (8_000, "bytes in the file"),
    "hashes": (3, "hashes and checkpoints"),
}


def begun(path: Path, limits: Budget) -> tuple[Session, Writer]:
    options = SessionOptions(str(GUEST), cpus=2, memory="1M")
    session = open_session(options, discover().extensions)
    session.writer = writer = Writer(
        session.origin, session.timeline, str(path), session.notices.append,
        limits=limits,
    )  # fmt: skip
    return session, writer


@pytest.mark.parametrize("limit", LIMITS)
def test_at_a_limit_it_stops_and_what_is_there_opens(
    limit: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.lapis"
    most, words = LIMITS[limit]
    limits = replace(Budget(), **{limit: most})
    session, writer = begun(path, limits)
    for number in range(1, 200):
        for line in LINES:
            outcome = session.execute(line.format(n=number))
            assert outcome.ok, outcome.error
        writer.flush()
        if limit == "hashes":
            writer.checkpoint()
        if writer.failed:
            break
    told = [text for text in session.notices if "stopped: chunk" in text]
    assert told == [writer.failed]
    assert words in told[0]
    assert f"; {most:,} is the most; what is on disk" in told[0]
    assert str(path) in told[0]
    assert f"{path}.partial" in told[0]
    # It goes on without it, and says so again in the end.
    assert session.execute("run 3").ok
    with pytest.raises(RecordingError, match="stopped: chunk"):
        session.close()
    assert not path.exists()
    found = reader.read(f"{path}.partial", limits)
    assert found.state == "cut off"
    assert found.lost == 0
    replayed = replaying.session_of(found, discover().extensions)
    assert replaying.verify(replayed, found).divergence is None


def test_a_writer_counts_no_less_than_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    session, writer = begun(path, Budget())
    for number in range(1, 12):
        for line in LINES:
            assert session.execute(line.format(n=number)).ok
        writer.checkpoint()
    session.close()
    for limit, used in writer._spending.spent.used.items():
        found = reader.read(str(path), replace(Budget(), **{limit: used}))
        assert found.state == "whole", limit


def test_the_end_needs_no_room(tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    session, _ = begun(path, replace(Budget(), chunks=4))
    # Its header, an act, a checkpoint, its end.
    assert session.execute("run 7").ok
    session.close()
    assert reader.read(str(path), replace(Budget(), chunks=4)).state == "whole"
    assert recordings.verify(path).divergence is None
