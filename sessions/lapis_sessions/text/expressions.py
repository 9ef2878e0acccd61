"""Expressions that users write, as `stop == "halted" and "done" not in console`.

They have the form of Python expressions, of which few are taken: comparisons, `and`,
`or`, `not`, integer arithmetic, lists, a choice, items, and the names and functions
that the caller offers; of these a `Kind` may take still fewer. Nothing of Python's own
can be reached; an attribute is an item of a mapping. All is checked once, and what
takes long or much memory cannot be written.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lapis_sessions.errors import CommandError
from lapis_sessions.text import operators
from lapis_sessions.text.operators import clipped
from lapis_sessions.text.visible import visible

Names = Mapping[str, Any]
Value = Callable[[Names], Any]
"""Computes a part of an expression."""

NO_VALUE: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""What operators and the functions of callers raise."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of expressions: what it is called and what it may hold."""

    called: str
    """With its article."""
    letters: int
    """Characters; as many values may be computed at once."""
    levels: int
    """Of parts in parts."""
    bits: int
    """Of the largest number."""
    functions: Collection[str] = tuple(operators.FUNCTIONS)
    """Which of `operators.FUNCTIONS` there are."""
    integers: bool = False
    """There is nothing else: no texts, lists and items."""


CONDITION: Final = Kind("a condition", letters=2000, levels=50, bits=256)


class ExpressionError(CommandError):
    """An expression is not one, or has no value here."""

    title = "Bad expression"


class Expression:
    """An expression that was checked, to be evaluated as often as one likes."""

    def __init__(
        self,
        text: str,
        names: Collection[str],
        functions: Collection[str] = (),
        kind: Kind = CONDITION,
        part: ast.expr | None = None,
    ) -> None:
        """Check `text`, in which `names` and `functions` may be used.

        `part` is the part of it that is meant, where that is not all. Raises
        `ExpressionError` for what is not an expression or is none of ours.
        """
        node = _parsed(text, kind) if part is None else part
        self._check = _Check(text, names, functions, kind)
        self._value = self._check.part(node, 0)
        self.text = self._check.text_of(node)
        """As it was written."""

    @classmethod
    def several(cls, text: str, names: Collection[str], kind: Kind) -> list[Expression]:
        """Return the expressions that `text` holds, with commas between them.

        Raises `ExpressionError` like the constructor, and when there is none.
        """
        tree = _parsed(text, kind)
        parts = tree.elts if isinstance(tree, ast.Tuple) else [tree]
        if not parts:
            raise ExpressionError(
                f"{clipped(text)!r} is not {kind.called}: it is empty"
            )
        return [cls(text, names, kind=kind, part=part) for part in parts]

    def evaluate(self, names: Names) -> Any:
        """Return the value, `names` giving those of names and functions.

        Only what is used is looked up, and that once. Raises `ExpressionError` where
        there is no value.
        """
        try:
            return self._value(_Once(names))
        except _NoValueError as error:
            part = self._check.text_of(error.node)
            # It is worth naming where it is not all there is.
            where = "" if part == self.text else f"{visible(clipped(part))}: "
            sentence = f"{clipped(self.text)!r} has no value: {where}{error.why}"
            raise ExpressionError(sentence) from None


class _NoValueError(Exception):
    """A part of an expression has no value."""

    def __init__(self, node: ast.AST, error: Exception) -> None:
        super().__init__(node)
        self.node = node
        self.why = error.args[0] if error.args else type(error).__name__


class _Once(dict[str, Any]):
    """The names that were looked up: a long text is there once, however often named."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, name: str) -> Any:
        value = self[name] = self._names[name]
        return value


def _parsed(text: str, kind: Kind) -> ast.expr:
    if len(text) > kind.letters:
        raise ExpressionError(
            f"{kind.called} of {len(text)} characters: {kind.letters} is the most"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's to its own programmers
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        why = getattr(error, "msg", "it cannot be read")
        sentence = f"{clipped(text)!r} is not {kind.called}: {why}"
        raise ExpressionError(sentence) from None


class _Check:
    """Makes functions of the parts of a tree, and refuses those that are not taken."""

    def __init__(
        self, text: str, names: Collection[str], functions: Collection[str], kind: Kind
    ) -> None:
        self.text = text.strip()
        self.names = names
        self.functions = {*kind.functions, *functions}
        self.kind = kind

    def text_of(self, node: ast.AST) -> str:
        """Return a part as it was written."""
        return ast.get_source_segment(self.text, node) or self.text

    def part(self, node: ast.AST, depth: int) -> Value:
        """Return what computes a part; raise `ExpressionError`."""
        if depth > self.kind.levels:
            raise self._refused(f"it has more than {self.kind.levels} levels")
        if isinstance(node, ast.Constant):
            return self._constant(node)
        value = self._made(node, depth + 1)

        def compute(names: Names) -> Any:
            try:
                return value(names)
            except NO_VALUE as error:
                raise _NoValueError(node, error) from None

        return compute

    def _made(self, node: ast.AST, depth: int) -> Value:
        bits = self.kind.bits
        match node:
            case ast.Name(id=name):
                return self._name(name)
            case ast.BoolOp(op=op, values=values):
                return _logic(op, [self.part(value, depth) for value in values])
            case ast.UnaryOp(op=op, operand=operand):
                return _applied(operators.sign(op, bits), [self.part(operand, depth)])
            case ast.BinOp(left=left, op=op, right=right) if (
                type(op) in operators.ARITHMETIC
            ):
                both = [self.part(left, depth), self.part(right, depth)]
                return _applied(operators.arithmetic(op, bits), both)
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                asked = self.part(test, depth)
                then, other = self.part(body, depth), self.part(orelse, depth)
                return lambda names: then(names) if asked(names) else other(names)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
                args or name in self.functions - {*self.kind.functions}
            ):
                return self._call(name, [self.part(arg, depth) for arg in args])
            case _ if not self.kind.integers:
                return self._compound(node, depth)
            case _:
                raise self._not_taken(node)

    def _compound(self, node: ast.AST, depth: int) -> Value:
        """Make a list or an item."""
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                parts = [self.part(item, depth) for item in items]
                return lambda names: [part(names) for part in parts]
            case ast.Attribute(value=of, attr=name):
                whole = self.part(of, depth)
                return lambda names: operators.attribute(whole(names), name)
            case ast.Subscript(value=of, slice=index) if not isinstance(
                index, ast.Slice
            ):
                both = [self.part(of, depth), self.part(index, depth)]
                return _applied(operators.item, both)
            case _:
                raise self._not_taken(node)

    def _refused(self, why: str) -> ExpressionError:
        return ExpressionError(f"{clipped(self.text)!r} is refused: {why}")

    def _not_taken(self, node: ast.AST) -> ExpressionError:
        part = clipped(self.text_of(node))
        return self._refused(f"{part!r} is not taken in {self.kind.called}")

    def _constant(self, node: ast.Constant) -> Value:
        value = node.value
        taken = int if self.kind.integers else (int, str, type(None))
        if not isinstance(value, taken):
            raise self._not_taken(node)
        try:
            operators.bounded(value, self.kind.bits)
        except ValueError as error:
            raise self._refused(str(error)) from None
        return lambda _: value

    def _name(self, name: str) -> Value:
        if name not in self.names:
            known = ", ".join(sorted(self.names))
            raise self._refused(f"there is no {clipped(name)!r}; there are: {known}")
        return lambda names: names[name]

    def _call(self, name: str, args: list[Value]) -> Value:
        if name not in self.functions:
            known, name = ", ".join(sorted(self.functions)), clipped(name)
            raise self._refused(f"there is no function {name!r}; there are: {known}")
        bits = self.kind.bits
        if name in self.kind.functions:
            if name in operators.OF_ONE and len(args) > 1:
                raise self._refused(f"{name} takes one value, not {len(args)}")
            own = _applied(operators.FUNCTIONS[name], args)
            return lambda names: operators.bounded(own(names), bits)
        return lambda names: operators.bounded(
            names[name](*(arg(names) for arg in args)), bits
        )

    def _comparison(self, node: ast.Compare, depth: int) -> Value:
        first, *rest = [self.part(n, depth) for n in (node.left, *node.comparators)]
        known = dict(operators.COMPARISONS)
        if not self.kind.integers:
            known |= operators.MEMBERSHIP
        if any(type(op) not in known for op in node.ops):
            raise self._not_taken(node)
        tests = [(known[type(op)], two) for op, two in zip(node.ops, rest, strict=True)]

        def compare(names: Names) -> bool:
            left = first(names)
            for test, part in tests:
                right = part(names)
                if not test(left, right):
                    return False
                left = right
            return True

        return compare


def _logic(op: ast.boolop, parts: list[Value]) -> Value:
    """Make `and` or `or`, whose value is that of the part which decides it."""
    decides = isinstance(op, ast.Or)

    def compute(names: Names) -> Any:
        value: Any = None
        for part in parts:
            value = part(names)
            if bool(value) is decides:
                break
        return value

    return compute


def _applied(do: operators.Operator, parts: list[Value]) -> Value:
    return lambda names: do(*(part(names) for part in parts))
