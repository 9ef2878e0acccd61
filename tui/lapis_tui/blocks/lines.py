"""Lines of styled text, as panes return them: plain data, no widget, no theme.

A span's role ("dim", "changed", "address" ...) says what the text means. How it looks
is decided once, by the theme (`lapis_tui.panes.base`); nothing is said by the role
alone, so that a screen without colour says the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len

from lapis_engine.units import NS
from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Span = tuple[str, str]
"""Text and its role; "" is the plain role."""

ROLES = (
    "dim", "label", "title", "strong", "changed", "address", "symbol", "mnemonic",
    "here", "cursor", "caret", "rule", "good", "warn", "bad", "held",
)  # fmt: skip
"""Every role that a pane may use."""

ELLIPSIS = "…"
CURSOR = "▸"
"""Sign of the row that the keys are about, where that has no other."""
HIT = "*"
"""Sign of a row with what is searched for."""
NOT_YET = "·"
"""Sign of what lies ahead."""


class Line:
    """One line of spans, built from left to right."""

    __slots__ = ("role", "spans", "width")

    def __init__(self, text: str = "", role: str = "") -> None:
        """Start with `text` in `role`."""
        self.spans: list[Span] = []
        self.width = 0
        """Cells: each character has one, see `narrow`."""
        self.role = ""
        """Role of the whole line, beneath its spans: "cursor", "here" or nothing."""
        if text:
            self.add(text, role)

    def add(self, text: str, role: str = "") -> Self:
        """Append `text`, made visible, and return the line itself."""
        if text:
            if not (text.isascii() and text.isprintable()):
                text = narrow(visible(text))
            self.spans.append((text, role))
            self.width += len(text)
        return self

    def extend(self, other: Line) -> Self:
        """Append the spans of `other`."""
        self.spans += other.spans
        self.width += other.width
        return self

    def pad(self, column: int) -> Self:
        """Append blanks up to `column`; at least one when it is already behind it."""
        return self.add(" " * max(column - self.width, 1 if self.width else 0))

    def fit(self, width: int) -> Line:
        """Return this line with exactly `width` cells; what is cut is marked."""
        if self.width == width:
            return self
        out = Line()
        out.role = self.role
        if self.width < width:
            out.extend(self)
            return out.add(" " * (width - self.width))
        room = max(width - 1, 0)
        for text, role in self.spans:
            out.add(text[: room - out.width], role)
            if out.width >= room:
                break
        return out.add(ELLIPSIS, "dim") if width > 0 else out

    @property
    def plain(self) -> str:
        """The text alone."""
        return "".join(text for text, _ in self.spans)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Line)
            and self.role == other.role
            and self.spans == other.spans
        )

    __hash__ = None  # type: ignore[assignment]  # lines are built in place

    def __repr__(self) -> str:
        return f"Line({self.plain!r})"


@lru_cache(maxsize=4096)
def narrow(text: str) -> str:
    """Put a `?` for each character that does not take exactly one cell.

    >>> narrow("ISR │ →"), narrow(chr(0x4E2D) + "e" + chr(0x301))
    ('ISR │ →', '?e?')
    """
    return "".join(char if cell_len(char) == 1 else "?" for char in text)


@lru_cache(maxsize=4096)
def number(value: int, digits: int, role: str = "", *, mark: bool = False) -> Line:
    """Return `value` in hex with `digits` digits, the leading zeros held back.

    With `mark` a `*` before it says that it has changed. The line is kept for the next
    one who asks: extend another by it, and add nothing to it.

    >>> number(0x31, 4).plain, number(0x31, 4, mark=True).plain
    (' 0031', '*0031')
    """
    text = f"{value:0{digits}x}"
    head = min(len(text) - len(text.lstrip("0")), digits - 1)
    line = Line("*" if mark else " ", "changed")
    role = "changed" if mark else role
    return line.add(text[:head], "dim").add(text[head:], role)


def signed(line: Line, sign: str, role: str = "title") -> Line:
    """Return `line` with a sign at its beginning: in a blank there, or before it all.

    >>> [signed(Line(text), ">").plain for text in (" ab", "> ab", "abc ")]
    ['>ab', '>>ab', '>abc']
    """
    text = line.plain
    at = next((at for at in range(2) if text[at : at + 1] == " "), None)
    out = Line() if at is not None else Line(sign, role)
    begin = 0
    for span, own in line.spans:
        inside = at is not None and begin <= at < begin + len(span)
        cut = at - begin if inside and at is not None else len(span)
        out.add(span[:cut], own)
        if inside:
            out.add(sign, role).add(span[cut + 1 :], own)
        begin += len(span)
    if out.width > line.width and out.spans[-1][0].endswith(" "):
        last, own = out.spans.pop()
        out.spans.append((last[:-1], own))
        out.width -= 1
    out = out.fit(line.width)
    out.role = line.role
    return out


def columns(blocks: Sequence[Sequence[Line]], widths: Sequence[int]) -> list[Line]:
    """Set blocks of lines side by side, each as wide as told, ruled apart."""
    height = max((len(block) for block in blocks), default=0)
    out = []
    for row in range(height):
        line = Line()
        for index, (block, width) in enumerate(zip(blocks, widths, strict=True)):
            if index:
                line.add("│", "rule")
            piece = block[row] if row < len(block) else Line()
            line.extend(_within(piece.fit(width)))
        out.append(line)
    return out


def _within(line: Line) -> Line:
    """Give the role of a whole line to its spans, for it becomes part of another."""
    if not line.role:
        return line
    out = Line()
    for text, role in line.spans:
        out.add(text, f"{role} {line.role}".strip())
    return out


def plain(lines: Iterable[Line]) -> str:
    """Return the text of `lines`, as tests and the clipboard want it."""
    return "\n".join(line.plain.rstrip() for line in lines)


def wrap(text: str, width: int) -> list[str]:
    """Break `text` at blanks into rows of at most `width` cells."""
    rows, row = [], ""
    for word in text.split():
        if row and len(row) + 1 + len(word) > width:
            rows.append(row)
            row = ""
        row = f"{row} {word}".strip()
    return [*rows, row] if row else rows


def wrapped(row: str, width: int) -> list[str]:
    """Break a row at blanks, its own indent kept; a word that is longer is cut.

    The row is made visible first, for that takes more cells.

    >>> wrapped("  one two three", 9), wrapped("abcdefgh", 5)
    (['  one two', '    three'], ['abcde', 'fgh'])
    """
    row = visible(row.expandtabs()).rstrip()
    out = []
    indent = " " * min(len(row) - len(row.lstrip()) + 2, width // 2)
    while len(row) > width:
        cut = row.rfind(" ", len(indent) + 1, width + 1)
        if cut <= len(row) - len(row.lstrip()):
            cut = width
        out.append(row[:cut].rstrip())
        rest = row[cut:].lstrip()
        row = f"{indent}{rest}" if cut < width or row[cut : cut + 1] == " " else rest
    return [*out, row]


def count(value: int) -> str:
    """Return a decimal number with its thousands apart.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def time(ns: int) -> str:
    """Return virtual time in a unit that leaves few digits.

    >>> time(950), time(12_345), time(3_200_000), time(61_000_000_000)
    ('950 ns', '12.345 us', '3.200000 ms', '61.000000000 s')
    """
    if ns < 1_000:
        return f"{ns} ns"
    if ns < 1_000_000:
        return f"{ns // 1_000}.{ns % 1_000:03} us"
    if ns < NS:
        return f"{ns // 1_000_000}.{ns % 1_000_000:06} ms"
    return f"{ns // NS}.{ns % NS:09} s"
