"""An answer in the words of the file that it is about: its CPUs, registers, pins."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import LVTS
from lapis_engine.devices.ioapic import pins
from lapis_sessions.apic_files.contents import Described
from lapis_sessions.views.why import ToldView, VectorView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.apic_files.contents import Contents, Line
    from lapis_sessions.session import Session

BEARS: Final = {"class": ("tpr", "isr"), "svr": ("svr",), "in-service": ("isr",)}
"""Rule -> registers that it is about."""
TIMER_IRQ: Final = "LOC"
"""What /proc/interrupts calls the APIC's own timer."""


def told(session: Session, answer: VectorView) -> VectorView:
    """Return an answer with the words of the file, where the session is about one."""
    described = session.described
    if not isinstance(described, Described):
        return answer
    given = {each.name: getattr(answer, each.name) for each in fields(VectorView)}
    return ToldView(**given, words=tuple(_words(described, answer)))


def _words(described: Described, answer: VectorView) -> Iterator[str]:
    for apic in described.apics:
        if (apic.vcpu or 0) == answer.vcpu:
            yield from _registers(apic, answer)
    found = sorted(_pins(described, answer.vector))
    ioapic = described.ioapic
    for number in found:
        assert ioapic is not None, "the pins are its"
        entry = ioapic.pins[number]
        what = f"pin {number} of {ioapic.name} ({entry:#018x})"
        yield f"{what} has vector {answer.vector}"
    for line in described.lines:
        if (
            line.vector == answer.vector
            or line.pin in found
            or _is_timer(line, described, answer)
        ):
            yield _line(line)


def _registers(apic: Contents, answer: VectorView) -> Iterator[str]:
    """Yield the registers of the APIC that bear on the vector, as the file has them."""
    names = [name for row in answer.reasons for name in BEARS.get(row.rule, ())]
    for name in LVTS:
        value = apic.saved["lapic"].get(
            "vlp_lvt_pcint" if name == "lvt_perf" else f"vlp_{name}"
        )
        if value is not None and value & 0xFF == answer.vector:
            names.append(name)
    for bank in ("isr", "irr"):
        row = apic.saved["lapic"].get(f"vlp_{bank}")
        if row and row[answer.vector >> 5] >> (answer.vector & 31) & 1:
            names.append(bank)
    shown = [apic.shown[name] for name in dict.fromkeys(names) if name in apic.shown]
    if shown:
        yield f"CPU {answer.vcpu}: {'; '.join(shown)}"


def _pins(described: Described, vector: int) -> set[int]:
    if described.ioapic is None:
        return set()
    return {
        number
        for number, entry in described.ioapic.pins.items()
        if pins.decode(entry).vector == vector
    }


def _is_timer(line: Line, described: Described, answer: VectorView) -> bool:
    """Tell whether a line counts the interrupts of the timer that has the vector."""
    return line.irq.upper() == TIMER_IRQ and any(
        apic.saved["lapic"].get("vlp_lvt_timer", 0) & 0xFF == answer.vector
        for apic in described.apics
        if (apic.vcpu or 0) == answer.vcpu
    )


def _line(line: Line) -> str:
    often = "" if line.count is None else f", {line.count} times"
    return f"IRQ {line.irq}: {line.text}{often}"
