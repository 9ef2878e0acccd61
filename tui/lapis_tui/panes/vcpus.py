"""The vCPU pane: one column per vCPU, registers above the disassembly or beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message

from lapis_engine.cpu.registers import SEG_DB
from lapis_tui.blocks import code, lines, registers
from lapis_tui.blocks.lines import Line
from lapis_tui.blocks.registers import Registers
from lapis_tui.blocks.vcpu_columns import BESIDE, COLUMN, columns, split
from lapis_tui.panes.base import LinePane
from lapis_tui.panes.keys import KeyHint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.binding import BindingType

    from lapis_sessions.views.snapshot import VcpuSnapshot
    from lapis_sessions.views.wanted import Wanted
    from lapis_tui.view import View

STATES = {
    "running": ("●", "good"), "halted": ("z", "held"), "suspended": ("#", "bad"),
    "never-started": (".", "dim"), "wait-for-sipi": ("~", "warn"),
}  # fmt: skip
"""A glyph and a role for each state."""
IN_REGISTERS = frozenset({"point", "edit", "unchoose"})
"""Actions of keys that are the screen's while no register has the cursor."""
LEAST_CODE = 4
"""Rows of disassembly at least, even where the pane must scroll."""


def shown(view: View, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return which vCPUs have a column and how wide each is."""
    count = min(view.columns, len(view.now.vcpus))
    return columns(count, view.selected, len(view.now.vcpus)), split(width, count)


def render(view: View, size: tuple[int, int], chosen: str | None = None) -> list[Line]:
    """Return the pane: a row of all vCPUs if some have no column, then the columns.

    `chosen` is the register of the selected vCPU that has the cursor.
    """
    width, height = size
    ids, widths = shown(view, width)
    out = [strip(view, width)] if len(ids) < len(view.now.vcpus) else []
    blocks = [
        column(view, number, cells, height - len(out), chosen)
        for number, cells in zip(ids, widths, strict=True)
    ]
    return out + lines.columns(blocks, widths)


def strip(view: View, width: int) -> Line:
    """Return the row of all vCPUs, as many around the selected one as fit."""
    cells = [_tab(view, vcpu) for vcpu in view.now.vcpus]
    first, seen = 0, 0
    for index, cell in enumerate(cells[: view.selected + 2]):
        seen += cell.width
        while seen > width - 2 and first < index:
            seen -= cells[first].width
            first += 1
    line = Line("<" if first else " ", "dim")
    for cell in cells[first:]:
        line.extend(cell)
    return line.fit(width)


def _tab(view: View, vcpu: VcpuSnapshot) -> Line:
    glyph, role, state = _state(view, vcpu)
    mine = vcpu.id == view.selected
    cell = Line("[" if mine else " ", "title")
    cell.add(f"{vcpu.id} ", "title" if mine else "").add(glyph, role)
    cell.add(f" {state}" if len(view.now.vcpus) <= 4 else "", role)
    return cell.add("]" if mine else " ", "title")


def _state(view: View, vcpu: VcpuSnapshot) -> tuple[str, str, str]:
    """Return glyph, role and name of a vCPU's state."""
    if any(request.vcpu == vcpu.id for request in view.now.pending):
        return "?", "changed", "pending"
    return *STATES[vcpu.state], vcpu.state


def column(
    view: View, number: int, width: int, height: int, chosen: str | None = None
) -> list[Line]:
    """Return one vCPU's column."""
    vcpu = view.now.vcpus[number]
    mine = chosen if number == view.selected else None
    regs = Registers(vcpu.regs, view.before.vcpus[number].regs, mine)
    block = registers.render(regs, long=vcpu.mode == "long")
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
    glyph, role, state = _state(view, vcpu)
    line = Line(">" if mine else " ", "title")
    line.add(f"vCPU {vcpu.id}", "title" if mine else "label")
    line.add(f"  {glyph} {state}", role)
    line.add(f"  {mode(vcpu)}", "strong").add(f"  cpl {vcpu.cpl}")
    retired = f"{lines.count(vcpu.retired)} retired "
    if width - line.width > len(retired) + 1:
        line.pad(width - len(retired)).add(retired, "dim")
    line = line.fit(width)
    line.role = "here" if mine else ""
    return line


def mode(vcpu: VcpuSnapshot) -> str:
    """Name the mode with the width of its code: "long 64"."""
    if vcpu.mode == "long":
        return "long 64"
    return f"{vcpu.mode} {32 if vcpu.regs['cs.flags'] & SEG_DB else 16}"


ASLEEP = {
    "asked": "waits for an answer to its pending request",
    "wait-for-sipi": "waits for SIPI (INIT was taken)",
    "never-started": "was never started and waits for INIT and SIPI",
    "halted": "halted and waits for an interrupt",
    "halted-if0": "halted with IF=0 and waits for NMI or INIT",
}
"""Why a vCPU does not run, by code, where the row is about it anyway."""


def place(view: View, vcpu: VcpuSnapshot, width: int) -> Line:
    """Return the row above the disassembly: where RIP is, and why it stays there."""
    symbols = view.now.symbols
    name = symbols.near(vcpu.linear_rip)
    source = code.file_name(symbols.line(vcpu.linear_rip))
    line = Line("─", "rule")
    if name:
        line.add(f" {name} ", "symbol").add("─", "rule")
    if source:
        line.add(f" {source} ", "dim").add("─", "rule")
    if vcpu.why is not None:
        why = ASLEEP.get(vcpu.why.code, vcpu.why.text)
        line.add(f" {why} ", "warn")
    return line.add("─" * (width - line.width), "rule").fit(width)


def _code(view: View, vcpu: VcpuSnapshot, width: int, room: int) -> list[Line]:
    at_cursor = vcpu.id == view.selected and view.line is not None
    around = code.Surroundings(
        vcpu.linear_rip,
        view.now.breakpoints,
        view.now.symbols,
        view.cursor if at_cursor else None,
    )
    if not vcpu.code:
        return [Line(f"  {vcpu.linear_rip:08x} no memory here", "dim")]
    first = max((view.line or 0) - room + 1, 0) if at_cursor else 0
    return code.render(vcpu.code[first : first + room], width, around)


class VcpusPane(LinePane):
    """The columns; moves the cursor, and tells which column was clicked."""

    TITLE = "vCPUs"
    ABOUT = (
        "Registers and code of the vCPUs, as many side by side as fit; `>` is the "
        "next instruction, `*` what has changed since the stop before. The row above "
        "the code says where RIP is, and why a vCPU does not run. e goes to a register "
        "of the selected vCPU, arrows to others, Enter takes its new value, Esc is out."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k,up", "cursor(-1)", "cursor up in the code", show=False),
        Binding("j,down", "cursor(1)", "cursor down in the code", show=False),
        Binding("e", "choose", "go to the registers, to write one", show=False),
        Binding("k,up", "point(-1, 0)", "the register above", show=False),
        Binding("j,down", "point(1, 0)", "the register below", show=False),
        Binding("left", "point(0, -1)", "the register to the left", show=False),
        Binding("right", "point(0, 1)", "the register to the right", show=False),
        Binding("enter", "edit", "write the register", show=False),
        Binding("escape", "unchoose", "leave the registers", show=False),
    ]

    class Clicked(Message):
        """The user points at a vCPU."""

        def __init__(self, vcpu: int) -> None:
            """Carry its number."""
            super().__init__()
            self.vcpu = vcpu

    class RegisterChosen(Message):
        """The cursor is on another register, or on none."""

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
        self._chosen: str | None = None
        """The register under the cursor, while there is one."""

    @property
    def hints(self) -> Sequence[KeyHint]:
        """What this pane's keys do."""
        if self._chosen is None:
            return (KeyHint("e", "e", "edit"),)
        return KeyHint("enter", "Enter", "write"), KeyHint("escape", "Esc", "leave")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Have one cursor at a time: in the code, or in the registers."""
        if self._chosen is None:
            return action not in IN_REGISTERS
        return action != "cursor"

    def want(self, so_far: Wanted) -> Wanted:
        """Ask for as many instructions as there may be room for."""
        return replace(so_far, code=self.size.height or so_far.code)

    def update(self, view: View) -> None:
        """Show `view`."""
        self._view = view
        self.draw(partial(render, view, chosen=self._chosen))

    def _choose(self, name: str | None) -> None:
        self._chosen = name
        self.post_message(self.RegisterChosen())

    def action_choose(self) -> None:
        """Put the cursor on the first register, or take its new value."""
        if self._chosen is None:
            self._choose("rax")
        else:
            self.action_edit()

    def action_unchoose(self) -> None:
        """Take the cursor away."""
        self._choose(None)

    def action_point(self, rows: int, columns: int) -> None:
        """Move the cursor among the registers."""
        if self._view is not None and self._chosen is not None:
            within = registers.grid(long=self._view.vcpu.mode == "long")
            self._choose(registers.moved(self._chosen, (rows, columns), within))

    def action_edit(self) -> None:
        """Begin the command that writes the register; its value is what is typed."""
        view, name = self._view, self._chosen
        if view is not None and name is not None:
            head, value = f"set {name} = ", f"{view.vcpu.regs[name]:#x}"
            self.post_message(self.Begun(head + value, len(head), len(value)))

    def action_cursor(self, by: int) -> None:
        """Ask for the cursor to move."""
        self.post_message(self.CursorMoved(by))

    def on_click(self, event: events.Click) -> None:
        """Find the column that was clicked."""
        if self._view is None:
            return
        ids, widths = shown(self._view, self.extent[0])
        left = 0
        for number, width in zip(ids, widths, strict=True):
            if left <= event.x + self.aside < left + width:
                self.post_message(self.Clicked(number))
            left += width + 1
