"""Expressions that users write, as `stop == "halted" and "done" not in console`.

There are comparisons, `and`, `or`, `not`, integer arithmetic, lists, a choice, items,
and the names and functions that the caller offers; of these a `Kind` may take still
fewer. All is checked once, and what takes long or much memory cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from lapis_sessions.errors import CommandError
from lapis_sessions.text import grammar, operators
from lapis_sessions.text.grammar import (
    Application,
    Attribute,
    Binary,
    Brackets,
    Choice,
    Compared,
    Constant,
    GrammarError,
    Item,
    Items,
    Logic,
    Name,
    Part,
    Signed,
    TooDeepError,
)  # fmt: skip
from lapis_sessions.text.near import nearest
from lapis_sessions.text.operators import MOST_NAMES, clipped
from lapis_sessions.text.visible import visible

Names = Mapping[str, Any]
Value = Callable[[Names], Any]
"""Computes a part of an expression."""

NO_VALUE: Final = (ArithmeticError, LookupError, TypeError, ValueError)
"""What operators and the functions of callers raise."""
HISTORY: Final = frozenset({"was", "changed"})
"""Functions of what an expression was worth, where the caller offers them."""
AT: Final = "at"
"""The function that `[x]` stands for, where the caller offers it."""


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


NO_PARTS: Final[Mapping[str, Collection[str]]] = MappingProxyType({})
CONDITION: Final = Kind("a condition", letters=2000, levels=50, bits=256)


class ExpressionError(CommandError):
    """An expression is not one, or has no value here."""

    title = "Bad expression"

    def __init__(self, sentence: str, text: str = "", start: int = 0, end: int = 0):
        """Say what is wrong, and with which characters of `text`."""
        super().__init__(sentence)
        self.text = text
        self.start = start
        self.end = end

    @property
    def place(self) -> str:
        """The text, and under it a mark at what is wrong; nothing where that is all."""
        line = self.text
        if not line.isprintable() or self.end - self.start in {0, len(line)}:
            return ""
        return f"{line}\n{' ' * self.start}{'^' * max(self.end - self.start, 1)}"


class Then(NamedTuple):
    """A value that an expression had once."""

    text: str
    point: str | None
    """Where, by its name; None is where the machine stood before it moved last."""


class Expression:
    """An expression that was checked, to be evaluated as often as one likes."""

    def __init__(
        self,
        text: str,
        names: Collection[str],
        functions: Collection[str] = (),
        kind: Kind = CONDITION,
        part: Part | None = None,
        parts: Mapping[str, Collection[str]] = NO_PARTS,
    ) -> None:
        """Check `text`, in which `names` and `functions` may be used.

        `part` is the part of it that is meant, where that is not all; `parts` are all
        that a name has, of those of which that is known beforehand. Raises
        `ExpressionError` for what is not an expression or is none of ours.
        """
        tree = _parsed(text, kind) if part is None else part
        self._written = _Written(text.strip(), kind)
        check = _Check(self._written, names, functions, parts)
        self._value = check.part(tree)
        self.history = tuple(check.history)
        """What it asks of the past."""
        self.text = self._written.part(tree)
        """As it was written."""

    @classmethod
    def several(
        cls,
        text: str,
        names: Collection[str],
        kind: Kind,
        functions: Collection[str] = (),
    ) -> list[Expression]:
        """Return the expressions that `text` holds, with commas between them.

        Raises `ExpressionError` like the constructor, and when there is none.
        """
        tree = _parsed(text, kind)
        parts = tree.items if isinstance(tree, Items) else (tree,)
        if not parts:
            raise ExpressionError(
                f"{clipped(text)!r} is not {kind.called}: it is empty"
            )
        return [cls(text, names, functions, kind, part) for part in parts]

    def evaluate(self, names: Names) -> Any:
        """Return the value, `names` giving those of names and functions.

        Only what is used is looked up, and that once. Raises `ExpressionError` where
        there is no value.
        """
        try:
            return self._value(_Once(names))
        except _NoValueError as error:
            raise self._written.no_value(self.text, error) from None


class _NoValueError(Exception):
    """A part of an expression has no value."""

    def __init__(self, part: Part, error: Exception) -> None:
        super().__init__(part)
        self.part = part
        self.why = error.args[0] if error.args else type(error).__name__


class _Once(dict[str, Any]):
    """The names that were looked up: a long text is there once, however often named."""

    def __init__(self, names: Names) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, name: str) -> Any:
        value = self[name] = self._names[name]
        return value


@dataclass(frozen=True, slots=True)
class _Written:
    """What was written, for what is said of it."""

    text: str
    kind: Kind

    def part(self, part: Part) -> str:
        """Return a part as it was written."""
        return self.text[part.start : part.end]

    def refused(self, part: Part, why: str) -> ExpressionError:
        """Say that an expression is one, but not of this kind."""
        sentence = f"{clipped(self.text)!r} is refused: {why}"
        return ExpressionError(sentence, self.text, part.start, part.end)

    def not_taken(self, part: Part) -> ExpressionError:
        """Say that a part has no place in expressions of this kind."""
        what = clipped(self.part(part))
        return self.refused(part, f"{what!r} is not taken in {self.kind.called}")

    def no_value(self, whole: str, error: _NoValueError) -> ExpressionError:
        """Say that a part has no value, naming it where it is not all there is."""
        part = self.part(error.part)
        where = "" if part == whole else f"{visible(clipped(part))}: "
        sentence = f"{clipped(whole)!r} has no value: {where}{error.why}"
        return ExpressionError(sentence, self.text, error.part.start, error.part.end)


def _parsed(text: str, kind: Kind) -> Part:
    if len(text) > kind.letters:
        raise ExpressionError(
            f"{kind.called} of {len(text)} characters: {kind.letters} is the most"
        )
    line = text.strip()
    try:
        return grammar.parse(line, kind.levels)
    except GrammarError as error:
        is_one = isinstance(error, TooDeepError)
        what = "is refused" if is_one else f"is not {kind.called}"
        sentence = f"{clipped(text)!r} {what}: {error}"
        raise ExpressionError(sentence, line, error.start, error.end) from None


class _Check:
    """Makes functions of the parts of a tree, and refuses those that are not taken."""

    def __init__(
        self,
        written: _Written,
        names: Collection[str],
        functions: Collection[str],
        parts: Mapping[str, Collection[str]],
    ) -> None:
        self.written = written
        self.kind = written.kind
        self.names = names
        self.functions = {*written.kind.functions, *functions}
        self.parts = parts
        self.history: list[Then] = []
        self._is_past = False
        """What is looked at is about the past."""

    def part(self, part: Part) -> Value:
        """Return what computes a part; raise `ExpressionError`."""
        if isinstance(part, Constant):
            return self._constant(part)
        value = self._made(part)

        def compute(names: Names) -> Any:
            try:
                return value(names)
            except operators.OperandError as error:
                raise _NoValueError(_operand(part, error.number), error) from None
            except NO_VALUE as error:
                raise _NoValueError(part, error) from None

        return compute

    def _made(self, part: Part) -> Value:
        bits = self.kind.bits
        match part:
            case Name():
                return self._name(part)
            case Logic(word=word, parts=parts):
                return _logic(word, [self.part(each) for each in parts])
            case Signed(sign=sign, operand=operand):
                return _applied(operators.sign(sign, bits), [self.part(operand)])
            case Binary(left=left, sign=sign, right=right):
                both = [self.part(left), self.part(right)]
                return _applied(operators.arithmetic(sign, bits), both)
            case Compared():
                return self._comparison(part)
            case Choice(then=then, test=test, other=other):
                asked, yes, no = map(self.part, (test, then, other))
                return lambda names: yes(names) if asked(names) else no(names)
            case Application():
                return self._call(part)
            case _ if not self.kind.integers:
                return self._compound(part)
            case _:
                raise self.written.not_taken(part)

    def _compound(self, part: Part) -> Value:
        """Make a list, an item, or what stands in memory."""
        match part:
            case Brackets(items=(one,)) if AT in self.functions:
                return self._called(AT, [self.part(one)])
            case Brackets(items=items) | Items(items=items):
                return _listed([self.part(item) for item in items])
            case Attribute(whole=of, name=name):
                if isinstance(of, Name) and name not in self.parts.get(of.name, {name}):
                    what = f"{of.name}."
                    raise self._unknown(part, what, name, self.parts[of.name])
                whole = self.part(of)
                return lambda names: operators.attribute(whole(names), name)
            case Item(whole=of, index=index):
                return _applied(operators.item, [self.part(of), self.part(index)])
            case _:
                raise self.written.not_taken(part)

    def _constant(self, part: Constant) -> Value:
        value = part.value
        taken = int if self.kind.integers else (int, str, type(None))
        if not isinstance(value, taken):
            raise self.written.not_taken(part)
        try:
            operators.bounded(value, self.kind.bits)
        except ValueError as error:
            raise self.written.refused(part, str(error)) from None
        return lambda _: value

    def _name(self, part: Name) -> Value:
        name = part.name
        if name not in self.names:
            raise self._unknown(part, "", name, self.names)
        return lambda names: names[name]

    def _unknown(
        self, part: Part, what: str, name: str, known: Collection[str]
    ) -> ExpressionError:
        """Say that there is nothing of a name, and what there is."""
        said = f"{what}{clipped(name)}" if what.endswith(".") else None
        sentence = f"there is no {said or f'{what}{clipped(name)!r}'}"
        if len(known) > MOST_NAMES:
            near = nearest(name, known)
            hint = f"; did you mean {near}?" if near is not None else ""
            return self.written.refused(part, f"{sentence}{hint}")
        listed = ", ".join(sorted(known))
        return self.written.refused(part, f"{sentence}; there are: {listed}")

    def _call(self, part: Application) -> Value:
        name, count = part.name, len(part.arguments)
        if name not in self.functions:
            raise self._unknown(part, "function ", name, self.functions)
        if name in HISTORY:
            return self._history(part)
        if name in self.kind.functions:
            if not count:
                raise self.written.not_taken(part)
            if name in operators.OF_ONE and count > 1:
                why = f"{name} takes one value, not {count}"
                raise self.written.refused(part, why)
        return self._called(name, [self._argument(name, x) for x in part.arguments])

    def _history(self, part: Application) -> Value:
        """Make `was(X)` or `changed(X)`, with a point behind it or none."""
        name, arguments = part.name, part.arguments
        if not 1 <= len(arguments) <= 2:
            why = f"{name} takes an expression, and maybe a point, not {len(arguments)}"
            raise self.written.refused(part, why)
        if self._is_past:
            raise self.written.refused(part, f"{name} is asked of the present only")
        point = arguments[-1].value if isinstance(arguments[-1], Constant) else None
        if len(arguments) == 2 and not isinstance(point, str):
            why = f"the name of a point stands between quotes, as {name}(rax, 'start')"
            raise self.written.refused(arguments[1], why)
        self._is_past = True
        now = self.part(arguments[0])
        self._is_past = False
        text = self.written.part(arguments[0])
        then = Then(text, str(point) if len(arguments) == 2 else None)
        self.history.append(then)

        def was(names: Names) -> Any:
            return names["was"](*then)

        def changed(names: Names) -> bool:
            return bool(names["changed"](now(names), *then))

        return was if name == "was" else changed

    def _argument(self, name: str, part: Part) -> Value:
        """Return what computes an argument; `[x]` is a list where lists are taken."""
        if isinstance(part, Brackets) and name in self.kind.functions:
            return _listed([self.part(item) for item in part.items])
        return self.part(part)

    def _called(self, name: str, arguments: list[Value]) -> Value:
        bits = self.kind.bits
        if name in self.kind.functions:
            own = _applied(operators.FUNCTIONS[name], arguments)
            return lambda names: operators.bounded(own(names), bits)
        return lambda names: operators.bounded(
            names[name](*(argument(names) for argument in arguments)), bits
        )

    def _comparison(self, part: Compared) -> Value:
        known = dict(operators.COMPARISONS)
        if not self.kind.integers:
            known |= operators.MEMBERSHIP
        if any(sign not in known for sign, _ in part.rest):
            raise self.written.not_taken(part)
        every = part.first, *(each for _, each in part.rest)
        if not any(isinstance(each, Brackets) for each in every):
            return self._plain_comparison(part, known)
        first = self._compared(part.first)
        tests = [(sign, known[sign], self._compared(each)) for sign, each in part.rest]

        is_open = isinstance(part.first, Brackets)

        def compare(names: Names) -> bool:
            beside = is_open and isinstance(tests[0][2](names, as_list=False), list)
            left = first(names, as_list=beside)
            for sign, test, right_of in tests:
                beside = sign in operators.MEMBERSHIP or isinstance(left, list)
                right = right_of(names, as_list=beside)
                if not test(left, right):
                    return False
                left = right
            return True

        return compare

    def _plain_comparison(
        self, part: Compared, known: Mapping[str, operators.Operator]
    ) -> Value:
        """Make a comparison in which no part may be a list or memory."""
        first = self.part(part.first)
        tests = [(known[sign], self.part(each)) for sign, each in part.rest]

        def compare(names: Names) -> bool:
            left = first(names)
            for test, right_of in tests:
                right = right_of(names)
                if not test(left, right):
                    return False
                left = right
            return True

        return compare

    def _compared(self, part: Part) -> Callable[..., Any]:
        """Return what computes a part of a comparison.

        `[x]` is what stands in memory, but beside a list, or behind `in`, it is a list.
        """
        value = self.part(part)
        match part:
            case Brackets(items=(one,)) if AT in self.functions:
                listed = _listed([self.part(one)])
                return lambda names, as_list: (listed if as_list else value)(names)
            case _:
                return lambda names, as_list: value(names)  # noqa: ARG005 - as above


def _operand(part: Part, number: int) -> Part:
    """Return the operand that is wrong: of two, the one with that number."""
    match part:
        case Binary(left=left, right=right):
            return (left, right)[number]
        case _:
            return part


def _logic(word: str, parts: list[Value]) -> Value:
    """Make `and` or `or`, whose value is that of the part which decides it."""
    decides = word == "or"

    def compute(names: Names) -> Any:
        value: Any = None
        for part in parts:
            value = part(names)
            if bool(value) is decides:
                break
        return value

    return compute


def _listed(parts: Sequence[Value]) -> Value:
    return lambda names: [part(names) for part in parts]


def _applied(do: operators.Operator, parts: list[Value]) -> Value:
    return lambda names: do(*(part(names) for part in parts))
