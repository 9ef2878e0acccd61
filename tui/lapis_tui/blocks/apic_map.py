"""The 256 vectors of an APIC as a map: a row a priority class, the highest on top.

A vector has one sign for IRR, ISR and TMR together; one after it tells what has changed
since the stop before. At the right stand the classes that the PPR holds back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.priority import LOWEST_LEGAL
from lapis_tui.blocks.lines import Line

if TYPE_CHECKING:
    from lapis_sessions.views.apic import ApicView

CLASSES: Final = 16
WIDTH: Final = 45
"""Cells of the map, with what stands at its right."""
ROWS: Final = CLASSES + 2
"""Its rows: those of the classes, one that names columns, and one of signs."""
SIGNS: Final = "r IRR  s ISR  b both  l TMR  RSB and TMR"
HEX: Final = "0123456789abcdef"
_ROLES: Final = {"r": "warn", "s": "good", "b": "changed"}


def sign(vector: int, apic: ApicView) -> str:
    """Return the sign of a vector: a capital is of one that is level-triggered."""
    is_requested, is_served = vector in apic.irr, vector in apic.isr
    if is_requested and is_served:
        found = "b"
    elif is_requested or is_served:
        found = "r" if is_requested else "s"
    else:
        return "l" if vector in apic.tmr else "."
    return found.upper() if vector in apic.tmr else found


def render(apic: ApicView, before: ApicView) -> list[Line]:
    """Return the map: `ROWS` rows of `WIDTH` cells."""
    head = Line("   ", "dim").add(" ".join(HEX), "dim").add("  held", "label")
    rows = [_row(class_, apic, before) for class_ in reversed(range(CLASSES))]
    return [row.fit(WIDTH) for row in (head, *rows, Line(f" {SIGNS}", "dim"))]


def _row(class_: int, apic: ApicView, before: ApicView) -> Line:
    line = Line(f" {class_:x} ", "label")
    text, role = "", "dim"
    for vector in range(class_ << 4, (class_ + 1) << 4):
        piece, its = _cell(vector, apic, before)
        if its != role:
            line.add(text, role)
            text, role = "", its
        text += piece
    return line.add(text, role).extend(_side(class_, apic))


def _cell(vector: int, apic: ApicView, before: ApicView) -> tuple[str, str]:
    """Return the two cells of a vector, and their role."""
    now, was = sign(vector, apic), sign(vector, before)
    if now == was:
        return f"{now} ", _ROLES.get(now.lower(), "dim")
    is_gone = now in ".l" and was not in ".l"
    return (f"{now}-", "held") if is_gone else (f"{now}*", "changed")


def _side(class_: int, apic: ApicView) -> Line:
    """Return what holds a class back, and whose class it is."""
    is_held = class_ <= apic.ppr >> 4
    line = Line(" # " if is_held else "   ", "held")
    names = [
        name
        for name, value in (("PPR", apic.ppr), ("TPR", apic.tpr))
        if value >> 4 == class_
    ]
    line.add(" ".join(names), "strong")
    if class_ < LOWEST_LEGAL >> 4 and not names:
        line.add("illegal", "dim")
    return line
