"""A recording on the screen: known from the beginning, read only until F."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs import recordings
from rigs.screens import Driver, drive

from lapis_engine.replay.digest import Digester
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_sessions.session import Session


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "a.lapis"
    recordings.record(path)
    return path


def _replayed(path: Path) -> Session:
    session = replaying.session_of(reader.read(str(path)), recordings.extensions())
    session.read_only = True
    return session


def test_what_is_ahead_is_known_before_anybody_goes_there(tape: Path) -> None:
    session = _replayed(tape)
    end = session.timeline.branch.end.at.seq

    async def look(it: Driver) -> None:
        await it.until(lambda: len(it.view.ahead) == end)
        assert it.view.now.events_total == 0
        assert [logged.seq for logged in it.view.ahead] == list(range(end))

    drive(session, look)


def test_followed_by_keys_it_ends_as_verify_says(tape: Path) -> None:
    verdict = recordings.verify(tape)
    session = _replayed(tape)

    async def follow(it: Driver) -> None:
        await it.command("nmi 0")
        assert "fork goes on from here" in it.text
        await it.command("play")
        assert it.view.now.ahead is None
        assert it.view.now.history.here.retired == verdict.retired

    drive(session, follow)
    assert session.timeline.spot.at.retired == verdict.retired
    assert Digester(session.machine).digest() == verdict.digest
    assert [*session.timeline.branches] == ["main"]
