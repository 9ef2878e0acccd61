"""The text of QEMU's monitor command `info pic`: the IOAPIC and the 8259 pair."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_engine.boot.machine_state import PINS, Chip8259, PinTable
from lapis_sessions.monitor.channel import MonitorError

if TYPE_CHECKING:
    from collections.abc import Sequence

IOAPIC: Final = re.compile(
    r"^ioapic0?: ver=0x[0-9a-f]{1,8} id=0x([0-9a-f]{1,8}) sel=0x([0-9a-f]{1,2})\b"
    r"(?: \(redir\[\d+\]\))?[^\n]*$",
    re.MULTILINE,
)
PIN: Final = re.compile(r"^ +pin +(\d{1,2}) +0x([0-9a-f]{16})\b", re.MULTILINE)
LIST: Final = r"^ +{} +((?:\(none\)|\d{{1,2}})(?: +\d{{1,2}})*) *$"
CHIP: Final = re.compile(
    r"^pic([01]): irr=([0-9a-f]{2}) imr=([0-9a-f]{2}) isr=([0-9a-f]{2}) "
    r"hprio=([0-7]) irq_base=([0-9a-f]{2}) rr_sel=([01]) elcr=([0-9a-f]{2}) "
    r"fnm=([01])\b",
    re.MULTILINE,
)
LEVEL: Final = 1 << 15
REMOTE_IRR: Final = 1 << 14


def ioapic(text: str) -> tuple[PinTable | None, tuple[str, ...]]:
    """Return the first IOAPIC, None where there is none, and what it lacks.

    Raises `MonitorError` for one that is not whole.
    """
    heads = list(IOAPIC.finditer(text))
    if not heads and not PIN.search(text) and "ioapic" not in text:
        return None, ("the IOAPIC, which `info pic` does not show",)
    if len(heads) != 1:
        raise MonitorError(f"info pic has {len(heads)} IOAPICs, and one is had here")
    head = heads[0]
    rows = PIN.findall(text, head.end())
    if [int(pin) for pin, _ in rows] != list(range(len(rows))):
        raise MonitorError("info pic has not the pins of the IOAPIC in their order")
    if not PINS[0] <= len(rows) <= PINS[1]:
        raise MonitorError(f"info pic has {len(rows)} pins of the IOAPIC")
    entries = [int(entry, 16) for _, entry in rows]
    requests, remote = (_pins(text, what, len(rows)) for what in ("IRR", "Remote IRR"))
    said = []
    asserted = sum(1 << pin for pin in requests if entries[pin] & LEVEL)
    edges = [pin for pin in requests if not entries[pin] & LEVEL]
    if edges:
        said.append(f"edges that wait in the IOAPIC, of pins {_listed(edges)}")
    for pin in remote:
        entries[pin] |= REMOTE_IRR
    found = PinTable(int(head[1], 16) << 24, int(head[2], 16), tuple(entries), asserted)
    return found, tuple(said)


def _pins(text: str, what: str, count: int) -> tuple[int, ...]:
    found = re.search(LIST.format(what), text, re.MULTILINE)
    if found is None:
        raise MonitorError(f"info pic has no line {what} of the IOAPIC")
    words = found[1].split()
    pins = () if words == ["(none)"] else tuple(map(_pin, words))
    if any(pin >= count for pin in pins):
        raise MonitorError(f"info pic: {what} names pin {max(pins)} of {count}")
    return pins


def _pin(word: str) -> int:
    return int(word) if word.isdigit() else 0xFF


def _listed(pins: Sequence[int]) -> str:
    return ", ".join(map(str, pins))


def pics(text: str) -> tuple[Chip8259, Chip8259] | None:
    """Return master and slave, None where there are none; raise `MonitorError`."""
    rows = {int(row[0]): row[1:] for row in CHIP.findall(text)}
    if not rows and not re.search(r"^pic[01]:", text, re.MULTILINE):
        return None
    if set(rows) != {0, 1}:
        raise MonitorError("info pic has not both chips of the 8259 pair")
    return _chip(rows[0]), _chip(rows[1])


def _chip(row: Sequence[str]) -> Chip8259:
    irr, imr, isr, highest, base, read_isr, elcr, nested = (int(it, 16) for it in row)
    return Chip8259(irr, imr, isr, base, elcr, highest, read_isr, nested)
