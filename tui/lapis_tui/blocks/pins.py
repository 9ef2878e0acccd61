"""The IOAPIC as rows: a pin each, and all that is known of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.views import ioapic
from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.listing import bars, every, put, told, vcpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_sessions.views.ioapic import IoApicView, PinView

USUAL: Final[Mapping[int, str]] = {
    0: "8259 INTR", 1: "keyboard", 2: "8254", 3: "COM2", 4: "COM1", 6: "floppy",
    7: "LPT1", 8: "RTC", 9: "ACPI", 12: "mouse", 14: "IDE", 15: "IDE",
}  # fmt: skip
"""What a PC has at a pin (IBM PC/AT Technical Reference); the 8254 is at 2."""
SHORT: Final[Mapping[str, tuple[str, str]]] = {
    "ioapic-mask": ("masked", "dim"), "remote-irr": ("waits for EOI", "warn"),
    "line": ("idle", "held"), "up": ("up", "dim"), "edge": ("sent, still up", "held"),
    "destination": ("nobody there", "bad"), "svr": ("refused", "bad"),
    "illegal-vector": ("vector < 16", "bad"),
    "not-implemented": ("not done here", "bad"),
}  # fmt: skip
"""What stands in the way, in two words, and its role."""
WHOM: Final = 0xFF << 56 | 1 << 11
"""Bits of an entry that say whom it names."""
NAMED: Final = frozenset({"fixed", "lowest"})
"""Modes with a vector."""
WIDE: Final = 92
"""Columns from which whom it names and how often it rose have a place."""
WIDER: Final = 126
"""Columns from which the raw entry has one, too."""


def heading(view: IoApicView, width: int) -> list[Line]:
    """Return the names of the columns, under what IOAPIC it is."""
    head = Line(f" IOAPIC id {view.id:#x}, version {view.version:#x}, ", "label")
    up = sum(bool(pin.asserted) for pin in view.pins)
    waiting = sum(pin.remote_irr for pin in view.pins)
    head.add(f"{len(view.pins)} pins, {up} up, {waiting} wait for an EOI")
    names = Line("  pin  entry", "label").pad(17).add("trigger", "label").pad(29)
    names.add("line", "label").pad(35).add("held by", "label").pad(52)
    names.add("goes to", "label")
    if width >= WIDE:
        names.pad(64).add("by", "label").pad(81).add("rose", "label").pad(88)
    else:
        names.pad(64)
    names.add("now", "label")
    if width >= WIDER:
        names.pad(106).add("raw", "label")
    return [head, names]


def row(pin: PinView, before: PinView | None, rose: int, cpus: int, width: int) -> Line:
    """Return a pin; what differs from `before` is marked."""
    old = before or pin
    line = Line(f"{pin.pin:>4}")
    is_new = (pin.vector, pin.mode) != (old.vector, old.mode)
    put(line, _what(pin), "dim" if pin.masked else "strong", changed=is_new).pad(16)
    is_new = (pin.level, pin.active_low) != (old.level, old.active_low)
    put(line, _trigger(pin), changed=is_new).pad(28)
    is_up, text = bool(pin.asserted), f"up {pin.asserted}" if pin.asserted else "-"
    is_new = pin.asserted != old.asserted
    put(line, text, "good" if is_up else "dim", changed=is_new, room=6)
    line.pad(35).extend(_held(pin).fit(16)).pad(51)
    role = "dim" if pin.masked else "" if pin.reaches else "bad"
    is_new = pin.reaches != old.reaches
    put(line, vcpus(pin.reaches, cpus), role, changed=is_new, room=10).pad(63)
    if width >= WIDE:
        is_new = bool((pin.entry ^ old.entry) & WHOM)
        put(line, pin.destination, "dim", changed=is_new).pad(80)
        line.add(f"{rose:>5}" if rose else "    -", "" if rose else "dim").pad(87)
    put(line, *_now(pin), changed=_bars(pin) != _bars(old))
    return line.pad(106).add(f"{pin.entry:016x}", "address") if width >= WIDER else line


def _what(pin: PinView) -> str:
    name = {"lowest": "lowest", "extint": "ExtINT", "fixed": "fixed"}.get(
        pin.mode, pin.mode.upper()
    )
    return f"{pin.vector:02x} {name}" if pin.mode in NAMED else f"-- {name}"


def _trigger(pin: PinView) -> str:
    return f"{'level' if pin.level else 'edge'} {'low' if pin.active_low else 'high'}"


def _held(pin: PinView) -> Line:
    """Return who holds a pin, or in brackets what a PC has there."""
    if pin.asserted:
        return Line(", ".join(ioapic.named(pin.asserted, pin.holders)), "symbol")
    name = USUAL.get(pin.pin)
    return Line("" if name is None else f"({name})", "dim")


def _bars(pin: PinView) -> tuple[str, ...]:
    """Return the codes of what is said to stand in a pin's way."""
    if pin.masked:
        return ("ioapic-mask", *(["up"] * bool(pin.asserted)))
    return tuple(dict.fromkeys(reason.rule for reason in pin.reasons))


def _now(pin: PinView) -> tuple[str, str]:
    """Return in a few words what stands in a pin's way, and their role."""
    found = [SHORT.get(code, (code, "warn")) for code in _bars(pin)]
    if not found:
        return "lets out", "good"
    worst = next((role for _, role in found if role in {"bad", "warn"}), found[0][1])
    return ", ".join(text for text, _ in found), worst


def detail(pin: PinView, rose: int, width: int) -> list[Line]:
    """Return all that is known of a pin."""
    head = Line(f" pin {pin.pin} ", "title").add(f"{pin.entry:016x} ", "address")
    out = [head, *told(pin.text, width)]
    line = Line(" line ", "label").add(ioapic.held(pin.asserted, pin.holders), "symbol")
    line.add(f", {ioapic.rose(rose)} as far as events are known")
    line.add(", send pending" if pin.busy else "", "warn")
    to = Line(" goes to ", "label").add(f"{pin.destination}: ")
    to.add(every(pin.reaches), "strong" if pin.reaches else "bad")
    return [*out, line, to, *bars(pin.reasons, width)]
