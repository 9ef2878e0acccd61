"""What expressions compute with, each within bounds of time and memory.

An operator takes values and returns one, or raises `ArithmeticError`, `LookupError`,
`TypeError` or `ValueError` with a reason in words. It does not know where it is
written; `expressions` adds that.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from lapis_sessions.text.decoded import Decoded
from lapis_sessions.text.near import nearest

Operator = Callable[..., Any]

MOST_NAMES: Final = 24
"""So many names are told where one is unknown; of more the nearest only."""
SHOWN: Final = 60
"""Characters of what a user wrote that an error repeats."""
ARITHMETIC: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow,
    "<<": operator.lshift, ">>": operator.rshift,
    "&": operator.and_, "|": operator.or_, "^": operator.xor,
}  # fmt: skip
DIVISIONS: Final = ("//", "%")
COUNTED: Final = ("<<", ">>", "**")
"""What is done as often as the right operand says."""
SIGNS: Final[Mapping[str, Callable[[int], int]]] = {
    "+": operator.pos, "-": operator.neg, "~": operator.invert,
}  # fmt: skip


def clipped(text: str) -> str:
    """Return the beginning of what a user wrote, on one line.

    >>> clipped("count " * 20)
    'count count count count count count count count count cou...'
    """
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."


def bounded(value: Any, bits: int) -> Any:
    """Return a value; raise `ValueError` for an integer of more than `bits` bits."""
    if isinstance(value, int) and value.bit_length() > bits:
        raise ValueError(f"a number of more than {bits} bits")
    return value


def arithmetic(sign: str, bits: int) -> Operator:
    """Return what an operator does to two integers, to give one of at most `bits`."""
    do = ARITHMETIC[sign]

    def compute(left: object, right: object) -> int:
        one, two = _integer(left), _integer(right, 1)
        if sign in DIVISIONS and not two:
            raise ZeroDivisionError("division by zero")
        if sign in COUNTED and not 0 <= two <= bits:
            raise ValueError(f"{two} is not from 0 to {bits}")
        # A power has at least half as many bits as this: it is not even begun.
        if sign == "**" and one.bit_length() * two > 2 * bits:
            raise ValueError(f"a number of more than {bits} bits")
        found: int = bounded(do(one, two), bits)
        return found

    return compute


def sign(op: str, bits: int) -> Operator:
    """Return what a sign does to an integer, or `not` to anything."""
    if op == "not":
        return operator.not_
    do = SIGNS[op]
    # A truth is 0 or 1 here: Python itself is giving up ~ of one.
    return lambda value: bounded(do(int(_integer(value))), bits)


class OperandError(TypeError):
    """An operand is of the wrong kind."""

    def __init__(self, why: str, number: int) -> None:
        """Say why; `number` tells which operand it is, from 0."""
        super().__init__(why)
        self.number = number


def _integer(value: object, number: int = 0) -> int:
    if not isinstance(value, int):
        raise OperandError("only integers are computed with", number)
    return value


def attribute(whole: Any, name: str) -> Any:
    """Return an item of a mapping, or a part of a number that has parts.

    Nothing of Python's own can be had.
    """
    if isinstance(whole, Decoded):
        whole = whole.parts
    if not isinstance(whole, Mapping):
        raise TypeError(f"what is before .{clipped(name)} has no parts with names")
    if name not in whole and name.lower() in whole:
        name = name.lower()
    if name not in whole:
        raise LookupError(f"there is no .{clipped(name)}{_instead(name, whole)}")
    return whole[name]


def _instead(name: str, known: Mapping[str, Any]) -> str:
    """Say which names there are, or which of many was meant."""
    if len(known) <= MOST_NAMES:
        return f"; there are: {', '.join(map(str, known))}"
    near = nearest(name, known)
    return f"; did you mean .{near}?" if near is not None else ""


def item(whole: Any, index: Any) -> Any:
    """Return an item of a mapping by its name, or of a list by its place from 0."""
    if isinstance(whole, Decoded):
        whole = whole.parts
    if isinstance(whole, Mapping) and isinstance(index, (str, int)):
        return attribute(whole, str(int(index) if isinstance(index, int) else index))
    if not isinstance(whole, Sequence) or not isinstance(index, int):
        raise TypeError(f"there is no item {clipped(repr(index))} in it")
    if not whole:
        raise LookupError(f"there is no [{index}]; there are none at all")
    if not 0 <= index < len(whole):
        raise LookupError(f"there is no [{index}]; they are 0 to {len(whole) - 1}")
    return whole[index]


def _called(value: object) -> str:
    """Return what a value is to a user."""
    match value:
        case None:
            return "None"
        case int():
            return "an integer"
        case str():
            return "a text"
        case Mapping():
            return "something with parts"
        case Collection():
            return "a list"
        case _:
            return "something else"


def _ordered(do: Callable[[Any, Any], bool]) -> Operator:
    def compare(one: Any, two: Any) -> bool:
        try:
            return do(one, two)
        except TypeError:
            which = f"{_called(one)} and {_called(two)}"
            raise TypeError(f"{which} have no order") from None

    return compare


def _among(value: Any, many: Any) -> bool:
    if isinstance(many, str) and not isinstance(value, str):
        raise TypeError(f"{_called(value)} cannot be in a text")
    if not isinstance(many, Collection):
        raise TypeError(f"nothing can be in {_called(many)}")
    if isinstance(many, Mapping) and not isinstance(value, (str, int)):
        raise TypeError(f"{_called(value)} is no name of a part")
    return value in many


COMPARISONS: Final[Mapping[str, Operator]] = {
    "==": operator.eq, "!=": operator.ne,
    "<": _ordered(operator.lt), "<=": _ordered(operator.le),
    ">": _ordered(operator.gt), ">=": _ordered(operator.ge),
}  # fmt: skip
MEMBERSHIP: Final[Mapping[str, Operator]] = {
    "in": _among, "not in": lambda value, many: not _among(value, many),
}  # fmt: skip


def _listed(values: Any) -> Collection[Any]:
    # The characters of a text would be a list many times its size.
    if isinstance(values, (str, bytes)) or not isinstance(values, Collection):
        raise TypeError(f"a list is wanted, not {_called(values)}")
    return values


def _length(value: Any) -> int:
    return len(value if isinstance(value, str) else _listed(value))


def _of_order(do: Callable[[Collection[Any]], Any]) -> Operator:
    def choose(*values: Any) -> Any:
        many = _listed(values[0]) if len(values) == 1 else values
        if not many:
            raise ValueError("the list is empty")
        try:
            return do(many)
        except TypeError:
            raise TypeError("what is in the list has no order") from None

    return choose


def _sorted(values: Any) -> list[Any]:
    found: list[Any] = _of_order(sorted)(values) if _listed(values) else []
    return found


FUNCTIONS: Final[Mapping[str, Operator]] = {
    "len": _length, "min": _of_order(min), "max": _of_order(max), "sorted": _sorted,
    "sum": lambda values: sum(_integer(value) for value in _listed(values)),
    "abs": lambda value: abs(_integer(value)),
}  # fmt: skip
"""Functions that expressions may have, of one value or more."""
OF_ONE: Final = frozenset({"len", "sorted", "sum", "abs"})
"""Those of one value only."""
