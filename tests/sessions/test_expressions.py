"""Conditions of users: what they mean, and that nothing else is let through."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lapis_sessions.expressions import Expression, ExpressionError

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
    ],
)
def test_anything_else_is_one_sentence(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        value(text)
    sentence = str(refused.value)
    assert sentence
    assert "\n" not in sentence


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(ExpressionError, match=r"no 'stopp'; there are: console, lints"):
        value("stopp")


def test_only_what_is_used_is_looked_up() -> None:
    class Names(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            raise AssertionError(name)

    condition = Expression("one or two", ["one", "two"])
    assert condition.evaluate(Names(one=os.getpid()))
