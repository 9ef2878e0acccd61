"""Expressions of rules and of `explore --until`, and numerals: a hundred to a case.

Grown by a grammar they come to what `trees` says; bent out of shape they are refused
in one sentence. Either way in little time and memory.
"""

from __future__ import annotations

from time import process_time
from typing import TYPE_CHECKING, Any

from rigs.peak import peak

from campaign import numerals, trees
from campaign.trees import CONDITION, RULE, Bounds, Grower, NoValueError, Oracle
from lapis_engine.errors import LapisError
from lapis_sessions.rules import expression as rules
from lapis_sessions.rules import syntax
from lapis_sessions.text.expressions import Expression

if TYPE_CHECKING:
    from random import Random

    from campaign.case import Case

EACH = 100
SECONDS = 0.5
GROWN_KIB = 64 << 10
SPLICES = (
    "(" * 30, ")", "[" * 99, "-" * 99, "not " * 60, "~" * 200, "9" * 399, "1_0" * 99,
    "**9" * 20, "<<99" * 20, "* 2**127", "lambda: 0", "[x for x in vcpu]", "f'{1}'",
    ".__class__", ".__init__.__globals__", "[-1]", "[0:9]", "[::]", "'a' * 99",
    "0x", "0b2", "1e999", "1j", "b'x'", "...", "None", "True", ":=", "=", ",", ";",
    "\n", "\\", "#", "\0", "\r\n", "\t", "\x1b[31m", "\ud800", "é", "\u0663",
    "\uff43\uff4f\uff55\uff4e\uff54",
    "\u202e", "await 0", "yield", "*", "**", "max(", "max()", "len(", "sum([])",
    "abs(1, 2)", "sorted(vcpu)", "u8(0)", "{}", "{1}", "if", "else", " if 1 else ",
    "''", '"', "'''", "count.real", "vcpu[0]['rip']", "in", "is", "@", "/", "!", "?",
)  # fmt: skip


def one(case: Case) -> None:
    """Try a hundred."""
    rng, case.done = case.rng, EACH
    before = peak()
    for _ in range(EACH):
        kind = rng.random()
        begun = process_time()
        if kind < 0.35:
            text = _grown(case, rng, RULE)
        elif kind < 0.65:
            text = _grown(case, rng, CONDITION)
        elif kind < 0.85:
            text = _bent(case, rng)
        else:
            text = numerals.one(case, rng)
        took = process_time() - begun
        if took > SECONDS:
            case.find("slow", f"{took:.2f} s: {text!r}")
        case.timed(text, took)
    grown = peak() - before
    if grown > GROWN_KIB:
        case.find("large", f"{grown} KiB more")


def seen(rng: Random, bounds: Bounds) -> dict[str, Any]:
    """Choose values for the names."""

    def some() -> int:
        return rng.choice((0, 1, 4, rng.getrandbits(8), rng.getrandbits(64)))

    if bounds.integers:
        return {name: some() for name in rules.NAMES}
    parts = {"rip": some(), "id": 1, "state": "halted"}
    return {
        "retired": some(), "now": some(), "stop": rng.choice(("", "halted")),
        "console": "al\ufffd\n" * rng.randrange(4), "vcpu": [parts, parts | {"id": 2}],
        "running": [some() for _ in range(rng.randrange(4))], "lints": ["a", "halted"],
    }  # fmt: skip


def came_to(text: str, names: dict[str, Any], bounds: Bounds) -> tuple[str, Any]:
    """Return what our expressions make of `text`: (value, it) or (refused, why)."""
    try:
        if not bounds.integers:
            return "value", Expression(text, names).evaluate(names)
        return "value", [rules.evaluate(each, names) for each in rules.parse(text)]
    except LapisError as error:
        return "refused", str(error)


def _grown(case: Case, rng: Random, bounds: Bounds) -> str:
    names = seen(rng, bounds)
    deep = rng.choice((1, 2, 2, 3, 3, 4, 5))
    tree = Grower(rng, bounds, names).tree(deep)
    text = trees.written(tree, rng)
    case.doing(text)
    what, found = came_to(text, names, bounds)
    if len(text) > bounds.letters or has_wide_number(tree, bounds):
        wanted: tuple[str, Any] = "refused", None
    else:
        try:
            value = Oracle(bounds, names).value(tree)
            wanted = "value", [int(value)] if bounds.integers else value
        except NoValueError:
            wanted = "refused", None
    case.tally(f"{'rule' if bounds.integers else 'condition'}: {wanted[0]}")
    if (what, found) != wanted and (what, wanted[0]) != ("refused", "refused"):
        case.find("different", f"{text!r} with {names}: {found!r}, wanted {wanted}")
    return text


def has_wide_number(tree: trees.Tree, bounds: Bounds) -> bool:
    """Tell whether a number in it is refused before anything is computed."""
    if tree.op == "number":
        return bool(tree.parts[0].bit_length() > bounds.bits)
    below = (part for part in tree.parts if isinstance(part, trees.Tree))
    return any(has_wide_number(part, bounds) for part in below)


def _bent(case: Case, rng: Random) -> str:
    """Bend an expression out of shape, or a whole rule."""
    bounds = rng.choice((RULE, CONDITION))
    names = seen(rng, bounds)
    text = trees.written(Grower(rng, bounds, names).tree(rng.randrange(1, 4)), rng)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
        splice = rng.choice(SPLICES) * rng.choice((1, 1, 1, 2, 50))
        text = text[:at] + splice + text[end if rng.random() < 0.3 else at :]
    case.doing(text)
    if bounds.integers and rng.random() < 0.3:
        how = rng.choice(("", "once ", "cycle ", "fault ", "always "))
        where = rng.choice(("any", "mmio 0xfed00000/0x400", "port 1 read vcpu 0"))
        what, found = _rule(f"{where} = {how}{text}")
    else:
        what, found = came_to(text, names, bounds)
    case.tally(f"bent: {what}")
    if what == "refused":
        sentence(case, text, found)
    return text


def _rule(text: str) -> tuple[str, Any]:
    try:
        return "value", syntax.parse(text, 1)
    except LapisError as error:
        return "refused", str(error)


def sentence(case: Case, text: str, said: str) -> None:
    """Hold a refusal to what one is: one line, short, printable."""
    if "\n" in said or len(said) > 600 or not said.isprintable():
        case.find("not a sentence", f"{text!r}: {said!r}")
