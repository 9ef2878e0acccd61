"""The sixteen priority classes of an APIC as one row a register, and who wins.

The arithmetic is the manual's (SDM Vol. 3A "Task and Processor Priorities"): the class
of a vector is bits 7:4; an interrupt is delivered when its class is above PPR's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import Line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

RULER = "0123456789abcdef"


def ruler() -> Line:
    """Return the row that names the classes."""
    return Line("class ", "dim").add(RULER, "dim")


def vectors_row(name: str, now: Sequence[int], before: Collection[int]) -> Line:
    """Return one register: how many vectors in each class, then the vectors.

    A vector that was not there at the stop before has a `*`; one that has gone since
    is put after a `-`.
    """
    line = Line(f"{name:<6}", "label")
    fresh, gone = set(now) - set(before), sorted(set(before) - set(now))
    for class_ in range(16):
        inside = [v for v in now if v >> 4 == class_]
        text = "." if not inside else RULER[len(inside)] if len(inside) < 16 else "+"
        is_fresh = any(v in fresh for v in inside)
        line.add(text, "changed" if is_fresh else "strong" if inside else "dim")
    for vector in now:
        role = "changed" if vector in fresh else "strong"
        line.add(" *" if vector in fresh else "  ", role).add(f"{vector:02x}", role)
    for vector in gone:
        line.add(f"  -{vector:02x}", "held")
    return line


def priority_row(ppr: int) -> Line:
    """Return the row of PPR: `#` where a class is held back."""
    line = Line("PPR   ", "label")
    held = (ppr >> 4) + 1
    return line.add("#" * held, "held").add("." * (16 - held), "dim")


def winner(tpr: int, isr: Sequence[int]) -> str:
    """Say which of TPR and ISR makes the PPR.

    >>> winner(0x20, [0x31]), winner(0x20, []), winner(0x35, [0x31])
    ('ISR 31 over TPR 20', 'TPR, ISR empty', 'TPR 35 over ISR 31')
    """
    if not isr:
        return "TPR, ISR empty"
    top = max(isr)
    if tpr >> 4 >= top >> 4:
        return f"TPR {tpr:02x} over ISR {top:02x}"
    return f"ISR {top:02x} over TPR {tpr:02x}"


def verdict(ppr: int, irr: Sequence[int], *, interrupts: bool, enabled: bool) -> Line:
    """Say what becomes of the highest vector in the IRR."""
    if not irr:
        return Line("nothing waits in the IRR", "dim")
    top = max(irr)
    line = Line(f"next {top:02x} ", "strong")
    if not enabled:
        return line.add("held: the APIC is software-disabled", "warn")
    if top >> 4 <= ppr >> 4:
        return line.add(f"held: class {top >> 4:x} <= PPR {ppr >> 4:x}", "warn")
    if not interrupts:
        return line.add(f"class {top >> 4:x} > PPR {ppr >> 4:x}, held: IF=0", "warn")
    return line.add(f"deliverable: class {top >> 4:x} > PPR {ppr >> 4:x}", "good")


def unusual(icr_text: str) -> str:
    """Leave out of an ICR in words what is the usual.

    >>> unusual("INIT, physical, assert, edge, all excluding self")
    'INIT, all excluding self'
    """
    usual = {"physical", "assert", "edge"}
    words = [word for word in icr_text.split(", ") if word not in usual]
    return ", ".join(words).replace(" vector ", " ")
