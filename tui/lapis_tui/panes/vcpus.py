"""The vCPU pane: a column a vCPU, registers above the disassembly or beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message

from lapis_tui import lines
from lapis_tui.layout import BESIDE, COLUMN, split, visible
from lapis_tui.lines import Line
from lapis_tui.panes import code, registers
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.registers import Registers

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType

    from lapis_sessions.snapshot import VcpuSnapshot
    from lapis_tui.view import View

STATES = {
    "running": ("●", "good"), "halted": ("z", "held"), "suspended": ("#", "bad"),
    "never-started": (".", "dim"), "wait-for-sipi": ("~", "warn"),
}  # fmt: skip
"""A glyph and a role for each state."""
MODES = {"real": "real 16", "protected": "protected", "compat": "compat", "long": "long"}
LEAST_CODE = 4
"""Rows of disassembly at least, even where the pane must scroll."""


def shown(view: View, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return which vCPUs have a column and how wide each is."""
    cpus = len(view.now.vcpus)
    count = max(1, min(cpus, (width + 1) // (COLUMN + 1)))
    return visible(cpus, count, view.selected), split(width, count)


def render(view: View, size: tuple[int, int]) -> list[Line]:
    """Return the pane: a row of all vCPUs if some have no column, then the columns."""
    width, height = size
    ids, widths = shown(view, width)
    out = [strip(view, width)] if len(ids) < len(view.now.vcpus) else []
    blocks = [
        column(view, number, cells, height - len(out))
        for number, cells in zip(ids, widths, strict=True)
    ]
    return out + lines.columns(blocks, widths)


def strip(view: View, width: int) -> Line:
    """Return the row of all vCPUs, as many around the selected one as fit."""
    cells = []
    for vcpu in view.now.vcpus:
        glyph, role = STATES.get(vcpu.state, ("?", "bad"))
        mine = vcpu.id == view.selected
        cell = Line("[" if mine else " ", "title")
        cell.add(f"{vcpu.id} ", "title" if mine else "").add(glyph, role)
        cell.add(f" {vcpu.state}" if len(view.now.vcpus) <= 4 else "", role)
        cells.append(cell.add("]" if mine else " ", "title"))
    first = 0
    while first < view.selected and sum(c.width for c in cells[first : view.selected + 2]) > width - 8:  # noqa: E501
        first += 1
    line = Line("‹" if first else " ", "dim")
    for cell in cells[first:]:
        line.extend(cell)
    return line.fit(width)


def column(view: View, number: int, width: int, height: int) -> list[Line]:
    """Return one vCPU's column."""
    vcpu = view.now.vcpus[number]
    block = registers.render(
        Registers(vcpu.regs, view.before.vcpus[number].regs), long=vcpu.mode == "long"
    )
    head = [header(view, vcpu, width)]
    if width >= BESIDE:
        return head + _beside(view, vcpu, block, width, height - 1)
    room = max(height - len(head) - len(block) - 1, LEAST_CODE)
    below = [place(view, vcpu, width), *_code(view, vcpu, width, room)]
    return head + block + below


def _beside(
    view: View, vcpu: VcpuSnapshot, block: list[Line], width: int, height: int
) -> list[Line]:
    room = width - COLUMN - 1
    right = [place(view, vcpu, room)]
    right += _code(view, vcpu, room, max(height, len(block)) - 1)
    return lines.columns([block, right], [COLUMN, room])


def header(view: View, vcpu: VcpuSnapshot, width: int) -> Line:
    """Return the first row of a column: who, in which state and mode, how far."""
    mine = vcpu.id == view.selected
    glyph, role = STATES.get(vcpu.state, ("?", "bad"))
    line = Line(">" if mine else " ", "title")
    line.add(f"vCPU {vcpu.id}", "title" if mine else "label")
    line.add("  ").add(f"{glyph} ", role).add(vcpu.state, role)
    line.add(f"  {MODES.get(vcpu.mode, vcpu.mode)}", "strong").add(f" cpl {vcpu.cpl}")
    retired = f"{lines.count(vcpu.retired)} retired "
    if width - line.width > len(retired) + 1:
        line.pad(width - len(retired)).add(retired, "dim")
    line = line.fit(width)
    line.role = "here" if mine else ""
    return line


def place(view: View, vcpu: VcpuSnapshot, width: int) -> Line:
    """Return the row above the disassembly: where RIP is, and why it stays there."""
    name = code.place(vcpu.linear_rip, view.now.symbols)
    text = f"─ {name} " if name else "─"
    if vcpu.why:
        text += f"─ {vcpu.why} "
    line = Line(text[:width], "dim")
    return line.add("─" * (width - line.width), "rule")


def _code(view: View, vcpu: VcpuSnapshot, width: int, room: int) -> list[Line]:
    around = code.Surroundings(
        vcpu.linear_rip,
        view.now.breakpoints,
        view.now.symbols,
        view.cursors.get(vcpu.id) if vcpu.id == view.selected else None,
    )
    return code.render(vcpu.code[:room], width, around)


class VcpusPane(LinePane):
    """The columns; moves the cursor, and tells which column was clicked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "cursor(-1)", "Up", show=False),
        Binding("j,down", "cursor(1)", "Down", show=False),
    ]

    class Clicked(Message):
        """The user points at a vCPU."""

        def __init__(self, vcpu: int) -> None:
            """Carry its number."""
            super().__init__()
            self.vcpu = vcpu

    class CursorMoved(Message):
        """The cursor is to go up or down in the disassembly."""

        def __init__(self, by: int) -> None:
            """Carry how far."""
            super().__init__()
            self.by = by

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(id="vcpus")
        self._view: View | None = None

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.show(render(view, self.size))

    def on_resize(self) -> None:
        """Set the columns anew."""
        if self._view is not None:
            self.update(self._view)

    def action_cursor(self, by: int) -> None:
        """Ask for the cursor to move."""
        self.post_message(self.CursorMoved(by))

    def on_click(self, event: events.Click) -> None:
        """Find the column that was clicked."""
        if self._view is None:
            return
        ids, widths = shown(self._view, self.size.width)
        left = 0
        for number, width in zip(ids, widths, strict=True):
            if left <= event.x < left + width:
                self.post_message(self.Clicked(number))
            left += width + 1
