"""The APIC pane: IRR, ISR, TMR, and the arithmetic of PPR, one column per vCPU.

With more rows than that takes it shows the whole of each APIC
(`lapis_tui.blocks.apic_sheet`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from lapis_engine.apic.regs import LVT_MASKED, LVT_MODE, LVT_VECTOR
from lapis_engine.explain import LVT_MODES
from lapis_tui.blocks import apic_sheet, ladder, lines
from lapis_tui.blocks.apic_sheet import IF, SVR_ENABLE
from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.vcpu_columns import BESIDE, COLUMN
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint
from lapis_tui.panes.vcpus import shown, strip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from lapis_sessions.views.apic import ApicView
    from lapis_sessions.views.snapshot import VcpuSnapshot
    from lapis_tui.view import View


def render(view: View, size: tuple[int, int]) -> list[Line]:
    """Return the APICs of the vCPUs that have a column."""
    width, height = size
    ids, widths = shown(view, width)
    pairs = [(view.now.vcpus[n], view.before.vcpus[n]) for n in ids]
    if not apic_sheet.fits(height):
        blocks = [column(*pair, w) for pair, w in zip(pairs, widths, strict=True)]
        return lines.columns(blocks, widths)
    is_strip = len(ids) < len(view.now.vcpus) and apic_sheet.fits(height - 1)
    head = [strip(view, width)] if is_strip else []
    blocks = [
        sheet(*pair, (w, height - len(head)), selected=pair[0].id == view.selected)
        for pair, w in zip(pairs, widths, strict=True)
    ]
    return head + lines.columns(blocks, widths)


def sheet(
    vcpu: VcpuSnapshot, before: VcpuSnapshot, size: tuple[int, int], *, selected: bool
) -> list[Line]:
    """Return all of one APIC."""
    if vcpu.apic.mode == "disabled":
        return column(vcpu, before, size[0])
    return apic_sheet.render(vcpu, before, size, selected=selected)


def column(vcpu: VcpuSnapshot, before: VcpuSnapshot, width: int) -> list[Line]:
    """Return one APIC; in a wide column what is in words stands beside the classes."""
    apic = vcpu.apic
    if apic.mode == "disabled":
        return [Line(" APIC disabled by APICBASE", "dim")]
    classes = [Line(" ").extend(line) for line in _classes(apic, before.apic)]
    words = [Line(" ").extend(line) for line in _words(vcpu)]
    if width >= BESIDE:
        return lines.columns([classes, words], [COLUMN, width - COLUMN - 1])
    return classes + words


def _classes(apic: ApicView, before: ApicView) -> list[Line]:
    head = ladder.ruler().add(f"  {apic.mode} id {apic.id:02x} ", "label")
    on = bool(apic.svr & SVR_ENABLE)
    head.add("on" if on else "soft-off", "good" if on else "warn")
    ppr = ladder.priority_row(apic.ppr)
    changed = apic.ppr != before.ppr
    ppr.add(" *" if changed else "  ", "changed")
    ppr.add(f"{apic.ppr:02x}", "changed" if changed else "strong")
    ppr.add(f" = {ladder.winner(apic.tpr, apic.isr)}")
    return [
        head,
        ladder.vectors_row("IRR", apic.irr, before.irr),
        ladder.vectors_row("ISR", apic.isr, before.isr),
        ppr,
        ladder.vectors_row("TMR", apic.tmr, before.tmr),
    ]


def _words(vcpu: VcpuSnapshot) -> list[Line]:
    apic = vcpu.apic
    enabled = bool(apic.svr & SVR_ENABLE)
    interrupts = bool(vcpu.regs["rflags"] & IF)
    icr = Line("ICR   ", "label").add(f"{apic.icr.raw:08x}", "strong")
    icr.add(f" {ladder.unusual(apic.icr.text)}" if apic.icr.raw else " never written")
    state = Line("SVR   ", "label").add(f"{apic.svr:03x}").add("  TPR ", "label")
    state.add(f"{apic.tpr:02x}").add("  ESR ", "label").add(f"{apic.esr:02x}")
    local = Line("timer ", "label").add(apic.timer_text).add("  LVT ", "label")
    return [
        ladder.verdict(apic.ppr, apic.irr, interrupts=interrupts, enabled=enabled),
        icr,
        state,
        local.extend(_lvt(apic)),
    ]


def _lvt(apic: ApicView) -> Line:
    """Return the entries that are not masked, in a few words each."""
    line = Line()
    for name, entry in apic.lvt.items():
        raw = entry.raw
        if not raw & LVT_MASKED:
            mode = LVT_MODES[LVT_MODE.get(raw)]
            what = f"{raw & LVT_VECTOR:02x}" if mode == "fixed" else mode
            line.add(f"{name} ").add(f"{what}  ", "strong")
    return line if line.width else Line("all masked", "dim")


class ApicsPane(LinePane):
    """The APICs, in the columns of the vCPU pane."""

    TITLE = "local APICs"
    ABOUT = (
        "IRR, ISR and TMR by priority class, what makes the PPR, and what becomes of "
        "the highest vector that waits. `*` has come since the stop before, `-` gone. "
        "z gives it the room for all of an APIC: each vector in a map of 16 by 16, `r` "
        "requested, `s` in service, `b` both, capitals level-triggered, `#` classes "
        "that the PPR holds back; and every register in words. n and p go to the next "
        "vCPU and back, arrows from event to event."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "why", "why the highest vector waits", show=False),
    ]

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(self.TITLE, id="apics")
        self._view: View | None = None

    @property
    def hints(self) -> Sequence[KeyHint]:
        """What this pane's keys do."""
        return (KeyHint("w", "w", "why"),)

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.draw(partial(render, view))

    def action_why(self) -> None:
        """Tell on a sheet what keeps the highest vector that waits."""
        if self._view is None:
            return
        vcpu = self._view.vcpu
        if vcpu.apic.irr:
            self.post_message(self.Sheet(f"irq why {vcpu.apic.irr[-1]:#x} {vcpu.id}"))
        else:
            self.post_message(self.Hint(f"nothing waits in the IRR of vCPU {vcpu.id}"))
