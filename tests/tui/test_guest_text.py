"""What of a guest's console reaches a terminal, against ECMA-48."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_tui.guest_text import Filter

HARMLESS = re.compile(r"\x1b\[[0-9;]*[ABCDEFGHJKdfm]")
"""CUU to CHA, CUP, ED, EL, VPA, HVP, SGR with their parameters (ECMA-48 8.3)."""


def shown(data: bytes, *, is_terminal: bool = True) -> str:
    return Filter(is_terminal=is_terminal).feed(data)


@pytest.mark.parametrize(
    ("data", "terminal", "file"),
    [
        (b"login: \r\n", "login: \r\n", "login: \n"),
        ("grüß €".encode(), "grüß €", "grüß €"),
        (b"\xff\xc3", "\ufffd", "\ufffd"),
        (b"a\x1b[31mred\x1b[0m", "a\x1b[31mred\x1b[0m", "ared"),
        (b"\x1b[2J\x1b[1;1H\x1b[K", "\x1b[2J\x1b[1;1H\x1b[K", ""),
        (b"ab\bc", "ab\bc", "ab\bc"),
        (b"\x1b]0;title\x07ok", "ok", "ok"),
        (b"\x1b]52;c;aGk=\x1b\\ok", "ok", "ok"),
        (b"\x1bP+q544e\x1b\\ok", "ok", "ok"),
        (b"\x1b]0;never ended", "", ""),
        (b"\x1b[6nok\x1b[c\x1b[>c\x1b[?1049h", "ok", "ok"),
        (b"\x1bcok\x1b7\x1b(Bx\x1b#8", "okx", "okx"),
        (b"\x1b[5ia\x1b[8;100;100tb", "ab", "ab"),
        (b"\x07\x00\x0e\x0f\x7f\x9bok", "\ufffdok", "\ufffdok"),
        ("\u202eok\u009b31m\u200b".encode(), "ok31m", "ok31m"),
        (b"\x1b[" + b"1" * 80 + b"mok", "1" * 18 + "mok", "1" * 18 + "mok"),
        (b"\x1b[\x1b[31mok", "\x1b[31mok", "ok"),
        (b"\x1b]x\x1b[31mok", "\x1b[31mok", "ok"),
    ],
)
def test_what_passes(data: bytes, terminal: str, file: str) -> None:
    assert shown(data) == terminal
    assert shown(data, is_terminal=False) == file


pieces = st.lists(
    st.sampled_from(
        [b"\x1b", b"[", b"]", b"P", b"\\", b"\x07", b"0", b";", b"?", b"m", b"c", b"n",
         b"\r", b"\n", b"\x9b", b"\xc2\x9b", b"text", b"\x00", b"\xe2\x80\xae"]
    ) | st.binary(max_size=3),
    max_size=30,
)  # fmt: skip


@given(pieces)
def test_nothing_that_a_terminal_obeys_gets_through(found: list[bytes]) -> None:
    rest = HARMLESS.sub("", shown(b"".join(found)))
    assert all(char.isprintable() or char in "\n\r\t\b" for char in rest)
    file = shown(b"".join(found), is_terminal=False)
    assert all(char.isprintable() or char in "\n\t\b" for char in file)


@given(pieces)
def test_how_it_is_cut_does_not_show(found: list[bytes]) -> None:
    whole, cut = Filter(is_terminal=True), Filter(is_terminal=True)
    assert whole.feed(b"".join(found)) == "".join(map(cut.feed, found))
