"""What the task-state segment of a vCPU holds.

SDM Vol. 3A "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)", "TSS in
64-bit Mode", "I/O Permission Bit Map".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import EFER_LMA
from lapis_engine.why.tables import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine

Fields = tuple[tuple[str, int, int], ...]
"""Name, offset and bytes of each."""
LONG: Final[Fields] = (
    *((f"RSP{n}", 4 + 8 * n, 8) for n in range(3)),
    *((f"IST{n}", 0x1C + 8 * n, 8) for n in range(1, 8)),
    ("I/O map base", 0x66, 2),
)
WIDE: Final[Fields] = (
    ("link", 0, 2),
    *((f"{name}{n}", 4 + 8 * n + by, size)
      for n in range(3) for name, by, size in (("ESP", 0, 4), ("SS", 4, 2))),
    *((name, 0x1C + 4 * n, 4) for n, name in enumerate(
        ("CR3", "EIP", "EFLAGS", "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI")
    )),
    *((name, 0x48 + 4 * n, 2) for n, name in enumerate(
        ("ES", "CS", "SS", "DS", "FS", "GS", "LDT")
    )),
    ("T", 0x64, 2), ("I/O map base", 0x66, 2),
)  # fmt: skip
NARROW: Final[Fields] = tuple(
    (name, 2 * n, 2)
    for n, name in enumerate(
        ("link", "SP0", "SS0", "SP1", "SS1", "SP2", "SS2", "IP", "FLAGS", "AX", "CX",
         "DX", "BX", "SP", "BP", "SI", "DI", "ES", "CS", "SS", "DS", "LDT")
    )
)  # fmt: skip
MAP_AT: Final = 0x66
PORTS: Final = 0x1_0000
MOST_RANGES: Final = 256
"""Of ports that are told of."""


@dataclass(frozen=True, slots=True)
class TssField:
    """One field."""

    name: str
    offset: int
    bytes: int
    value: int | None
    """None beyond the limit, or in no memory."""


@dataclass(frozen=True, slots=True)
class TssAnswer:
    """The TSS that TR names."""

    vcpu: int
    selector: int
    base: int
    limit: int
    form: str
    """64-bit, 32-bit or 16-bit."""
    fields: tuple[TssField, ...]
    ports: tuple[tuple[int, int], ...]
    """First and last of each run that the bit map allows to whom IOPL does not."""
    text: str
    """One sentence."""


def tss(machine: Machine, number: int) -> TssAnswer:
    """Return what TR names; raise `EngineError` without such a vCPU."""
    vcpu = machine.vcpu(number)
    tr = vcpu.regs.tr
    is_narrow = not tr.flags >> 11 & 1
    is_long = bool(vcpu.regs.efer & EFER_LMA)
    form = "64-bit" if is_long else "16-bit" if is_narrow else "32-bit"
    text = (
        f"{form} TSS at {tr.base:#x}, limit {tr.limit:#x}, selector {tr.selector:#06x}"
    )
    if not tr.selector & 0xFFFC:
        text = f"TR is {tr.selector:#06x}: there is no TSS"
        return TssAnswer(number, tr.selector, tr.base, tr.limit, form, (), (), text)
    layout = {"64-bit": LONG, "32-bit": WIDE, "16-bit": NARROW}[form]
    most = max(at + size for _, at, size in layout)
    data = read(machine, vcpu, tr.base, min(tr.limit + 1, most))
    fields = tuple(
        TssField(name, at, size, _value(data[at : at + size], size))
        for name, at, size in layout
    )
    ports: tuple[tuple[int, int], ...] = ()
    map_base = _value(data[MAP_AT : MAP_AT + 2], 2) if form != "16-bit" else None
    if map_base is not None and map_base < tr.limit:
        size = min(tr.limit + 1 - map_base, PORTS // 8)
        ports = tuple(_allowed(read(machine, vcpu, tr.base + map_base, size)))
    return TssAnswer(number, tr.selector, tr.base, tr.limit, form, fields, ports, text)


def _value(data: list[int | None], size: int) -> int | None:
    known = [byte for byte in data if byte is not None]
    return int.from_bytes(bytes(known), "little") if len(known) == size else None


def _allowed(data: list[int | None]) -> Iterator[tuple[int, int]]:
    """Yield the runs of ports whose bits are clear."""
    first: int | None = None
    ranges = 0
    for port in range(8 * len(data)):
        byte = data[port // 8]
        is_allowed = byte is not None and not byte >> port % 8 & 1
        if is_allowed and first is None:
            first = port
        elif not is_allowed and first is not None:
            yield first, port - 1
            first, ranges = None, ranges + 1
            if ranges == MOST_RANGES:
                return
    if first is not None:
        yield first, 8 * len(data) - 1
