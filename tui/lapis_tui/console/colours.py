"""Colours of lines that are typed and of what comes of them, by Pygments.

The colours are the sixteen of the terminal, which its user has chosen to be legible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from pygments import format as formatted
from pygments.formatters.terminal import TerminalFormatter
from pygments.lexer import RegexLexer, bygroups
from pygments.style import Style
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    Text,
    Token,
    Whitespace,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pygments.token import _TokenType

_REGISTERS: Final = (
    r"\$?\b(?:[re]?(?:[abcd]x|[sb]p|[sd]i|ip|flags)|[abcd][lh]|[sb]pl|[sd]il"
    r"|r(?:[89]|1[0-5])[dwb]?|[cdefgs]s|[cd]r[0-9]|[xy]mm[0-9]+|efer|gdtr|idtr|ldtr|tr"
    r"|pc|cpl)\b"
)
_NUMBERS: Final = r"\b(?:0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9a-fA-F_]*h|[0-9][0-9,_]*)\b"


_CODE: Final = (
    r"^(>?)(\s+[0-9a-f]+)(\s\s+)((?:[0-9a-f]{2})+)(\s\s+)([a-z][\w ]*?)(?=\s|$)"
)
_CODE_PARTS: Final = bygroups(  # type: ignore[no-untyped-call]  # Pygments' own
    Keyword, Number, Whitespace, Comment, Whitespace, Name.Builtin
)


class LineLexer(RegexLexer):
    """A line as it is typed: the command, options, and expressions."""

    name = "Lapis line"
    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            (r"\s+", Whitespace),
            (r"#.*", Comment),
            (r"[!~.?]?[\w./!?*-]+", Keyword, "rest"),
            (r".", Text, "rest"),
        ],
        "rest": [
            (r"\n", Whitespace, "#pop"),
            (r"\s+", Whitespace),
            (r"--[\w-]+", Name.Attribute),
            (r"'[^'\n]*'?|\"[^\"\n]*\"?", String),
            (_REGISTERS, Name.Variable),
            (_NUMBERS, Number),
            (r"\b(?:if|in|and|or|not|once|always)\b", Operator.Word),
            (r"[-+*/%&|^~<>=!()\[\],:]+", Operator),
            (r"\w+|.", Text),
        ],
    }


class ResultLexer(RegexLexer):
    """What came of a line: code, registers, values, sentences."""

    name = "Lapis result"
    tokens: ClassVar[dict[str, Any]] = {
        "root": [
            # A row of disassembly: where, bytes, mnemonic, operands.
            (_CODE, _CODE_PARTS),
            (r"^[\w.$@]+:$", Name.Function),
            (r"\n", Whitespace),
            (r"\bstopped \([\w-]+\)", Keyword),
            (_REGISTERS, Name.Variable),
            (_NUMBERS, Number),
            (r"\b[0-9a-f]{8,16}\b", Number),
            (r"'[^'\n]*'", String),
            (r"\s+|\w+|.", Text),
        ],
    }


class TerminalStyle(Style):
    """The same for a line that is edited."""

    styles: ClassVar[Mapping[_TokenType, str]] = {
        Keyword: "bold ansicyan",
        Name.Attribute: "ansiyellow",
        Name.Variable: "ansigreen",
        Name.Function: "ansicyan",
        Name.Builtin: "bold",
        Number: "ansimagenta",
        String: "ansiyellow",
        Operator: "",
        Comment: "ansibrightblack",
    }


_SCHEME: Final = {
    Token: ("", ""),
    Keyword: ("cyan", "cyan"),
    Name.Variable: ("green", "green"),
    Name.Function: ("cyan", "cyan"),
    Name.Builtin: ("*white*", "*white*"),
    Number: ("magenta", "magenta"),
    String: ("yellow", "yellow"),
    Comment: ("brightblack", "brightblack"),
}
MOST: Final = 200_000
"""Letters of a result that is coloured."""


def result(text: str) -> str:
    """Return a result, which is fit for a terminal, with colours."""
    if len(text) > MOST:
        return text
    scheme = TerminalFormatter(colorscheme=_SCHEME)
    return str(formatted(ResultLexer(ensurenl=False).get_tokens(text), scheme))
