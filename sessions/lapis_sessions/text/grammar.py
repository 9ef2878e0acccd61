"""The grammar of expressions: from words to a tree of parts.

Operators bind as in Python, so that `flags & 1 == 0` asks for the flag; `&&`, `||` and
`!` are `and`, `or` and `not` for those whose fingers write C. Nothing is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_sessions.text.operators import clipped
from lapis_sessions.text.tokens import Token, TokenError, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

OR, AND, NOT, COMPARED, SIGN, POWER = 2, 3, 4, 5, 12, 13
"""How tightly things bind; a choice binds at 1."""
BINDING: Final = {
    "|": 6, "^": 7, "&": 8, "<<": 9, ">>": 9, "+": 10, "-": 10,
    "*": 11, "//": 11, "%": 11, "**": POWER,
}  # fmt: skip
COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")
WORDS: Final = {"and", "or", "not", "in", "if", "else"}
SPELLINGS: Final = {"&&": "and", "||": "or", "!": "not"}
INSTEAD: Final[dict[int | str, str]] = {
    "/": "// divides, and rounds down",
    "=": "== compares",
    ":": "SEG:OFF is of hexadecimal digits, as f000:fff0",
}
"""What to write for signs that mean nothing, but are written."""
CONSTANTS: Final = {"None": None, "True": True, "False": False}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an expression, and where it is written."""

    start: int
    end: int
    depth: int
    """Levels of parts in it; of a constant none."""


@dataclass(frozen=True, slots=True)
class Constant(Part):
    """A number, a text, True, False or None."""

    value: int | str | None


@dataclass(frozen=True, slots=True)
class Name(Part):
    """A name that the caller offers."""

    name: str


@dataclass(frozen=True, slots=True)
class Signed(Part):
    """A sign, or `not`, before a part."""

    sign: str
    operand: Part


@dataclass(frozen=True, slots=True)
class Binary(Part):
    """Arithmetic."""

    left: Part
    sign: str
    right: Part


@dataclass(frozen=True, slots=True)
class Logic(Part):
    """Parts with `and`, or with `or`, between them."""

    word: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Compared(Part):
    """Parts with comparisons between them, each of its neighbours."""

    first: Part
    rest: tuple[tuple[str, Part], ...]


@dataclass(frozen=True, slots=True)
class Choice(Part):
    """`then if test else other`."""

    then: Part
    test: Part
    other: Part


@dataclass(frozen=True, slots=True)
class Application(Part):
    """A function of some parts."""

    name: str
    arguments: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Part):
    """A part of a whole by its name."""

    whole: Part
    name: str


@dataclass(frozen=True, slots=True)
class Item(Part):
    """An item of a whole."""

    whole: Part
    index: Part


@dataclass(frozen=True, slots=True)
class Brackets(Part):
    """A list; with one part in it, also what stands in memory there."""

    items: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Items(Part):
    """Parts with commas between them."""

    items: tuple[Part, ...]


class GrammarError(Exception):
    """A text is no expression; `start` and `end` tell which characters it is about."""

    def __init__(self, why: str, start: int, end: int) -> None:
        """Say why."""
        super().__init__(why)
        self.start = start
        self.end = end


class TooDeepError(GrammarError):
    """There are too many parts in parts."""


def parse(text: str, levels: int) -> Part:
    """Return the tree of `text`, of at most `levels` levels; raise `GrammarError`."""
    try:
        words = list(tokens(text))
    except TokenError as error:
        raise GrammarError(str(error), error.start, error.end) from None
    return _Parser(words, levels).whole()


class _Parser:
    """Reads words from left to right; each method leaves off before what is not its."""

    def __init__(self, words: list[Token], levels: int) -> None:
        self._words = words
        self._at = 0
        self._levels = levels
        self._open = 0
        """Parts that are begun and not ended."""

    # Words.

    @property
    def _word(self) -> Token:
        return self._words[self._at]

    @property
    def _end(self) -> int:
        """Where the last word that was taken ends."""
        return self._words[self._at - 1].end

    def _sign(self) -> str:
        """Return the sign or the word of the grammar that comes, or nothing."""
        word = self._word
        if word.kind == "sign" or (word.kind == "name" and word.value in WORDS):
            return SPELLINGS.get(str(word.value), str(word.value))
        return ""

    def _take(self) -> Token:
        word = self._word
        self._at += word.kind != "end"
        return word

    def _expect(self, sign: str, why: str) -> Token:
        if self._sign() != sign:
            raise self._wrong(why)
        return self._take()

    def _wrong(self, why: str) -> GrammarError:
        word = self._word
        return GrammarError(why, word.start, max(word.end, word.start + 1))

    def _checked(self, part: Part) -> Part:
        if part.depth > self._levels:
            raise self._deep(part.start, part.end)
        return part

    def _deep(self, start: int, end: int) -> TooDeepError:
        return TooDeepError(f"it has more than {self._levels} levels", start, end)

    # Parts.

    def whole(self) -> Part:
        """Return all that there is."""
        if len(self._words) == 1:
            raise self._wrong("it is empty")
        part = self._part()
        if self._sign() == ",":
            items = self._more([part])
            # That it is a row is a level of its own only where it is one value.
            part = Items(0, self._end, _above(items), tuple(items))
        if self._word.kind != "end":
            raise self._wrong(self._unexpected())
        return part

    def _unexpected(self) -> str:
        word = self._word
        if word.kind == "end":
            return "it ends too soon"
        if word.value in INSTEAD:
            return f"{word.value!r} is not taken: {INSTEAD[word.value]}"
        shown = clipped(repr(word.value))
        return f"{shown} is not expected here"

    def _more(self, items: list[Part], closing: str | None = None) -> list[Part]:
        """Read items behind the first, as long as commas come; `closing` ends them."""
        while self._sign() == ",":
            self._take()
            if self._sign() == closing or self._word.kind == "end":
                break
            items.append(self._part())
        return items

    def _part(self, least: int = 0) -> Part:
        """Read a part whose operators bind at least so tightly."""
        self._open += 1
        if self._open > 3 * self._levels:
            raise self._deep(self._word.start, self._word.end)
        start = self._word.start
        left = self._checked(self._prefixed(least))
        while (made := self._grown(left, least, start)) is not None:
            left = self._checked(made)
        self._open -= 1
        return left

    def _grown(self, left: Part, least: int, start: int) -> Part | None:
        """Return `left` with what follows it, or None if that is not its own."""
        sign = self._sign()
        if sign in BINDING and BINDING[sign] >= least:
            self._take()
            # A power is read from the right, and takes a sign behind it.
            right = self._part(SIGN if sign == "**" else BINDING[sign] + 1)
            both = (left, right)
            return Binary(start, self._end, _above(both), left, sign, right)
        if sign in {"or", "and"} and (OR if sign == "or" else AND) >= least:
            return self._logic(left, sign, start)
        if least <= COMPARED and self._comparison_sign(take=False):
            return self._comparison(left, start)
        if sign == "if" and least <= 1:
            return self._choice(left, start)
        return None

    def _logic(self, left: Part, word: str, start: int) -> Part:
        parts = [left]
        while self._sign() == word:
            self._take()
            parts.append(self._part((OR if word == "or" else AND) + 1))
        return Logic(start, self._end, _above(parts), word, tuple(parts))

    def _comparison_sign(self, *, take: bool) -> str:
        """Return the comparison that comes, of one word or two, or nothing."""
        sign = self._sign()
        words = 1
        if sign == "not" and self._word.value != "!":
            follows = self._words[self._at + 1]
            sign = "not in" if follows.value == "in" else ""
            words = 2
        if sign not in COMPARISONS:
            return ""
        if take:
            self._at += words
        return sign

    def _comparison(self, left: Part, start: int) -> Part:
        rest = []
        while sign := self._comparison_sign(take=True):
            rest.append((sign, self._part(COMPARED + 1)))
        parts = [left, *(part for _, part in rest)]
        return Compared(start, self._end, _above(parts), left, tuple(rest))

    def _choice(self, then: Part, start: int) -> Part:
        self._take()
        test = self._part(OR)
        self._expect("else", "a choice needs an else: A if TEST else B")
        other = self._part()
        parts = (then, test, other)
        return Choice(start, self._end, _above(parts), *parts)

    def _prefixed(self, least: int) -> Part:
        """Read what stands before all operators, or an atom with what is behind it."""
        sign = self._sign()
        if sign == "not":
            if least > NOT and self._word.value == "not":
                raise self._wrong("a not here wants parentheses around it")
            word = self._take()
            operand = self._part(SIGN if word.value == "!" else NOT)
            return self._signed(word, "not", operand)
        if sign in {"+", "-", "~"}:
            word = self._take()
            return self._signed(word, sign, self._part(SIGN))
        start = self._word.start
        part = self._atom()
        while self._sign() in {".", "["}:
            part = self._of(part, start)
        return part

    def _of(self, whole: Part, start: int) -> Part:
        """Read an attribute or an item."""
        if self._take().value == ".":
            word = self._word
            if word.kind != "name":
                raise self._wrong("the name of a part is wanted behind the dot")
            self._take()
            return Attribute(start, word.end, whole.depth + 1, whole, str(word.value))
        index = self._part()
        end = self._expect("]", "a ] is missing").end
        return Item(start, end, _above((whole, index)), whole, index)

    def _signed(self, word: Token, sign: str, operand: Part) -> Part:
        return Signed(word.start, self._end, operand.depth + 1, sign, operand)

    def _atom(self) -> Part:
        word = self._word
        if word.kind in {"number", "text"}:
            self._take()
            return Constant(word.start, word.end, 0, word.value)
        if word.kind == "name" and word.value not in WORDS:
            return self._named()
        match self._sign():
            case "(":
                return self._enclosed()
            case "[":
                self._take()
                items = self._items("]")
                end = self._expect("]", "a ] is missing").end
                return Brackets(word.start, end, _above(items), tuple(items))
            case _:
                raise self._wrong(self._unexpected())

    def _items(self, closing: str) -> list[Part]:
        if self._sign() == closing:
            return []
        return self._more([self._part()], closing)

    def _enclosed(self) -> Part:
        """Read what is in parentheses; with commas in it, it is a list."""
        opening = self._take()
        items = self._items(")")
        comma = self._words[self._at - 1].value == ","
        end = self._expect(")", "a ) is missing").end
        if len(items) == 1 and not comma:
            return items[0]
        return Items(opening.start, end, _above(items), tuple(items))

    def _named(self) -> Part:
        word = self._take()
        name = str(word.value)
        if name in CONSTANTS:
            return Constant(word.start, word.end, 0, CONSTANTS[name])
        if self._sign() != "(":
            return Name(word.start, word.end, 0, name)
        self._take()
        arguments = self._items(")")
        end = self._expect(")", "a ) is missing").end
        return Application(word.start, end, _above(arguments), name, tuple(arguments))


def _above(parts: Sequence[Part]) -> int:
    return 1 + max((part.depth for part in parts), default=0)
