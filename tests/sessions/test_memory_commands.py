"""`write-memory` in a session: undone by going back, recorded, and done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs import recordings
from rigs.session_files import digest

from lapis_sessions.recording.format import reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

    Open = Callable[..., Session]
    Do = Callable[[Session, str], Any]
    Refused = Callable[[Session, str], str]

LINES = (
    "run 40000", "write-memory ipi_handler 90", "nmi 1", "vcpu 1", "step 2",
    "poke 0x500 0x1234 --width 4 --physical", "vcpu 0", "run 9000",
    "write-memory 0x8000 00 01 02 03 04 05 06 07", "run 500",
)  # fmt: skip


def test_a_write_is_gone_when_one_goes_back_and_there_again_on_the_way(
    opened: Open, done: Do
) -> None:
    session = opened()
    done(session, "run 100")
    done(session, "write-memory 0x500 11 22")
    done(session, "run 100")
    there = digest(session)
    done(session, "write-memory 0x500 33")
    assert done(session, "mem 0x500 2")["bytes"] == "3322"
    done(session, "goto act 1")
    assert done(session, "mem 0x500 2")["bytes"] == "0000"
    done(session, "goto act 3")
    assert done(session, "mem 0x500 2")["bytes"] == "1122"
    done(session, "play")
    assert done(session, "mem 0x500 2")["bytes"] == "3322"
    done(session, "goto act 3")
    assert digest(session) == there


@pytest.mark.parametrize("guest", ["ap-bringup", "nesting"])
def test_a_recording_with_writes_is_done_again(tmp_path: Path, guest: str) -> None:
    lines = LINES if guest == "ap-bringup" else (LINES[0], *LINES[5:])
    session = recordings.record(tmp_path / "a.lapis", lines, guest)
    wanted = digest(session)
    verdict = recordings.verify(tmp_path / "a.lapis")
    assert verdict.divergence is None
    assert verdict.digest == wanted
    recording = reader.read(str(tmp_path / "a.lapis"))
    verbs = [act.verb for branch in recording.branches for act in branch.acts]
    assert verbs.count("write_memory") == sum("poke" in x or "wr" in x for x in lines)


def test_what_is_refused_is_no_act(opened: Open, done: Do, refused: Refused) -> None:
    session = opened()
    for line in (
        "write-memory 0xfee00000 00", "write-memory 0x500 0", "write-memory nowhere 00",
        "write-memory 0x500 1 --width 9", "write-memory 0x500 256 --width 1",
        "write-memory 0x500 'zz\x1b[2J'", "write-memory 0x500", "poke",
    ):  # fmt: skip
        refused(session, line)
    assert done(session, "acts")["total"] == 0


def test_several_words_are_one_argument_and_options_stand_anywhere(
    opened: Open, done: Do
) -> None:
    session = opened()
    done(session, "write-memory 0x500 01 --physical 02 0304")
    assert done(session, "mem 0x500 5")["bytes"] == "0102030400"
    done(session, "write-memory 0x500 '0a 0b'")
    assert done(session, "mem 0x500 5")["bytes"] == "0a0b030400"
