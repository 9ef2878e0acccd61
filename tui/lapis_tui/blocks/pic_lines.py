"""The two 8259s as rows: an ISA line each, and where INTR goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.views.ioapic import held, named
from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.listing import bars, put, told, vcpus
from lapis_tui.blocks.pins import USUAL as USUAL_PINS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lapis_sessions.views.pic import PicLineView, PicView

USUAL: Final[Mapping[int, str]] = {**USUAL_PINS, 0: "8254", 2: "slave"}
"""What a PC has at an ISA line (IBM PC/AT Technical Reference)."""
SHORT: Final[Mapping[str, tuple[str, str]]] = {
    "not-ready": ("not set up", "warn"), "pic-mask": ("masked", "dim"),
    "cascade-mask": ("slave masked", "warn"), "line": ("idle", "held"),
    "pic-priority": ("others first", "warn"), "in-service": ("in service", "good"),
}  # fmt: skip


MOST_TOLD: Final = 2
"""vCPUs of which is told why INTR does not reach them."""


def heading(chips: Sequence[PicView], cpus: int) -> list[Line]:
    """Return a line for each chip, what INTR does, and the names of the columns."""
    names = Line("  irq  vec", "label").pad(12).add("trigger", "label").pad(21)
    names.add("line", "label").pad(28).add("IRR ISR IMR", "label").pad(42)
    names.add("held by", "label").pad(54).add("now", "label")
    return [*(_chip(each) for each in chips), _intr(chips[0], cpus), names]


def _chip(chip: PicView) -> Line:
    line = Line(f" {chip.chip:<6} ", "label").add(f"base {chip.base:02x}", "strong")
    line.add(f"  IRR {chip.irr:02x} ISR {chip.isr:02x} IMR {chip.imr:02x}")
    line.add(f" ELCR {chip.elcr:02x}")
    if not chip.ready:
        words = ", ".join(f"ICW{n}" for n in chip.awaits) or "ICW1"
        return line.add(f"  awaits {words}", "warn")
    modes = (
        ("auto EOI", chip.auto_eoi), ("rotates", chip.rotating),
        ("special mask", chip.special_mask), ("fully nested", chip.nested),
        (f"lowest {chip.lowest}", chip.lowest != 7),
    )  # fmt: skip
    for name, is_on in modes:
        line.add(f"  {name}" if is_on else "", "held")
    return line.add(
        "  INT up" if chip.asks else "  INT low", "good" if chip.asks else "dim"
    )


def _intr(master: PicView, cpus: int) -> Line:
    """Return whom INTR reaches, and the vector that INTA would give."""
    line = Line(" INTR ", "label").add("up" if master.asks else "low", "strong")
    if master.gives is not None:
        kind = "spurious " if master.spurious else ""
        line.add(f", INTA gives {kind}{master.gives:02x}", "good")
    line.add(", by LINT0 to ")
    return line.add(vcpus(master.reaches, cpus), "" if master.reaches else "warn")


def row(it: PicLineView, before: PicLineView | None) -> Line:
    """Return a line; what differs from `before` is marked."""
    old = before or it
    line = Line(f"{it.irq:>4}")
    put(line, f" {it.vector:02x}", changed=it.vector != old.vector).pad(11)
    trigger = "level" if it.level else "edge"
    put(line, trigger, changed=it.level != old.level).pad(20)
    role = "good" if it.high else "dim"
    put(line, "high" if it.high else "low", role, changed=it.high != old.high).pad(27)
    for letter, now, was in (
        ("r", it.requested, old.requested), ("s", it.in_service, old.in_service),
        ("m", it.masked, old.masked),
    ):  # fmt: skip
        put(
            line,
            f"{letter if now else '-'}  ",
            "strong" if now else "dim",
            changed=now != was,
        )
    line.pad(41)
    usual = USUAL.get(it.irq)
    if it.asserted:
        held_by = Line(", ".join(named(it.asserted, it.holders)), "symbol")
        line.extend(held_by.fit(11))
    elif usual is not None:
        line.add(f"({usual})", "dim")
    line.pad(52)
    return put(line, *_now(it), changed=_code(it) != _code(old))


def _code(it: PicLineView) -> str | None:
    """Return the code of what is said of a line."""
    if it.in_service:
        return "in-service"
    return it.reasons[0].rule if it.reasons else None


def _now(it: PicLineView) -> tuple[str, str]:
    """Return in a few words what a line does, and their role."""
    code = _code(it)
    return ("asks", "good") if code is None else SHORT.get(code, (code, "warn"))


def detail(it: PicLineView, master: PicView, width: int) -> list[Line]:
    """Return all that is known of a line."""
    head = Line(f" ISA line {it.irq} ", "title").add(
        f"vector {it.vector:02x}", "strong"
    )
    head.add(f", {held(it.asserted, it.holders)}", "symbol")
    out = [head, *bars(it.reasons, width)]
    for reason in master.reasons[:MOST_TOLD]:
        out += told(f"- {reason.text}", width, "held")
    more = len(master.reasons) - MOST_TOLD
    return out if more <= 0 else [*out, Line(f" - and {more} vCPUs more", "held")]
