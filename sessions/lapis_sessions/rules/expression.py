"""Expressions of rules: what is known of a request and its rule, and of the machine.

The names of a request go before those of the machine: `vcpu` is the number of the vCPU
that asks, and `vcpu[1].rax` is a register all the same; registers without a number are
those of the vCPU that asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import CommandError
from lapis_sessions.scope.scope import Scope
from lapis_sessions.text import operators
from lapis_sessions.text.decoded import Decoded
from lapis_sessions.text.expressions import Expression, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_sessions.scope.viewpoint import Viewpoint

NAMES: Final = (
    "address", "gpa", "port", "msr", "size", "read", "data", "vcpu", "count",
)  # fmt: skip
"""What is known of a request; `count` is how often its rule has answered."""
WITH_PARTS: Final = ("vcpu", "msr")
"""Names of a request that the machine has, too: a number, and in brackets its own."""
KIND: Final = Kind(
    "an expression of a rule",
    letters=400,
    levels=40,
    bits=128,
    functions=("abs", "max", "min"),
    integers=True,
)
"""Of requests alone. No answer has more than 64 bits; what leads to it may be twice as
wide."""
OF_ALL: Final = Kind(
    KIND.called, KIND.letters, KIND.levels, KIND.bits, tuple(operators.FUNCTIONS)
)
"""Of the machine, too."""


def parse(text: str, scope: Scope | None = None) -> list[Expression]:
    """Return the expressions that `text` holds, with commas between them.

    They may speak of all that `scope` knows, where there is one. Raises
    `ExpressionError` for what is not one, naming the part that is not.

    >>> [evaluate(each, {"count": 3}) for each in parse("count * 4, min(1, 2)")]
    [12, 1]
    """
    if scope is None:
        return Expression.several(text, NAMES, KIND)
    return Expression.several(text, scope, OF_ALL, scope.functions)


def evaluate(expression: Expression, names: Mapping[str, int]) -> int:
    """Return the value of an expression; raise `CommandError`.

    Whether it fits the request is for the machine to say, which is given it.
    """
    value = expression.evaluate(names)
    if not isinstance(value, int):
        raise CommandError(f"{expression.text!r} comes to no number")
    return int(value)


def scope(viewpoint: Viewpoint, names: Mapping[str, int]) -> Scope:
    """Return what the names of a rule stand for; `names` are those of a request."""
    around = Scope(viewpoint)
    both = {name: Decoded(names[name], "", around[name]) for name in WITH_PARTS}
    return Scope(viewpoint, {**names, **both})
