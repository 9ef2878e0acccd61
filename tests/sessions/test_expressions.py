"""Conditions of users: what they mean, and that nothing else is let through."""

from __future__ import annotations

import os
import time
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_sessions.text.expressions import Expression, ExpressionError, Kind

NAMES: dict[str, Any] = {
    "stop": "halted",
    "console": "done\r\n",
    "lints": ["sipi-ignored"],
    "vcpu": [{"state": "running", "rip": 0x10}, {"state": "halted", "rip": 0x8000}],
    "retired": 703,
    "u8": lambda at: at & 0xFF,
}


def value(text: str) -> Any:
    names = [name for name in NAMES if name != "u8"]
    return Expression(text, names, ["u8"]).evaluate(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('stop == "halted"', True),
        ('stop == "halted" and "done" not in console', False),
        ('"sipi-ignored" in lints or retired < 0', True),
        ('vcpu[1].state == "halted"', True),
        ("vcpu[0].rip != vcpu[1].rip", True),
        ("not lints", False),
        ("700 <= retired < 703", False),
        ("(retired // 100 << 4 | 1) & 0xFF", 0x71),
        ("-retired % 10", 7),
        ("~0 ^ 0xF", -16),
        ("len(vcpu) - 1", 1),
        ("u8(0x1234) == 0x34", True),
        ("max(1, 2) if retired else 0", 2),
        ('stop in ["exit", "halted"]', True),
        ('vcpu[0]["rip"]', 0x10),
        ("None == 0", False),
        ("2 ** 10 - +1", 1023),
        ("~(retired == 703)", -2),
        ("console or 1 // 0", "done\r\n"),
        ("lints and vcpu[0].rip", 0x10),
        ("1 > 2 > 1 // 0", False),
        ("-(1 << 255)", -(2**255)),
        ("2 ** 255 >> 255", 1),
        ("sum([1, 2, retired])", 706),
        ("max([3, 1]) - min(3, 1)", 2),
        ("sorted([3, 1, 2])", [1, 2, 3]),
        ("len(console) + sum([]) + len(sorted([]))", 6),
        ("'rip' in vcpu[0] and 'state' not in lints", True),
        ("retired, 1", [703, 1]),
        (r"'\d' in console", False),
    ],
)  # fmt: skip
def test_a_condition_means_what_it_says(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "stop.__class__",
        "vcpu[0].__class__",
        "().__class__.__bases__[0].__subclasses__()",
        "len.__self__",
        "open('/etc/passwd')",
        "(lambda: 1)()",
        "[x for x in vcpu]",
        "[*lints]",
        "len(*lints)",
        "sorted(lints, key=len)",
        "f'{stop}'",
        "(x := 1)",
        "vcpu[0:1]",
        "2 ** 100000000",
        "1 / 2",
        "1.5",
        "b'x'",
        "{1: 2}",
        "stop is None",
        "await stop",
        "'a' * 1000000000",
        "'%1000000000d' % 1",
        "1 << 100000000",
        "1 << 255 << 255",
        "1 << -1",
        "1 // 0",
        "u8('x')",
        "nobody",
        "len",
        "u8",
        "vcpu[2]",
        "vcpu[-1]",
        "vcpu[0].nothing",
        "retired.bit_length",
        "stop < 1",
        "min()",
        "",
        "stop ==",
        "stop\nstop",
        "\0",
        "(" * 500 + ")" * 500,
        "not " * 400 + "stop",
        "-" * 1900 + "1",
        "1+" * 900 + "1",
        "1" * 1500,
        "a" * 2001,
        "2 ** 2 ** 2 ** 2 ** 2",
        "(2 ** 255) * (2 ** 255)",
        "2 ** 256",
        "9 ** 256",
        "2 ** -1",
        "~(2 ** 255 + (2 ** 255 - 1))",
        "0 >> 257",
        "1 << (1 << 200)",
        "**".join("9" * 49),
        "*".join(["(1 << 250)"] * 49),
        "sum([" + "1 << 255," * 100 + "])",
        "sum([[lints], [lints]], [])",
        "sum([lints, lints])",
        "sum(lints)",
        "lints + lints",
        "lints * 9",
        "console * 2",
        "console + console",
        "sorted(console)",
        "min(console)",
        "max(1)",
        "abs(1, 2)",
        "-console",
        "vcpu[0]['a\\nb']",
        "vcpu[0][lints]",
        "lambda: " + "-" * 1900 + "1",
        "[" * 90 + "]" * 90,
        "a." * 999 + "a",
        "stop" + "[0]" * 600,
        "u8(" * 400 + "1" + ")" * 400,
        "1 if " * 150 + "1" + " else 0" * 150,
        "'" + "a" * 1990 + "' * 9",
        "'\ud800'",
    ],
)
def test_anything_else_is_one_sentence(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(ExpressionError) as refused:
        value(text)
    assert time.process_time() - begun < 0.5
    sentence = str(refused.value)
    assert sentence
    assert "\n" not in sentence
    assert len(sentence) < 200


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 // 0", "'1 // 0' has no value: division by zero"),
        ("(7 % 0)", "'7 % 0' has no value: division by zero"),
        (
            "1 and 7 % (1 - 1)",
            "'1 and 7 % (1 - 1)' has no value: 7 % (1 - 1): division by zero",
        ),
        (
            "vcpu[2].state",
            "'vcpu[2].state' has no value: vcpu[2]: there is no [2]; they are 0 to 1",
        ),
        ("1 << 257", "'1 << 257' has no value: 257 is not from 0 to 256"),
        ("2 ** 256", "'2 ** 256' has no value: a number of more than 256 bits"),
        ("1 + 1 / 2", "... '/' is not taken: // divides, and rounds down"),
        ("1 = 1", "... '=' is not taken: == compares"),
        ("1 +", "... it ends too soon"),
        ("1 2", "... 2 is not expected here"),
        ("(1", "... a ) is missing"),
        ("[1", "... a ] is missing"),
        ("2 if 1", "... a choice needs an else: A if TEST else B"),
        ("vcpu[0].", "... the name of a part is wanted behind the dot"),
        ("0xg", "... '0xg' is no number: write 10, 0xa, 0ah, 0b1010 or 0o12"),
        ("'a", "... the text has no end"),
        ("1 ; 2", "... ';' means nothing here"),
        ("1 + not 2", "... a not here wants parentheses around it"),
        ("stop < 1", "'stop < 1' has no value: a text and an integer have no order"),
        ("1 in stop", "'1 in stop' has no value: an integer cannot be in a text"),
        ("1 in 1", "'1 in 1' has no value: nothing can be in an integer"),
        ("[] in vcpu[0]", "'[] in vcpu[0]' has no value: a list is no name of a part"),
        ("[][0]", "'[][0]' has no value: there is no [0]; there are none at all"),
        ("min([])", "'min([])' has no value: the list is empty"),
        (
            "sorted(vcpu)",
            "'sorted(vcpu)' has no value: what is in the list has no order",
        ),
        ("len(7)", "'len(7)' has no value: a list is wanted, not an integer"),
        ("-stop", "'-stop' has no value: only integers are computed with"),
        ("abs(1, 2)", "'abs(1, 2)' is refused: abs takes one value, not 2"),
    ],
)
def test_the_part_that_is_wrong_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        value(text)
    whole = sentence.replace("...", f"{text!r} is not a condition:")
    assert str(refused.value) == whole


def test_a_part_with_control_characters_is_made_visible() -> None:
    with pytest.raises(ExpressionError) as raised:
        value("sorted([1, 'a\x1b[31m']) == 1")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "[" + "console," * 240 + "]",
        "[" + "a," * 990 + "]",
        "1" + "<2" * 990,
        "1" + " or 0" * 390,
        "len(console)" + " and len(console)" * 110,
        "max(" + "1," * 990 + "1)",
    ],
)
def test_the_longest_expressions_are_soon_done(text: str) -> None:
    looked_up = []

    class Names(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            looked_up.append(name)
            return "x" * 10_000_000

    begun = time.process_time()
    tracemalloc.start()
    Expression(text, ["console", "a"]).evaluate(Names())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.process_time() - begun < 2
    assert most < 20_000_000
    assert len(looked_up) <= 1


def test_a_kind_of_expressions_has_its_own_bounds() -> None:
    kind = Kind("a sum", letters=20, levels=2, bits=8, functions=["abs"], integers=True)
    one, two = Expression.several("x + 1, abs(-255)", ["x"], kind)
    assert (one.text, two.text) == ("x + 1", "abs(-255)")
    assert (one.evaluate({"x": 4}), two.evaluate({})) == (5, 255)
    for text, why in (
        ("x + 255", "a number of more than 8 bits"),
        ("256", "a number of more than 8 bits"),
        ("1 << 9", "9 is not from 0 to 8"),
        ("x + 1 + 1 + 1", "more than 2 levels"),
        ("x" * 21, "a sum of 21 characters: 20 is the most"),
        ("len(x)", "there are: abs"),
        ("x, 'x'", "\"'x'\" is not taken in a sum"),
        ("[x]", "'[x]' is not taken in a sum"),
        ("x in x", "'x in x' is not taken in a sum"),
        ("()", "'()' is not a sum: it is empty"),
    ):
        with pytest.raises(ExpressionError) as refused:
            Expression.several(text, ["x"], kind)[0].evaluate({"x": 1})
        assert why in str(refused.value)


@given(
    st.text(
        st.sampled_from("019xyconsle()[]{}+-*/%<>&|^~,.= if\"'\\:@!\n"), max_size=60
    )
)
def test_no_text_does_anything_but_have_a_value_or_not(text: str) -> None:
    names = {"x": 3, "y": [1, "c"], "console": "s"}
    with suppress(ExpressionError):
        Expression(text, names).evaluate(names)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(ExpressionError, match=r"no 'stopp'; there are: console, lints"):
        value("stopp")


def test_only_what_is_used_is_looked_up() -> None:
    class Names(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            raise AssertionError(name)

    condition = Expression("one or two", ["one", "two"])
    assert condition.evaluate(Names(one=os.getpid()))
