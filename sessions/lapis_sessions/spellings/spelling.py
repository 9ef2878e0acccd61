"""One spelling of another debugger's, and how a line in it is put into our words.

A spelling is written as its own manual writes it, with fields in braces and what may be
missing in brackets: `x/{n}i[ {address}]`; a brace itself is written twice,
as a bracket is in what it becomes. What it becomes is written in the same way:
brackets whose field is missing go, `{n*4}` multiplies, `{n*4|64}` has a default.

>>> Spelling("dd {address}[ L{n}]", "mem {address} {n*4|64}", "dd rsp L2").example_is
'mem rsp 8'
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER: Final = r"0x[0-9a-fA-F]+|[0-9]+"
FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "n": _NUMBER,
        "m": _NUMBER,
        "hex": "[0-9a-fA-F]+",
        "offset": "[0-9a-fA-F]+",
        "format": "[0-9]*[a-z]+|[0-9]+",
        "word": r"[^\s/]\S*",
        "name": r"\$?[A-Za-z_][\w.]*",
        "register": r"\$?(?:[re]?(?:[abcd]x|[sb]p|[sd]i|ip|flags)|r[0-9]+|[abcd][lh])",
        "address": r"[^\s/].*?",
        "expression": r"[^\s/].*?",
        "condition": r"(?!if\s)\S.*?",
        "sum": r".*[^\w\s].*?",
    }
)
"""What a field may be: `address` is one word of ours, put between quotes if it must."""
_PIECE: Final = re.compile(r"\{(\w+)(?:\*(\d+))?(?:\|(\w+))?\}")
_OPTIONAL: Final = re.compile(r"\[\[|\]\]|\[([^\[\]]*)\]")
MOST: Final = 512
"""Letters of a line that may be a spelling; a longer one is read as it is."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """One form of line."""

    written: str
    becomes: str
    example: str
    """A line of this form that can be done in any guest."""
    is_over: bool = False
    """It goes before what a command of ours of that name would make of it."""
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        """Prepare to read lines of this form."""
        object.__setattr__(self, "pattern", _pattern(self.written))

    @property
    def example_is(self) -> str:
        """The example in our words."""
        found = self.put(self.example)
        assert found is not None, self.example
        return found

    def put(self, line: str) -> str | None:
        """Return `line` in our words, None if it is none of this form."""
        found = self.pattern.fullmatch(line)
        if found is None:
            return None
        given = {name: text for name, text in found.groupdict().items() if text}
        line = _OPTIONAL.sub(partial(_kept, given), self.becomes)
        return _PIECE.sub(partial(_filled, given), line)


@dataclass(frozen=True, slots=True)
class Own:
    """A spelling that a command of ours has for a name."""

    example: str
    example_is: str
    """The same with the command's first name."""


def over(written: str, becomes: str, example: str) -> Spelling:
    """Return a spelling that goes before a command of ours of that name."""
    return Spelling(written, becomes, example, is_over=True)


def _pattern(written: str) -> re.Pattern[str]:
    """Return what a form of line looks like; blanks are any, but one at least.

    >>> bool(_pattern("x/{n}i[ {address}]").fullmatch("x/20i   rsp + 8"))
    True
    """
    parts: list[str] = []
    at = 0
    for found in re.finditer(r"\{\{|\}\}|\{(\w+)\}|\[|\]| ", written):
        parts += [re.escape(written[at : found.start()]), _part(found)]
        at = found.end()
    return re.compile("".join([*parts, re.escape(written[at:])]), re.ASCII)


def _part(found: re.Match[str]) -> str:
    match found[0]:
        case " ":
            return r"\s+"
        case "[":
            return "(?:"
        case "]":
            return ")?"
        case "{{" | "}}":
            return re.escape(found[0][0])
        case _:
            return f"(?P<{found[1]}>{FIELDS[found[1]]})"


def _kept(given: Mapping[str, str], found: re.Match[str]) -> str:
    """Return what is between brackets if its fields were given; of two, one."""
    if found[1] is None:
        return found[0][0]
    names = [piece[1] for piece in _PIECE.finditer(found[1])]
    return found[1] if all(name in given for name in names) else ""


def _filled(given: Mapping[str, str], found: re.Match[str]) -> str:
    name, factor, otherwise = found.groups()
    text = given.get(name)
    if text is None:
        return str(otherwise or "")
    if factor is not None:
        return str(int(text, 0 if text[:2] == "0x" else 10) * int(factor))
    return f"'{text}'" if name == "address" and " " in text else text
