"""Watchpoints on ports and MSRs in a session: words, history, answers, recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs import both_cores
from rigs.counting import done
from rigs.session_files import digest

from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lapis_sessions.session import Session

LOOP = bytes.fromhex("43 88d8 baff03 ee ec 66b9810000c0 0f32 6640 0f30 ebea")
"""Counts in BX, writes BL to port 0x3ff and reads it, adds one to MSR 0xc0000081."""
ASKS = bytes.fromhex("ba5856 ed 40 ebfc")
"""mov dx, 0x5658; in ax, dx; inc ax; jmp to the IN: nobody is there."""


def opened(folder: Path, code: bytes) -> Session:
    path = folder / "io.bin"
    path.write_bytes(code)
    return open_session(SessionOptions(str(path), cpus=1), discover().extensions)


@pytest.fixture(params=[True, False], ids=["blocks", "count"])
def session(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Session]:
    with both_cores.counting(by_blocks=request.param):
        yield opened(tmp_path, LOOP)


def refused(session: Session, line: str) -> str:
    outcome = session.execute(line)
    assert not outcome.ok
    return outcome.error


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("watch port 0x3ff", "watch 1, write of port 0x3ff: 0x1 written"),
        ("rwatch port 0x3ff", "watch 1, read of port 0x3ff: 0x1 read"),
        ("awatch port 0x3f8 8 if bl == 9",
         "watch 1, access of port 0x3ff: 0x9 written"),
        ("watch port 0x3ff --skip 6", "watch 1, write of port 0x3ff: 0x7 written"),
        ("watch msr 0xc0000081", "watch 1, write of MSR 0xc0000081: 0x0 -> 0x1"),
        ("watch msr ia32_star --change --skip 1",
         "watch 1, change of MSR 0xc0000081: 0x1 -> 0x2"),
        ("rwatch msr STAR", "watch 1, read of MSR 0xc0000081: 0x0 read"),
        ("awatch msr 0xc0000080+1", "watch 1, access of MSR 0xc0000081: 0x0 read"),
        ("ba i1 0x3ff", "watch 1, access of port 0x3ff: 0x1 written"),
    ],
)  # fmt: skip
def test_each_says_what_it_stopped_at(session: Session, line: str, text: str) -> None:
    done(session, line)
    stop = done(session, "run 1000")
    assert (stop["stop"], stop["text"]) == ("watchpoint", text)


def test_they_are_listed_by_name_and_do_lines(session: Session) -> None:
    done(session, "watch port 0x3ff --once")
    done(session, "watch msr star --vcpu 0 if bx > 2")
    done(session, "rwatch port 0x3f8 2")
    assert [row["what"] for row in done(session, "stops")] == [
        "port 0x3ff", "MSR 0xc0000081 IA32_STAR", "ports 0x3f8 to 0x3f9",
    ]  # fmt: skip
    done(session, "commands 2 print bx")
    assert done(session, "run 1000")["text"].startswith("watch 1,")
    stop = done(session, "run 1000")
    assert [each["result"]["value"] for each in stop["commands"]] == [3]
    assert [row["number"] for row in done(session, "stops")] == [2, 3]
    done(session, "disable 2")
    assert done(session, "run 1000")["stop"] == "budget"
    done(session, "delete 2")
    done(session, "delete")
    assert session.execute("stops").text.startswith("there are no breakpoints")


@pytest.mark.parametrize(
    "line", ["awatch port 0x3ff if bl == 3 or bl == 7", "watch msr star if bx & 1"]
)
def test_history_stops_where_life_did_and_backwards_too(
    session: Session, line: str
) -> None:
    """What a run met is met going along it again, and going back over it."""
    done(session, line)
    live = []
    left = 95
    while (stop := done(session, f"run {left}"))["stop"] == "watchpoint":
        live.append((stop["text"], digest(session)))
        left -= stop["retired"]
    end = digest(session)
    assert len(live) >= 4
    done(session, "goto 0")
    along = []
    while (stop := done(session, "run 95"))["stop"] == "watchpoint":
        along.append((stop["text"], digest(session)))
    assert (along, digest(session)) == (live, end)
    back = []
    while done(session, "reverse-continue").get("text") != "the beginning":
        back.append(digest(session))
    assert back == [state for _, state in reversed(live)]


def test_an_access_that_a_rule_answers_is_one(tmp_path: Path) -> None:
    session = opened(tmp_path, ASKS)
    done(session, "rule add 'port 0x5658 = count * 5'")
    done(session, "awatch port 0x5658 if ip == 4")
    live = []
    for text in ("0x0 read", "0x5 read", "0xa read"):
        stop = done(session, "run 1000")
        said = f"watch 1, access of port 0x5658, 2 bytes: {text}"
        assert (stop["stop"], stop["text"]) == ("watchpoint", said)
        live.append(digest(session))
    done(session, "run 1")
    done(session, "goto 0")
    along = []
    while (stop := done(session, "run 1000"))["stop"] == "watchpoint":
        along.append(digest(session))
    assert along == live
    back = []
    while done(session, "reverse-continue").get("text") != "the beginning":
        back.append(digest(session))
    assert back == live[::-1]


def test_what_is_watched_is_in_no_recording(session: Session, tmp_path: Path) -> None:
    plain = opened(tmp_path, LOOP)
    done(session, f"record start {tmp_path / 'one.lapis'}")
    done(session, "awatch port 0x3ff")
    done(session, "awatch msr star")
    ran = 0
    while ran < 200:
        ran += done(session, f"run {200 - ran}")["retired"]
    done(session, "record stop")
    done(plain, "run 200")
    assert digest(session) == digest(plain)
    assert {act["stop"] for act in done(session, "acts")["acts"]} <= {"catch", "budget"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("watch port", "watch port needs PORT"),
        ("watch port 0x10000", "port 0x10000/1: the last one is 0xffff"),
        ("watch port 0xffff 2", "port 0xffff/2: the last one is 0xffff"),
        ("watch port 0x60 0", "write of 0 ports: 1 to 4096"),
        ("watch msr 0x100000000", "the last one is 0xffffffff"),
        ("watch msr", "watch msr needs MSR"),
        ("watch msr apik_base", "there is no MSR 'apik_base'; did you mean apic_base?"),
        ("watch msr 'True if 1 else \"a\"'", "is no number of an MSR"),
        ("watch port 0x60 --change", "--change"),
        ("watch port 0x60 --vcpu 3", "there is no vCPU 3"),
        ("watch port 0x60 if nothing", "there is no 'nothing'"),
    ],
)
def test_what_cannot_be_is_a_sentence(session: Session, line: str, words: str) -> None:
    assert words in refused(session, line)
    assert done(session, "stops") == []
