"""`type`, `console` and `catch console`: done, recorded, done again and backwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs import recordings

from lapis_sessions.recording.export import script
from lapis_sessions.recording.format import reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lapis_sessions.session import Session

    Opened = Callable[..., Session]
    Done = Callable[[Session, str], Any]
    Refused = Callable[[Session, str], str]

ECHO = bytes.fromhex("bafd03 ec a801 74fb baf803 ec ee ebf1")
"""A guest that prints what it is typed (see tests/engine/test_consoles.py)."""


@pytest.fixture
def echo(tmp_path: Path) -> str:
    path = tmp_path / "echo.bin"
    path.write_bytes(ECHO)
    return str(path)


def test_what_is_typed_is_printed_again(opened: Opened, done: Done, echo: str) -> None:
    session = opened(echo, cpus=1, memory="1M")
    view = done(session, r"type 'ls \x41\t\\\n'")
    assert view == {"port": "com1", "bytes": 7, "begin": "ls A\\t\\\\\\n"}
    done(session, "run 1200000")
    assert done(session, "console com1") == "ls A\t\\\n"


def test_a_file_is_typed_in_pieces(
    opened: Opened, done: Done, echo: str, tmp_path: Path
) -> None:
    path = tmp_path / "typed"
    path.write_bytes(b"\xff" * 5000)
    session = opened(echo, cpus=1, memory="1M")
    assert done(session, f"type --file {path}")["bytes"] == 5000
    entries = session.timeline.branch.entries
    assert [len(entry.act.args["data"]) for entry in entries] == [4096, 904]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("type", "type needs a text, or --file FILE: one of them"),
        ("type x --file y", "type needs a text, or --file FILE: one of them"),
        ("type ''", "type: there is nothing to type"),
        (r"type 'a\q'", r"type: '\\q' in 'a\\q' is no escape: there are \n, \r, \t, "),
        ("type x --port com9", "there is no serial port 'com9'; there are: com1"),
        ("type --file /no/such", "file to type '/no/such': there is no such file"),
        ("type ls -l", "type: '-l' is too much"),
        ("catch console ''", "catch console: a text of 0 bytes: 1 to 1000"),
        ("catch ipi x", "catch ipi has no text; these have: console"),
    ],
)
def test_what_cannot_be_is_refused(
    opened: Opened, refused: Refused, echo: str, line: str, sentence: str
) -> None:
    session = opened(echo, cpus=1, memory="1M")
    assert sentence in refused(session, line)
    assert not session.timeline.branch.entries


def test_a_catch_is_listed_as_it_is_typed(
    opened: Opened, done: Done, echo: str
) -> None:
    session = opened(echo, cpus=1, memory="1M")
    (row,) = done(session, r"catch console 'in: \n' --port com1")
    assert row["conditions"] == {"text": "in: \\n", "port": "com1"}
    text = session.execute("catch").text
    assert text == r"  1  catch console 'in: \n' --port com1  (0 times)"


def test_it_is_recorded_and_comes_to_the_same(echo: str, tmp_path: Path) -> None:
    path = tmp_path / "x.lapis"
    lines = (
        "run 100", "catch console b", "type 'abcabc'", "run 100000000", "run 100000000",
        r"type '\xff'", "run 300000",
    )  # fmt: skip
    session = recordings.record(path, lines, echo, cpus=1, memory="1M")
    assert session.machine.consoles["com1"] == b"abcabc\xff"
    verdict = recordings.verify(path)
    assert verdict.divergence is None
    branch = reader.read(str(path)).last
    assert [row.reason for row in branch.acts if row.verb == "run"] == [
        "budget", "catch", "catch", "budget",
    ]  # fmt: skip
    again = recordings.record(
        tmp_path / "again.lapis", tuple(script.lines(branch)), echo, cpus=1, memory="1M"
    )
    assert again.machine.now == session.machine.now
    assert again.machine.consoles == session.machine.consoles


def test_backwards_it_is_met_again(opened: Opened, done: Done, echo: str) -> None:
    session = opened(echo, cpus=1, memory="1M")
    done(session, "type 'one two one'")
    done(session, "run 2000000")
    end = done(session, "where")["retired"]
    done(session, "catch console one")
    found = []
    for _ in range(3):
        done(session, "reverse-continue")
        found.append(done(session, "where")["retired"])
        if found[-1]:
            assert done(session, "console").endswith("one")
    assert end > found[0] > found[1] > found[2] == 0
    stop = done(session, "run")
    assert (stop["stop"], stop["retired"]) == ("catch", found[1])
    assert done(session, "run")["retired"] == found[0] - found[1]


def test_backwards_within_a_rep(opened: Opened, done: Done, tmp_path: Path) -> None:
    text = b"abababab"
    begin = bytes.fromhex("0e1f baf803 be1000 b9")
    code = begin + len(text).to_bytes(2, "little") + b"\xf3\x6e\xf4"
    path = tmp_path / "rep.bin"
    path.write_bytes(code.ljust(0x10, b"\x90") + text)
    session = opened(str(path), cpus=1, memory="1M")
    done(session, "run 1000")
    done(session, "catch console ab")
    sizes = []
    for _ in range(4):
        done(session, "reverse-continue")
        sizes.append(len(done(session, "console")))
    assert sizes == [8, 6, 4, 2]
