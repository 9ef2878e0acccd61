"""The text of QEMU's monitor command `info pic`: the IOAPIC and the 8259 pair.

It comes from QEMU itself and is whole: what a paste may lack is refused here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from lapis_engine.devices.ioapic import regs
from lapis_sessions.apic_files import placing, qemu_devices
from lapis_sessions.apic_files.contents import Described
from lapis_sessions.apic_files.pasted import pasted
from lapis_sessions.monitor.channel import MonitorError

if TYPE_CHECKING:
    from lapis_sessions.apic_files.contents import Chip, Ioapic

FORMAT = "qemu"


class Chips(NamedTuple):
    """What was read."""

    saved: dict[str, Any]
    """As `saved.system` takes it."""
    left_out: tuple[str, ...]
    """What is not there, a few words each."""
    remarks: tuple[str, ...]


def read(text: str) -> Chips:
    """Understand the text; raise `MonitorError` for one that is not whole."""
    paste = pasted(text)
    try:
        ioapic, said = qemu_devices.ioapic(paste)
        pic, more = qemu_devices.pic(paste)
    except ValueError as error:
        raise MonitorError(f"info pic: {error}") from None
    lower = text.lower()
    _check_ioapic(ioapic, is_named="ioapic" in lower or "pin " in lower)
    _check_pic(pic, is_named="pic0:" in lower or "pic1:" in lower)
    if not paste.is_whole and text:
        raise MonitorError("info pic: the text ends in the middle of a line")
    missing = (("the IOAPIC", ioapic), ("the 8259 pair", pic))
    left = [f"{name}, which `info pic` does not show" for name, it in missing if not it]
    if ioapic is not None:
        ioapic, edges = _without_edges(ioapic)
        left += edges
    saved = placing.saved_devices(Described("", (FORMAT,), ioapic=ioapic, pic=pic))
    return Chips(saved, tuple(left), (*said, *more, *_held(ioapic)))


def _without_edges(found: Ioapic) -> tuple[Ioapic, list[str]]:
    """Return it with the pins whose IRR is the level of a line, and what is left out.

    Of an edge the IRR is that it came, and not that the line is still up.
    """
    high = found.asserted or frozenset()
    lines = frozenset(pin for pin in high if found.pins[pin] & regs.LEVEL)
    edges = ", ".join(map(str, sorted(high - lines)))
    left = [f"edges that wait in the IOAPIC, of pins {edges}"] if edges else []
    return replace(found, asserted=lines), left


def _check_ioapic(found: Ioapic | None, *, is_named: bool) -> None:
    if found is None:
        if is_named:
            raise MonitorError("info pic: the IOAPIC has no head")
    elif found.asserted is None or set(found.pins) != set(range(found.count)):
        raise MonitorError("info pic: the IOAPIC has not all its pins, or no line IRR")
    elif any(pin >= found.count for pin in found.asserted):
        raise MonitorError("info pic: line IRR has a pin that there is not")


def _check_pic(found: tuple[Chip, Chip] | None, *, is_named: bool) -> None:
    if found is None and is_named:
        raise MonitorError("info pic: the 8259 has not both its chips")


def _held(ioapic: Ioapic | None) -> list[str]:
    if ioapic is None or not ioapic.asserted:
        return []
    return ["IOAPIC pins that were asserted stay so: `pin N low` takes one back"]
