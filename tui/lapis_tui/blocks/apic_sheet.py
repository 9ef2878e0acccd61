"""All of a local APIC, for a pane that has the room: its map and every register.

Registers stand beside the map or below it; what room is left is for the fields of those
that have the most to say, and for the banks as the guest reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.apic.regs import BASE_BSP
from lapis_sessions.views import apic_words
from lapis_tui.blocks import apic_map, ladder, lines
from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.vcpu_columns import BESIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_sessions.views.apic import ApicView
    from lapis_sessions.views.apic_words import RegisterView
    from lapis_sessions.views.snapshot import VcpuSnapshot

LEAST: Final = apic_map.ROWS + 2
"""Rows from which the map fits, with who it is of and what becomes of the next one."""
NAME: Final = 8
"""Cells of a register's name, the blank before it included."""
IF: Final = 1 << 9
SVR_ENABLE: Final = 1 << 8
WORD: Final = 9
"""Cells of a word of 32 bits, the blank before it included."""
DETAILED: Final = (("icr", "ICR"), ("svr", "SVR"), ("apicbase", "APICBASE"))
"""Registers whose fields are told where there is room: for `explain`, and for us."""


def fits(height: int) -> bool:
    """Tell whether a pane of so many rows has room for a sheet."""
    return height >= LEAST


def render(
    vcpu: VcpuSnapshot, before: VcpuSnapshot, size: tuple[int, int], *, selected: bool
) -> list[Line]:
    """Return the sheet; it may be longer than `size` says, but not wider."""
    width, height = size
    apic = vcpu.apic
    left = [_head(vcpu, selected=selected), *apic_map.render(apic, before.apic)]
    beside = width >= BESIDE
    room = width - apic_map.WIDTH - 1 if beside else width
    right = _registers(vcpu, before, room)
    if beside:
        right += _more(apic, room, height - len(right))
        return lines.columns([left, right], [apic_map.WIDTH, room])
    whole = [*left, *right]
    whole += _more(apic, room, height - len(whole))
    return [line.fit(width) for line in whole]


def _head(vcpu: VcpuSnapshot, *, selected: bool) -> Line:
    apic = vcpu.apic
    who = "BSP" if apic.apicbase & BASE_BSP else "AP"
    line = Line(">" if selected else " ", "title").add(f"vCPU {vcpu.id} {who}", "title")
    line.add(f"  {apic.mode} id {apic.id:02x}  ")
    is_on = bool(apic.svr & SVR_ENABLE)
    line.add("on" if is_on else "soft-off", "good" if is_on else "warn")
    is_open = bool(vcpu.regs["rflags"] & IF)
    return line.add(f"  IF={int(is_open)}", "" if is_open else "warn")


def _registers(vcpu: VcpuSnapshot, before: VcpuSnapshot, width: int) -> list[Line]:
    apic, was = vcpu.apic, before.apic
    out = [
        _priority("TPR", apic.tpr, was.tpr, f"holds class {_classes(apic.tpr)}"),
        _priority("PPR", apic.ppr, was.ppr, f"= {ladder.winner(apic.tpr, apic.isr)}"),
        *_verdict(vcpu, width),
    ]
    out += _rows(apic_words.controls(apic), apic_words.controls(was), width)
    icr = f"{apic.icr.raw:08x}"
    text = ladder.unusual(apic.icr.text) if apic.icr.raw else "never written"
    out += _worded("ICR", icr, text, width, is_new=apic.icr.raw != was.icr.raw)
    out += _rows(apic_words.timer(apic), apic_words.timer(was), width)
    return [*out, *_rows(apic_words.entries(apic), apic_words.entries(was), width)]


def _classes(tpr: int) -> str:
    """Return the classes that a TPR holds back: "0", "0-5"."""
    return f"0-{tpr >> 4:x}" if tpr >> 4 else "0"


def _verdict(vcpu: VcpuSnapshot, width: int) -> list[Line]:
    """Say what becomes of the highest vector that waits."""
    apic = vcpu.apic
    line = ladder.verdict(
        apic.ppr, apic.irr,
        interrupts=bool(vcpu.regs["rflags"] & IF),
        enabled=bool(apic.svr & SVR_ENABLE),
    )  # fmt: skip
    if line.width < width:
        return [Line(" ").extend(line)]
    role = line.spans[-1][1]
    return [Line(f" {row}", role) for row in lines.wrap(line.plain, width - 1)]


def _priority(name: str, raw: int, was: int, text: str) -> Line:
    line = Line(f" {name}".ljust(NAME), "label")
    line.add("*" if raw != was else " ", "changed")
    return line.add(f"{raw:02x}", "strong").add(f" {text}")


def _rows(
    now: Iterable[RegisterView], was: Iterable[RegisterView], width: int
) -> Iterator[Line]:
    old = {each.name: each.raw for each in was}
    for each in now:
        raw = f"{each.raw:0{each.digits}x}"
        is_new = old.get(each.name) != each.raw
        yield from _worded(
            each.name, raw, each.text, width, is_new=is_new, is_off=each.is_off
        )


def _worded(
    name: str, raw: str, text: str, width: int, *, is_new: bool, is_off: bool = False
) -> Iterator[Line]:
    """Yield a register and its words, in as many rows as they need."""
    line = Line(f" {name}".ljust(NAME), "label").add("*" if is_new else " ", "changed")
    line.add(raw, "dim" if is_off else "strong").add(" ")
    pieces = lines.wrap(text, max(width - line.width, 1))
    if pieces and max(map(len, pieces)) > width - line.width:
        pieces = [""]  # a word that is longer than the rest of the row
        pieces += lines.wrapped(text, max(width - NAME - 1, 1))
    role = "dim" if is_off else ""
    for number, piece in enumerate(pieces or [""]):
        if number:
            line = Line(" " * (NAME + 1))
        yield line.add(piece, role)


def _more(apic: ApicView, width: int, room: int) -> list[Line]:
    """Return as much of what else there is to know as `room` has rows for."""
    out: list[Line] = []
    for group in (_banks(apic, width), *_details(apic)):
        rows = [Line(), *group]
        if len(out) + len(rows) > room:
            break
        out += [row.fit(width) for row in rows]
    return out


def _banks(apic: ApicView, width: int) -> list[Line]:
    """Return IRR, ISR and TMR as the words that the guest reads, the highest first."""
    each = 4 if width >= NAME + 4 * WORD else 2
    out = []
    for name, found in (("IRR", apic.irr), ("ISR", apic.isr), ("TMR", apic.tmr)):
        words = apic_words.words(found)
        for first in range(len(words) - each, -1, -each):
            line = Line(f" {name}{first + each - 1}:{first}".ljust(NAME), "label")
            for word in reversed(words[first : first + each]):
                line.add(f" {word:08x}", "strong" if word else "dim")
            out.append(line)
    return out


def _details(apic: ApicView) -> Iterator[list[Line]]:
    raws = {"icr": apic.icr.raw, "svr": apic.svr, "apicbase": apic.apicbase}
    for what, name in DETAILED:
        rows = [Line(f" {name}", "title").add(f" {raws[what]:x}", "strong")]
        for each in apic_words.fields(what, raws[what]):
            row = Line(f"  {each.bits:>6}", "dim").add(f" {each.name} ", "label")
            rows.append(row.add(f"{each.value:x} ", "strong").add(each.meaning))
        yield rows
