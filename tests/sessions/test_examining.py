"""`x/FORMAT`, against the bytes taken apart by `struct`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_plugins.host import discover
from lapis_sessions.commands.examining import read_format
from lapis_sessions.completion import complete
from lapis_sessions.errors import CommandError
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from lapis_sessions.session import Session

DATA = bytes(range(0xF0, 0x100)) + b"Hello\0tab\there\0" + bytes(8) + b"end"
AT = 0x6000
LETTERS = {"b": "B", "h": "H", "w": "I", "g": "Q"}
TOP = 64 << 20
"""Bytes of RAM."""


@pytest.fixture(scope="module")
def session() -> Session:
    it = open_session(SessionOptions("ap-bringup", cpus=2), discover().extensions)
    done(it, f"write-memory {AT:#x} {DATA.hex()}")
    return it


def done(session: Session, line: str) -> Any:
    outcome = session.execute(line)
    assert outcome.ok, outcome.error
    return outcome.result


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("form", "xduot")
@pytest.mark.parametrize("command", ["x", "xp"])
def test_units_are_those_of_struct(
    session: Session, letter: str, form: str, command: str
) -> None:
    code = LETTERS[letter].lower() if form == "d" else LETTERS[letter]
    size = struct.calcsize(code)
    wanted = list(struct.unpack_from(f"<{16 // size}{code}", DATA))
    view = done(session, f"{command}/{16 // size}{form}{letter} {AT:#x}")
    assert [each["value"] for each in view["units"]] == wanted
    base = {"x": 16, "o": 8, "t": 2}.get(form, 10)
    assert [int(each["shown"], base) for each in view["units"]] == wanted
    assert [each["address"] for each in view["units"]] == [
        AT + n * size for n in range(16 // size)
    ]


def test_texts_end_with_a_zero_and_follow_each_other(session: Session) -> None:
    view = done(session, f"x/4s {AT + 16:#x}")
    assert [bytes.fromhex(each["value"]) for each in view["units"]] == [
        b"Hello", b"tab\there", b"", b"",
    ]  # fmt: skip
    assert [each["shown"] for each in view["units"]][:2] == ['"Hello"', '"tab\\there"']
    assert view["units"][1]["address"] == AT + 16 + 6


def test_characters_and_addresses(session: Session) -> None:
    view = done(session, f"x/2c {AT + 16:#x}")
    assert [each["shown"] for each in view["units"]] == ["72 'H'", "101 'e'"]
    start = session.symbols["ap_start"]
    done(session, f"write-memory {AT + 0x100:#x} {struct.pack('<I', start + 3).hex()}")
    (unit,) = done(session, f"x/a {AT + 0x100:#x}")["units"]
    assert (unit["shown"], unit["symbol"]) == (f"{start + 3:#x}", "ap_start+0x3")


def test_instructions_are_those_of_disas(session: Session) -> None:
    rows = done(session, "disas start 5")
    assert done(session, "x/5i start")["instructions"] == rows
    assert done(session, "x/5i")["instructions"] == rows
    physical = done(session, "xp/5i 0x10000")["instructions"]
    assert [each["bytes"] for each in physical] == [each["bytes"] for each in rows]
    assert "symbol" not in physical[0]


@pytest.mark.parametrize(
    ("code", "mode", "text"),
    [("b8785634 12", "real", "mov ax, 0x5678"),
     ("b878563412", "protected", "mov eax, 0x12345678")],
)  # fmt: skip
def test_code_is_that_of_the_mode(code: str, mode: str, text: str) -> None:
    it = open_session(SessionOptions("ap-bringup", cpus=1), discover().extensions)
    if mode != "real":
        done(it, "run 20")
    assert done(it, "regs")["mode"] == mode
    done(it, f"write-memory {AT:#x} {code}")
    (row,) = done(it, f"x/i {AT:#x}")["instructions"]
    assert f"{row['mnemonic']} {row['operands']}" == text


def test_it_ends_where_there_is_no_memory(session: Session) -> None:
    view = done(session, f"x/4xw {TOP - 8:#x}")
    assert (len(view["units"]), view["ends"]) == (
        2, f"8 bytes at {TOP:#x}: no RAM or ROM",
    )  # fmt: skip
    assert done(session, f"x/9s {TOP - 2:#x}")["ends"]
    for line in (f"x/x {TOP:#x}", f"x/s {TOP:#x}", f"xp/i {TOP:#x}"):
        assert "no RAM or ROM" in session.execute(line).error


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x/4xw", "needs ADDRESS"),
        ("xp/i", "needs ADDRESS"),
        ("x/0x 0", "at least one"),
        ("x/xx 0", "two sizes or two forms"),
        ("x/wb 0", "two sizes or two forms"),
        ("x/4k 0", "one letter of xzduotcasi"),
        ("x/99999999xg 0", "1048576 are the most"),
        ("x/99999i 0", "10000 are the most"),
        ("x/x nowhere", "nowhere"),
        ("x/x 'start'", "comes to no address"),
    ],
)
def test_what_is_wrong_is_said(session: Session, line: str, said: str) -> None:
    outcome = session.execute(line)
    assert not outcome.ok
    assert said in outcome.error


@given(st.text(alphabet="0123456789xduotcasibhwgzqX/ ", max_size=12))
def test_a_format_is_read_or_refused(text: str) -> None:
    try:
        found = read_format(text, "x")
    except CommandError:
        return
    assert found.number >= 1
    assert found.form in "xzduotcasi"


def test_addresses_are_completed(session: Session) -> None:
    assert "x/20i ap_start" in complete(session, "x/20i ap_st")
    assert "x/" in complete(session, "x")
