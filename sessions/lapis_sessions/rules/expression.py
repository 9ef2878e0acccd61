"""Python expressions over integers, and nothing else of Python.

The tree is walked here and never compiled: a name is one of `NAMES`, a call one of
`CALLS`, every value an integer of at most `BITS` bits. What takes long or much memory
cannot be written.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMES: Final = (
    "address", "gpa", "port", "msr", "size", "read", "data", "vcpu", "count",
)  # fmt: skip
"""What an expression may speak of; `count` is how often its rule has answered."""
CALLS: Final[dict[str, Callable[..., int]]] = {"abs": abs, "max": max, "min": min}
BITS: Final = 128
MOST_LETTERS: Final = 400
MOST_NODES: Final = 200
DEEPEST: Final = 40

BINARY: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
UNARY: Final[dict[type[ast.unaryop], Callable[[int], int]]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Invert: operator.invert,
    ast.Not: operator.not_,
}  # fmt: skip
COMPARE: Final[dict[type[ast.cmpop], Callable[[int, int], bool]]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


class EvaluationError(CommandError):
    """An expression came to nothing: division by zero, a value beyond all bounds."""

    title = "Bad expression"


def parse(text: str) -> list[ast.expr]:
    """Return the expressions that `text` holds, with commas between them.

    Raises `CommandError` for what is not one, naming the part that is not.

    >>> [evaluate(each, {"count": 3}) for each in parse("count * 4, min(1, 2)")]
    [12, 1]
    """
    if len(text) > MOST_LETTERS:
        raise CommandError(
            f"expression {text[:20]!r}...: {len(text)} letters, {MOST_LETTERS} at most"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise CommandError(f"expression {text!r} is not one") from None
    found = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    if not found or sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise CommandError(f"expression {text!r} has from 1 to {MOST_NODES} parts")
    for each in found:
        _check(each, 0)
    return found


def _check(node: ast.expr, depth: int) -> None:
    """Raise `CommandError` unless every part of the tree is a known one."""
    if depth > DEEPEST:
        raise CommandError(f"expression: nested deeper than {DEEPEST}")
    for part in _parts(node):
        _check(part, depth + 1)


def _parts(node: ast.expr) -> list[ast.expr]:
    match node:
        case ast.Constant(value=int(value)):
            if value.bit_length() > BITS:
                raise CommandError(f"expression: a number of more than {BITS} bits")
            return []
        case ast.Name(id=name) if name in NAMES:
            return []
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return [left, right]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, ops=ops, comparators=right) if all(
            type(op) in COMPARE for op in ops
        ):
            return [left, *right]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [test, body, orelse]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
            name in CALLS and args
        ):
            return args
        case _:
            raise CommandError(
                f"expression: {ast.unparse(node)[:40]!r} is not for rules: integers, "
                f"{', '.join(NAMES)}, operators with // for division, and "
                f"{', '.join(CALLS)}"
            )


def evaluate(node: ast.expr, names: Mapping[str, int]) -> int:
    """Return the value of a parsed expression; raise `EvaluationError`."""
    value = int(_value(node, names))
    if value.bit_length() > BITS:
        raise EvaluationError(f"{ast.unparse(node)[:40]}: more than {BITS} bits")
    return value


def _value(node: ast.expr, names: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(node, op, evaluate(left, names), evaluate(right, names))
        case ast.UnaryOp(op=op, operand=operand):
            return UNARY[type(op)](evaluate(operand, names))
        case ast.BoolOp(op=op, values=values):
            return _bool(op, values, names)
        case ast.Compare():
            return _compare(node, names)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return evaluate(body if evaluate(test, names) else orelse, names)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(node, name, [evaluate(each, names) for each in args])
        case _:
            raise AssertionError(ast.dump(node))


def _binary(node: ast.expr, op: ast.operator, left: int, right: int) -> int:
    text = ast.unparse(node)[:40]
    if isinstance(op, (ast.FloorDiv, ast.Mod)) and not right:
        raise EvaluationError(f"{text}: division by zero")
    if isinstance(op, (ast.LShift, ast.RShift, ast.Pow)) and not 0 <= right <= BITS:
        raise EvaluationError(f"{text}: {right} is not from 0 to {BITS}")
    if isinstance(op, ast.Pow) and left.bit_length() * right > 2 * BITS:
        raise EvaluationError(f"{text}: more than {BITS} bits")
    return BINARY[type(op)](left, right)


def _bool(op: ast.boolop, values: list[ast.expr], names: Mapping[str, int]) -> int:
    stops_at = isinstance(op, ast.Or)
    value = 0
    for each in values:
        value = evaluate(each, names)
        if bool(value) == stops_at:
            break
    return value


def _compare(node: ast.Compare, names: Mapping[str, int]) -> int:
    left = evaluate(node.left, names)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(comparator, names)
        if not COMPARE[type(op)](left, right):
            return 0
        left = right
    return 1


def _call(node: ast.expr, name: str, values: list[int]) -> int:
    if name == "abs":
        if len(values) != 1:
            raise EvaluationError(f"{ast.unparse(node)[:40]}: abs takes one value")
        return abs(values[0])
    return CALLS[name](values)
