"""Conditions that users write, as `stop == "halted" and "done" not in console`.

They have the form of Python expressions, of which few are taken: comparisons, `and`,
`or`, `not`, integer arithmetic, lists, a choice, items, and the names and functions
that the caller offers. Nothing of Python's own can be reached; an attribute is an item
of a mapping.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from lapis_sessions.errors import SessionError

Names = Mapping[str, Any]
Value = Callable[[Names], Any]
"""Computes a part of an expression."""

LONGEST: Final = 2000
"""Characters of an expression; as many values may be computed in it at once."""
DEEPEST: Final = 50
"""Levels of an expression."""
WIDEST: Final = 256
"""Bits of the largest number."""
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "len": len, "min": min, "max": max, "sum": sum, "abs": abs, "sorted": sorted,
}  # fmt: skip
"""Functions that every expression has."""
ARITHMETIC: Final[Mapping[type, Callable[[int, int], int]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.LShift: lambda one, by: one << min(by, WIDEST), ast.RShift: operator.rshift,
}  # fmt: skip
COMPARISONS: Final[Mapping[type, Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}  # fmt: skip
UNARY: Final[Mapping[type, Callable[[Any], Any]]] = {
    ast.Not: operator.not_, ast.USub: operator.neg, ast.Invert: operator.invert,
}  # fmt: skip


class ExpressionError(SessionError):
    """A condition is not one, or has no value here."""

    title = "Bad condition"


class Expression:
    """A condition that was checked, to be evaluated as often as one likes."""

    def __init__(
        self, text: str, names: Collection[str], functions: Collection[str] = ()
    ) -> None:
        """Check `text`, in which `names` and `functions` may be used.

        Raises `ExpressionError` for what is not an expression or is none of ours.
        """
        self.text = text
        self._names = names
        self._functions = {*FUNCTIONS, *functions}
        if len(text) > LONGEST:
            raise ExpressionError(
                f"a condition of {len(text)} characters: {LONGEST} is the most"
            )
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            why = getattr(error, "msg", "it cannot be read")
            raise ExpressionError(f"{text!r} is not a condition: {why}") from None
        self._value = self._part(tree.body, 0)

    def evaluate(self, names: Names) -> Any:
        """Return the value, `names` giving those of names and functions.

        Only what is used is looked up. Raises `ExpressionError` where there is no
        value.
        """
        try:
            return self._value(names)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            why = error.args[0] if error.args else type(error).__name__
            raise ExpressionError(f"{self.text!r} has no value: {why}") from None

    def _part(self, node: ast.AST, depth: int) -> Value:
        if depth > DEEPEST:
            raise self._refused(f"it has more than {DEEPEST} levels")
        match node:
            case ast.Constant(value=bool() | int() | str() | None as value):
                return self._constant(value)
            case ast.Name(id=name):
                return self._name(name)
            case ast.BoolOp(op=op, values=values):
                return self._logic(op, [self._part(v, depth + 1) for v in values])
            case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
                change, part = UNARY[type(op)], self._part(operand, depth + 1)
                return lambda names: change(part(names))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                one, two = self._part(left, depth + 1), self._part(right, depth + 1)
                return _arithmetic(ARITHMETIC[type(op)], one, two)
            case ast.Compare():
                return self._comparison(node, depth)
            case _:
                return self._compound(node, depth)

    def _compound(self, node: ast.AST, depth: int) -> Value:
        """Compute what is made of parts: a list, a choice, an item, a call."""
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                parts = [self._part(item, depth + 1) for item in items]
                return lambda names: [part(names) for part in parts]
            case ast.IfExp(test=test, body=body, orelse=orelse):
                asked = self._part(test, depth + 1)
                then, other = (self._part(n, depth + 1) for n in (body, orelse))
                return lambda n: then(n) if asked(n) else other(n)
            case ast.Attribute(value=of, attr=name):
                whole = self._part(of, depth + 1)
                return lambda names: _attribute(whole(names), name)
            case ast.Subscript(value=of, slice=index) if not isinstance(
                index, ast.Slice
            ):
                whole, part = self._part(of, depth + 1), self._part(index, depth + 1)
                return lambda names: _item(whole(names), part(names))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(name, [self._part(arg, depth + 1) for arg in args])
            case _:
                what = type(node).__name__
                raise self._refused(f"{what} is not taken in a condition")

    def _refused(self, why: str) -> ExpressionError:
        return ExpressionError(f"{self.text!r} is refused: {why}")

    def _constant(self, value: int | str | None) -> Value:
        if isinstance(value, int) and value.bit_length() > WIDEST:
            raise self._refused(f"a number of more than {WIDEST} bits")
        return lambda _: value

    def _name(self, name: str) -> Value:
        if name not in self._names:
            known = ", ".join(sorted(self._names))
            raise self._refused(f"there is no {name!r}; there are: {known}")
        return lambda names: names[name]

    def _call(self, name: str, args: list[Value]) -> Value:
        if name not in self._functions:
            known = ", ".join(sorted(self._functions))
            raise self._refused(f"there is no function {name!r}; there are: {known}")
        own = FUNCTIONS.get(name)
        if own is not None:
            return lambda names: own(*(arg(names) for arg in args))
        return lambda names: names[name](*(arg(names) for arg in args))

    def _logic(self, op: ast.boolop, parts: list[Value]) -> Value:
        if isinstance(op, ast.And):
            return lambda names: all(part(names) for part in parts)
        return lambda names: any(part(names) for part in parts)

    def _comparison(self, node: ast.Compare, depth: int) -> Value:
        parts = [self._part(n, depth + 1) for n in (node.left, *node.comparators)]
        for op in node.ops:
            if type(op) not in COMPARISONS:
                raise self._refused(f"{type(op).__name__} is not taken in a condition")
        tests = [COMPARISONS[type(op)] for op in node.ops]

        def compare(names: Names) -> bool:
            values = [part(names) for part in parts]
            pairs = zip(tests, values, values[1:], strict=False)
            return all(test(one, two) for test, one, two in pairs)

        return compare


def _arithmetic(do: Callable[[int, int], int], one: Value, two: Value) -> Value:
    def compute(names: Names) -> int:
        left, right = one(names), two(names)
        if not (isinstance(left, int) and isinstance(right, int)):
            raise TypeError("only integers are computed with")
        found = do(left, right)
        if found.bit_length() > WIDEST:
            raise ValueError(f"a number of more than {WIDEST} bits")
        return found

    return compute


def _attribute(whole: Any, name: str) -> Any:
    if not isinstance(whole, Mapping):
        raise TypeError(f"what is before .{name} has no parts with names")
    if name not in whole:
        raise LookupError(f"there is no .{name}; there are: {', '.join(whole)}")
    return whole[name]


def _item(whole: Any, index: Any) -> Any:
    if isinstance(whole, Mapping):
        return _attribute(whole, str(index))
    if not isinstance(whole, Sequence) or not isinstance(index, int):
        raise TypeError(f"there is no item {index!r} in it")
    if not 0 <= index < len(whole):
        raise LookupError(f"there is no [{index}]; they are 0 to {len(whole) - 1}")
    return whole[index]
