"""Lines of text with roles, and the arithmetic of the screen."""

from __future__ import annotations

import pytest

from lapis_tui.blocks.lines import Line, columns, number, plain, time


def test_a_line_is_cut_to_a_width_and_says_so() -> None:
    line = Line("rax", "label").add(" 0000").add("0031", "strong")
    assert line.fit(8).plain == "rax 000…"
    assert line.fit(8).width == 8
    assert line.fit(14).plain == "rax 00000031  "
    assert line.fit(0).plain == ""


def test_a_cut_keeps_the_roles_of_what_is_left() -> None:
    line = Line("ab", "label").add("cdef", "strong").fit(4)
    assert line.spans == [("ab", "label"), ("c", "strong"), ("…", "dim")]


def test_leading_zeros_are_held_back_but_never_the_last_digit() -> None:
    assert number(0, 4).spans == [(" ", "changed"), ("000", "dim"), ("0", "")]
    assert number(0x1234, 4).spans == [(" ", "changed"), ("1234", "")]


def test_a_changed_number_is_marked_by_a_glyph_and_a_role() -> None:
    assert number(7, 2, mark=True).spans == [
        ("*", "changed"),
        ("0", "dim"),
        ("7", "changed"),
    ]


def test_columns_are_ruled_apart_and_short_ones_filled() -> None:
    left, right = [Line("one"), Line("two")], [Line("three")]
    assert plain(columns([left, right], [4, 6])) == "one │three\ntwo │"


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0 ns"), (999, "999 ns"), (1000, "1.000 us")]
)
def test_time_has_a_unit_and_every_digit(ns: int, text: str) -> None:
    assert time(ns) == text
