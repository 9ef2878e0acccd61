"""What names an interrupt beside its vector: /proc/interrupts, and Xen's key `i`."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from lapis_sessions.apic_files.contents import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.apic_files.pasted import Pasted

HEAD: Final = re.compile(r"CPU\d{1,5}(?: CPU\d{1,5})*", re.IGNORECASE)
ROW: Final = re.compile(
    r"(\d{1,5}|[A-Z]{3}): ((?:\d{1,20} )*\d{1,20})(?: (\D.*|\d\D.*))?"
)
PIN: Final = re.compile(
    r"(?:IO-APIC|IR-IO-APIC)(?:-\w+)? +(\d{1,3})-?(?:edge|level|fasteoi)", re.IGNORECASE
)
OLD: Final = re.compile(r"IO-APIC-(?:edge|level|fasteoi)", re.IGNORECASE)
"""Older kernels call the line by the number of the IRQ, which is the pin."""
XEN: Final = re.compile(
    r"IRQ: ?(\d{1,5}) vec:([0-9a-f]{2}) (\S{1,20}) status=[0-9a-f]{3,8} "
    r"(?:aff:\S+|affinity:\S+)?(?: in-flight=\d+)? ?(\S*)",
    re.IGNORECASE,
)
OLD_XEN: Final = re.compile(
    r"IRQ: ?(\d{1,5}) affinity:\S+ vec:([0-9a-f]{2}) type=(\S{1,20}) "
    r"status=[0-9a-f]{8} ?(\S*)",
    re.IGNORECASE,
)
LONGEST: Final = 120


def is_dump(text: str) -> bool:
    """Tell whether there are such rows in `text`."""
    return bool(XEN.search(text) or OLD_XEN.search(text)) or bool(
        re.search(r"CPU0 .{0,4000}?\b(?:\d{1,5}|LOC): ?\d", text, re.DOTALL)
    )


def read(text: Pasted) -> list[Line]:
    """Return the rows; what cannot be read is left out."""
    return [*_rows(text), *_xen(text)]


def _rows(text: Pasted) -> Iterator[Line]:
    processors = 0
    for line in text.lines if text.is_whole else text.lines[:-1]:
        if HEAD.fullmatch(line):
            processors = len(line.split())
            continue
        row = ROW.fullmatch(line) if processors else None
        if row is None:
            continue
        counts = row[2].split()
        rest = " ".join([*counts[processors:], row[3] or ""]).strip()[:LONGEST]
        if len(counts) < processors or not rest or rest[0].isdigit():
            continue  # a row, or the head, that was cut or re-wrapped; ERR and MIS
        found = PIN.search(rest)
        pin = int(found[1]) if found else None
        if found is None and OLD.search(rest) and row[1].isdigit():
            pin = int(row[1])
        total = sum(map(int, counts[:processors]))
        yield Line(row[1], rest, pin, count=total)


def _xen(text: Pasted) -> Iterator[Line]:
    for row in chain(XEN.finditer(text.flat), OLD_XEN.finditer(text.flat)):
        yield Line(
            row[1], f"{row[3]} {row[4]}".strip()[:LONGEST], None, int(row[2], 16)
        )
