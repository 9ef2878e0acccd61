"""A machine that ran elsewhere, as numbers: what another monitor tells of it.

It is less than the state of one of ours. What is not here is as after reset.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = tuple[int, ...]
    Shape = tuple[int | None, int]
    """How many numbers, None for one alone; and the bits of each."""


@dataclass(frozen=True, slots=True)
class ProcessorState:
    """The registers of a processor, and whether it runs."""

    gpr: Row
    """RAX RCX RDX RBX RSP RBP RSI RDI R8..R15."""
    rip: int
    rflags: int
    cr0: int
    cr2: int
    cr3: int
    cr4: int
    efer: int
    es: Row
    """Selector, base, limit in bytes, flags as in the high dword of a descriptor; so
    the next ones to `tr`."""
    cs: Row
    ss: Row
    ds: Row
    fs: Row
    gs: Row
    ldtr: Row
    tr: Row
    gdtr: Row
    """Base, and limit in bytes; so the next."""
    idtr: Row
    dr: Row
    """DR0 to DR3, DR6, DR7."""
    fcw: int
    fsw: int
    """With TOP."""
    ftw: int
    """A bit for each physical x87 register that is not empty."""
    mxcsr: int
    x87: Row
    """The physical registers, 80 bits each."""
    xmm: Row
    shadow: int
    """1: STI or MOV SS holds interrupts off for one instruction; 0 and 1, so the next.
    """
    halted: int
    """In HLT, with RIP behind it."""
    waits: int
    """Waits for a SIPI."""
    kernel_gs: int = 0
    """IA32_KERNEL_GS_BASE."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """All that was read."""

    source: str
    """Who ran it: a program and its version."""
    processors: tuple[ProcessorState, ...]
    apics: tuple[Mapping[str, Any], ...]
    """Saved states as `saved.transfer` takes them, without `events`."""
    system: Mapping[str, Any]
    """IOAPIC and 8259 pair, as far as there are any, as `saved.system` takes them."""


SEGMENT: Final[Shape] = (4, 64)
TABLE: Final[Shape] = (2, 64)
NUMBER: Final[Shape] = (None, 64)
WORD: Final[Shape] = (None, 16)
BYTE: Final[Shape] = (None, 8)
FLAG: Final[Shape] = (None, 1)
PROCESSOR: Final[Mapping[str, Shape]] = MappingProxyType({
    "gpr": (16, 64),
    **dict.fromkeys(("rip", "rflags", "cr0", "cr2", "cr3", "cr4", "efer"), NUMBER),
    **dict.fromkeys(("es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"), SEGMENT),
    "gdtr": TABLE, "idtr": TABLE,
    "dr": (6, 64),
    "fcw": WORD, "fsw": WORD, "ftw": BYTE, "mxcsr": (None, 32),
    "x87": (8, 80), "xmm": (16, 128),
    "shadow": FLAG, "halted": FLAG, "waits": FLAG,
    "kernel_gs": NUMBER,
})  # fmt: skip


def to_plain(state: MachineState) -> dict[str, Any]:
    """Return it as plain data that JSON can hold."""
    return asdict(state)


def from_plain(given: Mapping[str, Any]) -> MachineState:
    """Return the state of plain data; raise `ImageError` naming what does not fit.

    Of APICs and devices only that they are there is looked at: see `saved`.
    """
    source, apics = given.get("source"), given.get("apics")
    found = given.get("processors")
    if not isinstance(source, str) or not isinstance(found, list):
        raise ImageError("the machine image says neither whose nor which processors")
    if not isinstance(apics, list) or len(apics) != len(found) or not found:
        raise ImageError("the machine image has not one APIC for each processor")
    if not all(isinstance(each, dict) for each in apics):
        raise ImageError("the machine image has an APIC that is no object")
    system = given.get("system")
    if not isinstance(system, dict):
        raise ImageError("the machine image has no object of devices")
    processors = tuple(
        _processor(each, f"processor {number}") for number, each in enumerate(found)
    )
    return MachineState(source, processors, tuple(apics), system)


def _processor(given: Any, what: str) -> ProcessorState:
    if not isinstance(given, dict) or set(given) != set(PROCESSOR):
        raise ImageError(f"{what} has not the fields {', '.join(PROCESSOR)}")
    return ProcessorState(
        **{
            name: _value(shape, given[name], f"{what}: {name}")
            for name, shape in PROCESSOR.items()
        }
    )


def _value(shape: Shape, given: Any, what: str) -> Any:
    count, bits = shape
    if count is None:
        return _number(bits, given, what)
    if not isinstance(given, (list, tuple)) or len(given) != count:
        raise ImageError(f"{what} is no list of {count} numbers")
    return tuple(_number(bits, each, what) for each in given)


def _number(bits: int, given: Any, what: str) -> int:
    if isinstance(given, int) and type(given) is int and 0 <= given < 1 << bits:
        return given
    raise ImageError(f"{what}: {repr(given)[:40]} is not a number of {bits} bits")
