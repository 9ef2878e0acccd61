"""Registers of one vCPU as a block of lines, in the widths of its mode.

A register that differs from the stop before has a `*` in front of its value. The
block needs `layout.COLUMN` cells at most. Most values come again, so what is made of
one is kept: such a line is extended from, and never added to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import Line, number

if TYPE_CHECKING:
    from collections.abc import Mapping

LONG = (("rax", "r8"), ("rbx", "r9"), ("rcx", "r10"), ("rdx", "r11"),
        ("rsi", "r12"), ("rdi", "r13"), ("rbp", "r14"), ("rsp", "r15"),
        ("rip", "rflags"))  # fmt: skip
LEGACY = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp")
SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
Grid = tuple[tuple[str, ...], ...]
LONG_GRID: Grid = (*LONG, ("cr2", "cr0"), ("cr3", "cr4", "efer"), SEGMENTS)
LEGACY_GRID: Grid = (
    *((name, segment) for name, segment in zip(LEGACY, SEGMENTS, strict=False)),
    *((name,) for name in LEGACY[len(SEGMENTS) :]),
    ("rip", "rflags"), ("cr0", "cr2"), ("cr3", "cr4", "efer"),
)  # fmt: skip
"""What the cursor goes through, row by row as the block has it."""
FLAGS = (
    (11, "of"), (10, "df"), (9, "if"), (8, "tf"), (7, "sf"), (6, "zf"), (4, "af"),
    (2, "pf"), (0, "cf"), (14, "nt"), (16, "rf"), (17, "vm"), (18, "ac"),
)  # fmt: skip
"""SDM Vol. 1 "EFLAGS Register": bit and name."""
ALWAYS = 9
"""So many of them are shown also when they are clear."""


@dataclass(frozen=True, slots=True)
class Registers:
    """Register values by name, and those of the stop before."""

    now: Mapping[str, int]
    before: Mapping[str, int]
    chosen: str | None = None
    """The register under the cursor."""

    def cell(self, name: str, digits: int, label: str = "") -> Line:
        """Return `name value`, marked when it has changed."""
        line = Line()
        label = label or f"{name:<3}"
        value = self.now.get(name, 0)
        cell = _cell(label, value, digits, is_changed=self.changed(name))
        return line.extend(_marked(cell) if name == self.chosen else cell)

    def changed(self, name: str) -> bool:
        """Tell whether it differs from the stop before."""
        return self.before.get(name, self.now.get(name)) != self.now.get(name)


@lru_cache(4096)
def _cell(label: str, value: int, digits: int, *, is_changed: bool) -> Line:
    return Line(label, "label").extend(number(value, digits, mark=is_changed))


def _marked(cell: Line) -> Line:
    """Return a cell with the cursor on its value, which comes after its label."""
    (label, role), *_ = cell.spans
    return Line(label, role).add(cell.plain[len(label) :], "caret")


def grid(*, long: bool) -> Grid:
    """Return the registers that the cursor goes through, as they stand in the block."""
    return LONG_GRID if long else LEGACY_GRID


def moved(name: str, by: tuple[int, int], within: Grid) -> str:
    """Return the register so many rows down and columns to the right, at most.

    >>> moved("rax", (1, 1), LONG_GRID), moved("cr2", (9, -1), LONG_GRID)
    ('r9', 'es')
    """
    row = next((at for at, names in enumerate(within) if name in names), 0)
    column = within[row].index(name) if name in within[row] else 0
    row = min(max(row + by[0], 0), len(within) - 1)
    names = within[row]
    column = min(column, len(names) - 1) + by[1]
    return names[min(max(column, 0), len(names) - 1)]


def render(regs: Registers, *, long: bool) -> list[Line]:
    """Return the block for 64-bit registers or for the legacy ones."""
    lines = _long(regs) if long else _legacy(regs)
    return [Line(" ").extend(line) for line in lines]


def _long(regs: Registers) -> list[Line]:
    lines = []
    for left, right in LONG:
        label = "rfl" if right == "rflags" else ""
        line = regs.cell(left, 16).add("  ").extend(regs.cell(right, 16, label))
        lines.append(line)
    lines.append(_flags(regs))
    lines.append(_join(regs, ("cr2", 16), ("cr0", 8)))
    lines.append(_join(regs, ("cr3", 16), ("cr4", 8), ("efer", 4)))
    lines.append(_join(regs, ("fs.base", 16, "fsb"), ("gs.base", 16, "gsb")))
    return [*lines, _selectors(regs)]


def _selectors(regs: Registers) -> Line:
    line = Line()
    for name in SEGMENTS:
        line.add(" " if line.width else "").extend(regs.cell(name, 4, name))
    return line


def _legacy(regs: Registers) -> list[Line]:
    tables: list[tuple[str, bool]] = [(name, True) for name in SEGMENTS]
    tables += [("gdtr", False), ("idtr", False)]
    lines = []
    for name, (table, selector) in zip(LEGACY, tables, strict=True):
        line = regs.cell(name, 8, f"e{name[1:]}").add("  ")
        lines.append(line.extend(_table(regs, table, selector=selector)))
    lines.append(_join(regs, ("rip", 8, "eip"), ("rflags", 8, "efl")))
    lines.append(_flags(regs))
    lines.append(_join(regs, ("cr0", 8), ("cr2", 8)))
    lines.append(_join(regs, ("cr3", 8), ("cr4", 8), ("efer", 4)))
    lines += [_table(regs, name, selector=True) for name in ("tr", "ldtr")]
    return lines


def _table(regs: Registers, name: str, *, selector: bool) -> Line:
    label = f"{name[:3]:<3}"
    line = regs.cell(name, 4, label) if selector else Line(f"{label:<8}", "label")
    base, limit = f"{name}.base", f"{name}.limit"
    line.add(" ").extend(regs.cell(base, 8, "at"))
    mark = regs.changed(limit)
    return line.add(" ").extend(number(regs.now.get(limit, 0), 8, "held", mark=mark))


def _join(regs: Registers, *cells: tuple[str, int] | tuple[str, int, str]) -> Line:
    """Set cells of (name, digits) or (name, digits, label) side by side."""
    line = Line()
    for name, digits, *label in cells:
        cell = regs.cell(name, digits, label[0] if label else "")
        line.add("  " if line.width else "").extend(cell)
    return line


def _flags(regs: Registers) -> Line:
    """Name the flags: in capitals when set."""
    now = regs.now.get("rflags", 0)
    return Line().extend(_flags_of(now, regs.before.get("rflags", now)))


@lru_cache(1024)
def _flags_of(now: int, before: int) -> Line:
    line = Line("flags", "label")
    for index, (bit, name) in enumerate(FLAGS):
        is_set, changed = now >> bit & 1, (now ^ before) >> bit & 1
        if index < ALWAYS or is_set:
            role = "changed" if changed else "strong" if is_set else "dim"
            line.add("*" if changed else " ", "changed")
            line.add(name.upper() if is_set else name, role)
    return line.add("  iopl ", "label").add(str(now >> 12 & 3))
