"""Expressions of rules: integers, and what is known of a request and its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.text.expressions import Expression, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Final = (
    "address", "gpa", "port", "msr", "size", "read", "data", "vcpu", "count",
)  # fmt: skip
"""What an expression may speak of; `count` is how often its rule has answered."""
KIND: Final = Kind(
    "an expression of a rule",
    letters=400,
    levels=40,
    bits=128,
    functions=("abs", "max", "min"),
    integers=True,
)
"""No answer has more than 64 bits; what leads to it may be twice as wide."""


def parse(text: str) -> list[Expression]:
    """Return the expressions that `text` holds, with commas between them.

    Raises `ExpressionError` for what is not one, naming the part that is not.

    >>> [evaluate(each, {"count": 3}) for each in parse("count * 4, min(1, 2)")]
    [12, 1]
    """
    return Expression.several(text, NAMES, KIND)


def evaluate(expression: Expression, names: Mapping[str, int]) -> int:
    """Return the value of an expression; raise `ExpressionError`.

    Whether it fits the request is for the machine to say, which is given it.
    """
    return int(expression.evaluate(names))
