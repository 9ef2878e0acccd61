"""Text as people paste it: quoted, logged, re-wrapped, with a terminal's sequences.

What stands before the text of a line (quote marks, times of a kernel's log, names of
programs) goes, and runs of blanks become one. The formats read the words that are left,
wherever the lines were broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SEQUENCE: Final = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]|\x1b[()][0-9A-B]|\x1b[=>]")
"""What moves a terminal's cursor, or colours it."""
BEFORE: Final = re.compile(
    r"""\s+ | (?:>|&gt;|\|)+ | \(XEN\) | <[0-7]>
    | \[\d{4}-\d\d-\d\d\s\d\d:\d\d:\d\d(?:\.\d{1,9})?\]
    | \[\s{0,8}\d{1,9}\.\d{1,9}\] | \[\s{0,8}[TC]\d{1,8}\]
    | [A-Z][a-z]{2}\s{1,2}\d{1,2}\s\d\d:\d\d:\d\d\s\S{1,64}(?=\s)
    | kernel:
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""One of the things that stand before the text of a line."""
ENCODED: Final = re.compile(r"=([0-9A-F]{2})")
BROKEN: Final = re.compile(r"(?<=[^\s=])=\n")
"""A line that quoted-printable text goes on after."""
EQUALS: Final = re.compile(r"=(?![0-9A-F]{2}|\n)")
"""An equals sign that quoted-printable text could not have."""
MOST_BEFORE: Final = 32
PARAGRAPH: Final = "\n"
DOUBLED: Final = 0.5
"""Share of blank lines from which on they part nothing: a paste doubles its lines."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text without what was put around it."""

    flat: str
    """All of it, words one blank apart; blank lines are a line feed between blanks."""
    lines: tuple[str, ...]
    """Its lines, none of them empty."""
    is_whole: bool
    """It ends with the end of a line: its last line is not cut."""

    def headed(
        self, head: re.Pattern[str], end: re.Pattern[str]
    ) -> list[tuple[re.Match[str], str, bool]]:
        """Return each head with what is below it, and whether the file may cut that.

        That goes to the next head, or to `end` before it.
        """
        heads, flat = list(head.finditer(self.flat)), self.flat
        lasts = [*(each.start() for each in heads[1:]), len(flat)]
        out = []
        for found, after in zip(heads, lasts, strict=False):
            stop = end.search(flat, found.end(), after)
            last = after if stop is None else stop.start()
            is_cut = last == len(flat) and not self.is_whole
            out.append((found, flat[found.end() : last], is_cut))
        return out


def pasted(text: str) -> Pasted:
    """Return a text without what was put around it."""
    text = SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    bare = "\n".join(_bare(line) for line in text.split("\n"))
    decoded = _decoded(bare)
    rows = decoded.split("\n")
    if decoded != bare:
        rows = [_bare(row) for row in rows]
    lines = tuple(row for row in rows if row)
    if len(rows) - len(lines) >= len(lines) * DOUBLED:
        rows = list(lines)
    parts, was_blank = [], True
    for row in rows:
        if row or not was_blank:
            parts.append(row or PARAGRAPH)
        was_blank = not row
    return Pasted(" ".join(parts), lines, text.endswith("\n"))


def _bare(line: str) -> str:
    """Return the words of a line, without what stands before them."""
    for _ in range(MOST_BEFORE):
        found = BEFORE.match(line)
        if found is None:
            break
        line = line[found.end() :]
    shown = "".join(each if each.isprintable() else " " for each in line)
    return " ".join(shown.split())


def _decoded(text: str) -> str:
    """Undo quoted-printable, where every equals sign may be of it."""
    signs = "=3D" in text or BROKEN.search(text) is not None
    if not signs or EQUALS.search(text) is not None:
        return text
    joined = BROKEN.sub("", text)
    return ENCODED.sub(lambda found: chr(int(found[1], 16)), joined)


def ranges(numbers: list[int], *, base: str = "d") -> str:
    """Return numbers that ascend, neighbours as a range.

    >>> ranges([0, 2, 3, 4, 9]), ranges([10, 11], base="02X")
    ('0, 2 to 4, 9', '0A to 0B')
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{run[0]:{base}}" + (f" to {run[-1]:{base}}" if run[1:] else "")
        for run in runs
    )
