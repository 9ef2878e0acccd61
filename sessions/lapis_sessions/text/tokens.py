"""Words of expressions: numbers, names, texts and signs, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<far>(?=\w{3}|\w+:\w{3})[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4})(?![\w:])
    |(?P<number>[0-9]\w*)
    |(?P<name>\$?[A-Za-z_]\w*)
    |(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<sign>\*\*|//|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~<>=!()\[\],.:])
    |(?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII,
)
_NUMBER: Final = re.compile(
    r"(?:0x_?[0-9a-f]+|0b_?[01]+|0o_?[0-7]+|[0-9]+)(?:_[0-9a-f]+)*", re.IGNORECASE
)
_SUFFIXED: Final = re.compile(r"[0-9][0-9a-f]*h", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "e": "\x1b", "0": "\0"}
MOST_DIGITS: Final = 300
"""Of a number; 256 bits have as many in binary, nearly."""

Kind = Literal["number", "name", "text", "sign", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One word."""

    kind: Kind
    value: int | str
    """A number, or what a name, a text or a sign is."""
    start: int
    """Place of its first character, from 0."""
    end: int


class TokenError(Exception):
    """What is written is no word; the place is that of the character."""

    def __init__(self, why: str, start: int, end: int) -> None:
        """Say why, and which characters it is about."""
        super().__init__(why)
        self.start = start
        self.end = end


def tokens(text: str) -> Iterator[Token]:
    """Yield the words of `text`, and at last its end; raise `TokenError`.

    A number is decimal, 0x, 0b, 0o, hexadecimal with an h behind it, or SEG:OFF of
    real mode in hexadecimal, of which one has three digits at least. A register may
    have a `$` before it, as in gdb.

    >>> [token.value for token in tokens("$rax + 0fh != f000:fff0")]
    ['rax', '+', 15, '!=', 1048560, '']
    """
    at = 0
    while True:
        found = _TOKEN.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise TokenError(_no_token(text[at]), at, at + 1)
        kind = str(found.lastgroup)
        start, at = found.span(kind)
        yield _token(kind, found[kind], start, at)
        if kind == "end":
            return


def _no_token(character: str) -> str:
    if character in "'\"":
        return "the text has no end"
    return f"{character!r} means nothing here"


def _token(kind: str, word: str, start: int, end: int) -> Token:
    match kind:
        case "number":
            return Token("number", _number(word, start, end), start, end)
        case "far":
            segment, _, offset = word.partition(":")
            return Token(
                "number", (int(segment, 16) << 4) + int(offset, 16), start, end
            )
        case "name":
            return Token("name", word.removeprefix("$"), start, end)
        case "text":
            return Token("text", _text(word, start, end), start, end)
        case "sign":
            return Token("sign", word, start, end)
        case _:
            return Token("end", "", start, end)


def _number(word: str, start: int, end: int) -> int:
    if len(word) <= MOST_DIGITS:
        if _NUMBER.fullmatch(word):
            try:
                return int(word, 0 if word[1:2].isalpha() else 10)
            except ValueError:
                pass  # as 0b1_a
        if _SUFFIXED.fullmatch(word):
            return int(word[:-1], 16)
        why = "is no number: write 10, 0xa, 0ah, 0b1010 or 0o12"
    else:
        why = f"has more than {MOST_DIGITS} digits"
    shown = word if len(word) < 20 else f"{word[:17]}..."
    raise TokenError(f"{shown!r} {why}", start, end)


def _text(word: str, start: int, end: int) -> str:
    text = _ESCAPE.sub(_escaped, word[1:-1])
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise TokenError("it is not text in UTF-8", start, end)
    return text


def _escaped(found: re.Match[str]) -> str:
    """Return what an escape stands for; one that there is not stands for itself."""
    what = found[1]
    if what[0] in "xu" and len(what) > 1:
        return chr(int(what[1:], 16))
    if what in "'\"\\":
        return what
    return _ESCAPES.get(what, found[0])
