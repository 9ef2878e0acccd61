"""Random expressions as trees, how they are written, and what they come to.

The oracle of `expressions`: Python's integers over the tree, with the bounds that the
documentation of rules and conditions gives. It never reads the text that it writes.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

ARITHMETIC: Mapping[str, tuple[int, Callable[[int, int], int]]] = {
    "|": (5, operator.or_), "^": (6, operator.xor), "&": (7, operator.and_),
    "<<": (8, operator.lshift), ">>": (8, operator.rshift),
    "+": (9, operator.add), "-": (9, operator.sub),
    "*": (10, operator.mul), "//": (10, operator.floordiv), "%": (10, operator.mod),
    "**": (12, operator.pow),
}  # fmt: skip
"""Operator -> how tightly it binds, and what it does."""
OPERATORS = sorted(ARITHMETIC)
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
COMPARED = sorted(COMPARISONS)
LOOSEST, CHOICE, OR, AND, NOT, COMPARED_AT, SIGN, ATOM = 0, 0, 1, 2, 3, 4, 11, 14
"""How tightly things bind."""
EDGES = (0, 1, 2, 3, 7, 8, 63, 64, 127, 128, 255, 256, 257, 0xFFFF_FFFF, 1 << 64)


class NoValueError(Exception):
    """There is none: the reason does not matter here."""


class Bounds(NamedTuple):
    """What the documentation allows."""

    bits: int
    levels: int
    letters: int
    integers: bool


RULE = Bounds(128, 40, 400, integers=True)
CONDITION = Bounds(256, 50, 2000, integers=False)


class Tree(NamedTuple):
    """An operator or a kind of part, and what it is applied to."""

    op: str
    parts: tuple[Any, ...]

    @property
    def depth(self) -> int:
        """Levels of parts in parts; a number or a text needs none of its own."""
        below = [part.depth for part in self.parts if isinstance(part, Tree)]
        return 1 + max(below, default=0)


def number(rng: Random) -> Tree:
    """Choose a number and the way to write it."""
    kind = rng.random()
    value = rng.choice(EDGES) if kind < 0.5 else rng.getrandbits(rng.randrange(1, 72))
    if kind > 0.98:
        value = rng.getrandbits(rng.randrange(120, 270))
    form = rng.choice(("d", "#x", "#b" if value < 256 else "#X", "#o", "_", "_x"))
    prefix = "0x" if form == "_x" else ""
    return Tree("number", (value, prefix + format(value, form)))


class Grower:
    """Grows trees of one kind."""

    def __init__(self, rng: Random, bounds: Bounds, names: Mapping[str, Any]) -> None:
        self.rng = rng
        self.bounds = bounds
        self.numbers = sorted(n for n, v in names.items() if isinstance(v, int))
        self.texts = sorted(n for n, v in names.items() if isinstance(v, str))
        self.lists = sorted(n for n, v in names.items() if isinstance(v, list))

    def tree(self, depth: int) -> Tree:
        """Grow a whole expression."""
        return self.integer(depth) if self.bounds.integers else self.truth(depth)

    def integer(self, depth: int) -> Tree:
        """Grow what should be a number."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.1:
            return self._leaf()
        below = depth - 1
        kind = rng.random()
        if kind < 0.55:
            op = rng.choice(OPERATORS)
            right = self.integer(below if op not in {"**", "<<"} else min(below, 1))
            return Tree(op, (self.integer(below), right))
        if kind < 0.65:
            return Tree("sign", (rng.choice("+-~"), self.integer(below)))
        if kind < 0.75:
            parts = [self.integer(below) for _ in range(rng.randrange(1, 4))]
            name = rng.choice(("min", "max")) if len(parts) > 1 else "abs"
            return Tree("call", (name, *parts))
        if kind < 0.85:
            return Tree(
                "if", (self.integer(below), self.truth(below), self.integer(below))
            )
        if kind < 0.9 and not self.bounds.integers:
            return Tree("call", (rng.choice(("len", "sum", "max")), self.many(below)))
        return self.truth(below)

    def truth(self, depth: int) -> Tree:
        """Grow what should be true or not."""
        rng, below = self.rng, depth - 1
        kind = rng.random()
        if depth <= 0:
            return self._leaf()
        if kind < 0.35:
            parts = [self.truth(below) for _ in range(rng.randrange(2, 4))]
            return Tree(rng.choice(("and", "or")), tuple(parts))
        if kind < 0.45:
            return Tree("not", (self.truth(below),))
        if kind < 0.6 and not self.bounds.integers:
            return Tree(rng.choice(("in", "not in")), self._membership(below))
        row: list[Any] = [self.integer(below)]
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            row += [rng.choice(COMPARED), self._any(below)]
        return Tree("compare", tuple(row))

    def many(self, depth: int) -> Tree:
        """Grow a list, mostly."""
        rng = self.rng
        if rng.random() < 0.4:
            return Tree("name", (rng.choice(self.lists),))
        items = [self._any(depth - 1) for _ in range(rng.randrange(5))]
        whole = Tree("list", tuple(items))
        return Tree("call", ("sorted", whole)) if rng.random() < 0.2 else whole

    def _membership(self, depth: int) -> tuple[Tree, Tree]:
        if self.rng.random() < 0.3:
            return self._text(), self._text()
        return self._any(depth), self.many(depth)

    def _any(self, depth: int) -> Tree:
        kind = self.rng.random()
        if self.bounds.integers or kind < 0.8:
            return self.integer(depth)
        return self._text() if kind < 0.95 else self.many(depth)

    def _text(self) -> Tree:
        if self.rng.random() < 0.5:
            return Tree("name", (self.rng.choice(self.texts),))
        return Tree("text", (self.rng.choice(("", "halted", "a", "l", "é", "'\\\n")),))

    def _leaf(self) -> Tree:
        rng = self.rng
        kind = rng.random()
        if kind < 0.5:
            return Tree("name", (rng.choice(self.numbers),))
        if kind < 0.6 and not self.bounds.integers:
            place = Tree("number", (at := rng.choice((0, 0, 1, 2, 5)), str(at)))
            of = Tree("item", (Tree("name", ("vcpu",)), place))
            return Tree("part", (of, rng.choice(("rip", "id", "state", "none"))))
        return number(rng)


def written(tree: Any, rng: Random, around: int = LOOSEST) -> str:
    """Write a tree; parentheses where they are needed, and here and there besides."""
    text, binds = _written(tree, rng)
    blanks = rng.choice(("", "", "", " "))
    if binds < around or rng.random() < 0.05:
        return f"({blanks}{text}{blanks})"
    return text


def _written(tree: Tree, rng: Random) -> tuple[str, int]:
    """Return the text, and how tightly what holds it together binds."""
    op, parts = tree
    if op in ARITHMETIC:
        binds = ARITHMETIC[op][0]
        # A power binds to the right, and less than a sign on its right.
        left = written(parts[0], rng, binds + (op == "**"))
        right = written(parts[1], rng, SIGN if op == "**" else binds + 1)
        gap = rng.choice(("", " ", "  "))
        return f"{left}{gap}{op}{gap}{right}", binds
    if op in {"number", "name", "text"}:
        return repr(parts[0]) if op == "text" else parts[-1], ATOM
    match op:
        case "sign":
            return f"{parts[0]}{written(parts[1], rng, SIGN)}", SIGN
        case "not":
            return f"not {written(parts[0], rng, NOT)}", NOT
        case "and" | "or":
            binds = AND if op == "and" else OR
            inside = (written(part, rng, binds + 1) for part in parts)
            return f" {op} ".join(inside), binds
        case "if":
            body, test, other = (written(part, rng, CHOICE + 1) for part in parts)
            return f"{body} if {test} else {other}", LOOSEST
        case "item":
            return f"{written(parts[0], rng, ATOM)}[{written(parts[1], rng)}]", ATOM
        case "part":
            return f"{written(parts[0], rng, ATOM)}.{parts[1]}", ATOM
        case _:
            return _rows(tree, rng)


def _rows(tree: Tree, rng: Random) -> tuple[str, int]:
    """Write what has any number of parts."""
    op, parts = tree
    if op == "compare":
        words = (
            part if isinstance(part, str) else written(part, rng, COMPARED_AT + 1)
            for part in parts
        )
        return " ".join(words), COMPARED_AT
    if op in {"in", "not in"}:
        one, many = (written(part, rng, COMPARED_AT + 1) for part in parts)
        return f"{one} {op} {many}", COMPARED_AT
    if op == "call":
        return f"{parts[0]}({', '.join(written(p, rng, 1) for p in parts[1:])})", ATOM
    return f"[{', '.join(written(part, rng, 1) for part in parts)}]", ATOM


class Oracle:
    """Says what a tree comes to."""

    def __init__(self, bounds: Bounds, names: Mapping[str, Any]) -> None:
        self.bits = bounds.bits
        self.names = names

    def value(self, tree: Tree) -> Any:
        """Return the value; raise `NoValueError`."""
        op, parts = tree
        if op in ARITHMETIC:
            return self._arithmetic(op, *map(self.value, parts))
        match op:
            case "number" | "text":
                return parts[0]
            case "name":
                return self.names[parts[0]]
            case "sign":
                return self._sign(parts[0], self.value(parts[1]))
            case "not":
                return not self.value(parts[0])
            case "and" | "or":
                return self._logic(op, parts)
            case "if":
                return self.value(parts[0] if self.value(parts[1]) else parts[2])
            case "compare":
                return self._comparison(parts)
            case "list":
                return [self.value(part) for part in parts]
            case _:
                return self._other(op, parts)

    def _bounded(self, value: Any) -> Any:
        if isinstance(value, int) and not -(1 << self.bits) < value < 1 << self.bits:
            raise NoValueError
        return value

    def _arithmetic(self, op: str, left: Any, right: Any) -> int:
        if not isinstance(left, int) or not isinstance(right, int):
            raise NoValueError
        if op in {"<<", ">>", "**"} and not 0 <= right <= self.bits:
            raise NoValueError
        if op in {"//", "%"} and right == 0:
            raise NoValueError
        found: int = self._bounded(ARITHMETIC[op][1](left, right))
        return found

    def _sign(self, op: str, value: Any) -> int:
        if not isinstance(value, int):
            raise NoValueError
        found = {"+": value + 0, "-": 0 - value, "~": -1 - value}[op]
        return int(self._bounded(found))

    def _logic(self, op: str, parts: tuple[Tree, ...]) -> Any:
        for part in parts:
            value = self.value(part)
            if bool(value) == (op == "or"):
                return value
        return value

    def _comparison(self, row: tuple[Any, ...]) -> bool:
        left = self.value(row[0])
        for op, part in zip(row[1::2], row[2::2], strict=True):
            right = self.value(part)
            try:
                if not COMPARISONS[op](left, right):
                    return False
            except TypeError:
                raise NoValueError from None
            left = right
        return True

    def _other(self, op: str, parts: tuple[Any, ...]) -> Any:
        if op == "call":
            return self._call(parts[0], [self.value(part) for part in parts[1:]])
        if op in {"in", "not in"}:
            return self._among(*map(self.value, parts)) == (op == "in")
        whole = self.value(parts[0])
        index = parts[1] if op == "part" else self.value(parts[1])
        try:
            return whole[index]
        except (LookupError, TypeError):
            raise NoValueError from None

    def _among(self, one: Any, many: Any) -> bool:
        if not isinstance(many, (str, list)):
            raise NoValueError
        if isinstance(many, str) and not isinstance(one, str):
            raise NoValueError
        return one in many

    def _call(self, name: str, values: list[Any]) -> Any:
        many = values[0] if len(values) == 1 and name != "abs" else values
        if not isinstance(many, list) and not (name == "len" and isinstance(many, str)):
            raise NoValueError
        does: Mapping[str, Callable[[Any], Any]] = {
            "abs": lambda v: abs(v[0] + 0), "len": len, "sum": sum, "sorted": sorted,
            "min": min, "max": max,
        }  # fmt: skip
        try:
            return self._bounded(does[name](many))
        except (TypeError, ValueError):
            raise NoValueError from None
