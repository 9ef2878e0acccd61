"""What was read from a file that describes local APICs, and what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lapis_engine.apic import priority
from lapis_engine.saved import lapic
from lapis_sessions.errors import SessionError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Mapping, Sequence

OUR_FORMAT = "lapis-apic"
BASE = 0xFEE0_0000
BASE_BSP, BASE_EXTD, BASE_EN = 1 << 8, 1 << 10, 1 << 11
TIMER_MODE, PERIODIC, TSC_DEADLINE = 0x6_0000, 0x2_0000, 0x4_0000
"""LVT TIMER, bits 18:17."""


class ApicFileError(SessionError):
    """A file is none that holds a local APIC, or is damaged."""

    title = "Bad APIC file"


@dataclass(frozen=True, slots=True)
class Contents:
    """A local APIC from a file."""

    name: str
    """The file, as the user wrote it."""
    format: str
    """lapis-apic, qemu, page or kvm."""
    saved: dict[str, Any]
    """Saved state as `Machine.import_apic` takes it."""
    remarks: tuple[str, ...] = ()
    """What the user should know about it, one sentence each."""
    vcpu: int | None = None
    """Number of the processor that it was, or None where the file does not say."""
    profile: str = ""
    """Profile of the machine that it was on, or nothing."""
    missing: tuple[str, ...] = ()
    """Registers that the file does not have, by the engine's name; `timer` stands for
    its counts."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """Registers as the file has them, by the engine's name: `LVTT 0x000400ec`."""

    @property
    def is_foreign(self) -> bool:
        """Tell whether it is of another program, and lacks fields."""
        return self.format != OUR_FORMAT


@dataclass(frozen=True, slots=True)
class Ioapic:
    """An IOAPIC from a file."""

    pins: Mapping[int, int]
    """Redirection entry by pin."""
    count: int
    """How many pins there are; those without an entry are not known."""
    version: int = 0x20
    id: int = 0
    """[3:0]."""
    select: int = 0
    asserted: frozenset[int] | None = None
    """Pins that are asserted, or None where the file does not say."""
    name: str = "the IOAPIC"
    """What the file calls it."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One 8259 from a file."""

    irr: int
    imr: int
    isr: int
    elcr: int
    base: int | None = None
    """Vector of input 0, or None where the file does not say."""
    lowest: int = 7
    """Input of lowest priority."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of /proc/interrupts, or another that names an interrupt."""

    irq: str
    """The number, or three letters: 9, LOC."""
    text: str
    """What else the file says of it."""
    pin: int | None = None
    """Pin of the IOAPIC."""
    vector: int | None = None
    count: int | None = None
    """How often it came, on all processors together."""


@dataclass(frozen=True, slots=True)
class Described:
    """All that a file tells of a machine."""

    name: str
    """The file, as the user wrote it."""
    formats: tuple[str, ...]
    apics: tuple[Contents, ...] = ()
    """One for each processor, ascending by its number."""
    ioapic: Ioapic | None = None
    pic: tuple[Chip, Chip] | None = None
    """Master and slave."""
    lines: tuple[Line, ...] = ()
    remarks: tuple[str, ...] = ()
    """What the user should know that is of no single APIC."""


def apicbase(*, x2apic: bool, bsp: bool) -> int:
    """Return the APICBASE of an APIC whose dump has none: on, and where it always is.

    # Not modelled: a page that was moved; no dump tells where it was.
    """
    return BASE | BASE_EN | (BASE_EXTD if x2apic else 0) | (BASE_BSP if bsp else 0)


def ppr_remark(said: int, tpr: int, isr: Sequence[int]) -> str:
    """Compare the PPR of a dump with what its TPR and ISR give.

    SDM Vol. 3A "Task and Processor Priorities".
    """
    served = lapic.bank(tuple(isr))
    given, top = priority.ppr(tpr, served), priority.highest(served)
    what = f"TPR {tpr:#04x} and ISR ({f'up to {top:#04x}' if served else 'empty'})"
    if given == said:
        return f"the file's PPR, {said:#04x}, is what {what} give"
    return f"the file's PPR is {said:#04x}; {what} give {given:#04x}, which is taken"


def count(lvt: int, initial: int, current: int | None) -> tuple[int, str]:
    """Return the current count of a timer whose deadline is not known, and a remark."""
    mode = lvt & TIMER_MODE
    if mode == TSC_DEADLINE:
        why = "the timer is in TSC-deadline mode and the file has no deadline"
        return 0, f"{why}: it is not armed"
    if current is not None or not initial:
        return current or 0, ""
    if mode == PERIODIC:
        return initial, "the file has no current count: the timer begins a whole period"
    return 0, "the file has no current count: the one-shot timer is not armed"


def contents_of(
    name: str,
    parts: Iterable[tuple[re.Match[str], str, bool]],
    understood: Callable[..., Contents],
) -> list[Contents]:
    """Understand each part of a text (`Pasted.headed`) of file `name`.

    `understood` takes the name, head, text and `is_cut`. Raises `ApicFileError` where
    it raises `ValueError`.
    """
    found = []
    for head, part, is_cut in parts:
        try:
            found.append(understood(name, head, part, is_cut=is_cut))
        except ValueError as error:
            raise ApicFileError(f"APIC file {name!r}: {error}") from None
    return found
