"""The memory map: where gdb may read and write, by linear addresses.

gdb holds it against the addresses that it is given, which are linear, and would refuse
all of a kernel that is mapped high if it listed physical memory alone. So it lists all
addresses, ROM as such, and leaves out the pages of devices: there it does not even ask.

Source: GDB manual "Memory Map Format".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.state import DEFAULT_BASE
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_sessions.session import Session

TOP: Final = 1 << 64
DOCTYPE: Final = (
    '<!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" '
    '"http://sourceware.org/gdb/gdb-memory-map.dtd">'
)
IOAPIC: Final = 0xFEC0_0000


def document(session: Session) -> bytes:
    """Return the map as XML."""
    memory = session.machine.vm.memory
    apart = [(each.gpa, each.end, "rom") for each in memory.seen if each.rom]
    apart += [
        (page, page + PAGE, "")
        for page in (DEFAULT_BASE, IOAPIC)
        if memory.region(page) is None
    ]
    rows, at = list[str](), 0
    for first, end, kind in sorted(apart):
        if first > at:
            rows.append(_row("ram", at, first))
        if kind:
            rows.append(_row(kind, first, end))
        at = max(at, end)
    rows.append(_row("ram", at, TOP))
    body = "\n".join(['<?xml version="1.0"?>', DOCTYPE, "<memory-map>", *rows])
    return f"{body}\n</memory-map>\n".encode()


def _row(kind: str, first: int, end: int) -> str:
    return f'<memory type="{kind}" start="{first:#x}" length="{end - first:#x}"/>'
