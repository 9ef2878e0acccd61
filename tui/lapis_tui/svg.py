"""A picture of cells as SVG: small, and the same for the same cells.

Each run of cells of one look is a text that begins at its cell and is as wide as its
cells, whatever font the viewer has. Blanks are nothing but the ground behind them. No
identifier is made up, nothing is fetched, and no library's release changes the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.color import Color
    from rich.segment import Segment
    from rich.style import Style
    from rich.terminal_theme import TerminalTheme

    Cells = Sequence[Iterable[Segment]]
    """Rows of styled text, as a screen or a pane is painted."""

WIDE: Final = 8.4
HIGH: Final = 16
"""Units of a cell, for letters of `SIZE`."""
SIZE: Final = 14
BASE: Final = 12
"""Units from the top of a cell to the line that letters stand on."""
EDGE: Final = 8
"""Units around the cells."""
FONTS: Final = "'DejaVu Sans Mono',Menlo,Consolas,monospace"
_RUN: Final = re.compile(r"\S+(?: \S+)*")
"""Words with one blank between them."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a run looks, once everything is said."""

    colour: str
    ground: str
    bold: bool
    under: bool

    @property
    def css(self) -> str:
        """The letters."""
        bold = ";font-weight:700" if self.bold else ""
        under = ";text-decoration:underline" if self.under else ""
        return f"fill:{self.colour}{bold}{under}"


def svg(rows: Cells, ground: str, theme: TerminalTheme, title: str) -> str:
    """Return `rows` as SVG on `ground`, a colour as `#rrggbb`.

    `theme` has the colours that a terminal would choose. `title` is for those who
    cannot see it, and for a pointer that rests there.
    """
    pieces = [list(_pieces(row, ground, theme)) for row in rows]
    width = max((p[0] + p[1] for row in pieces for p in row), default=0)
    across, down = width * WIDE + 2 * EDGE, len(pieces) * HIGH + 2 * EDGE
    names: dict[str, str] = {}
    body = [
        *_grounds(pieces, ground),
        *(part for y, row in enumerate(pieces) for part in _texts(row, y, names)),
    ]
    rules = "".join(f".{name}{{{css}}}" for css, name in names.items())
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:g} {down:g}">',
        f"<title>{escape(title)}</title>",
        f"<style>text{{font:{SIZE}px {FONTS};white-space:pre}}{rules}</style>",
        f'<rect width="100%" height="100%" rx="6" fill="{ground}"/>',
        *body,
        "</svg>\n",
    ))  # fmt: skip


_Piece = tuple[int, int, str, Look]
"""First cell, cells, text, look."""


def _pieces(
    row: Iterable[Segment], ground: str, theme: TerminalTheme
) -> Iterator[_Piece]:
    """Yield a row's runs of one look, those that follow each other joined."""
    at, begin, text = 0, 0, ""
    last: Look | None = None
    for each in row:
        if not each.text or each.control:
            continue
        look = _look(each.style, ground, theme)
        if look != last and last is not None:
            yield begin, at - begin, text, last
            begin, text = at, ""
        last = look
        text += each.text
        at += cell_len(each.text)
    if last is not None:
        yield begin, at - begin, text, last


def _look(style: Style | None, ground: str, theme: TerminalTheme) -> Look:
    def shown(colour: Color | None, *, is_text: bool) -> str:
        if colour is None or (colour.is_default and not is_text):
            return theme.foreground_color.hex if is_text else ground
        return colour.get_truecolor(theme, foreground=is_text).hex

    if style is None:
        return Look(theme.foreground_color.hex, ground, bold=False, under=False)
    front = shown(style.color, is_text=True)
    back = shown(style.bgcolor, is_text=False)
    if style.reverse:
        front, back = back, front
    return Look(front, back, bool(style.bold), bool(style.underline))


def _grounds(rows: Sequence[Sequence[_Piece]], ground: str) -> Iterator[str]:
    """Yield what is not the picture's own ground, one above the other joined."""
    open_: dict[tuple[int, int, str], int] = {}
    for y in range(len(rows) + 1):
        now = _stretches(rows[y], ground) if y < len(rows) else set()
        for it in sorted(set(open_) - now):
            at, count, colour = it
            top = open_.pop(it)
            yield (
                f'<rect x="{EDGE + at * WIDE:g}" y="{EDGE + top * HIGH}" '
                f'width="{count * WIDE:g}" height="{(y - top) * HIGH}" '
                f'fill="{colour}"/>'
            )
        for it in now - set(open_):
            open_[it] = y


def _stretches(row: Sequence[_Piece], ground: str) -> set[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for at, count, _, look in row:
        if look.ground == ground:
            continue
        if found and found[-1][2] == look.ground and sum(found[-1][:2]) == at:
            begin, before, _ = found.pop()
            found.append((begin, before + count, look.ground))
        else:
            found.append((at, count, look.ground))
    return set(found)


def _texts(row: Sequence[_Piece], y: int, names: dict[str, str]) -> Iterator[str]:
    base = EDGE + y * HIGH + BASE
    for at, _, text, look in row:
        for run in _RUN.finditer(text):
            name = names.setdefault(look.css, f"c{len(names)}")
            x = EDGE + (at + cell_len(text[: run.start()])) * WIDE
            count = cell_len(run[0])
            yield (
                f'<text x="{x:g}" y="{base}" class="{name}" '
                f'textLength="{count * WIDE:g}">{escape(run[0])}</text>'
            )
