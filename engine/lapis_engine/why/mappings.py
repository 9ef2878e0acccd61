"""What the page tables of a vCPU map: runs of linear addresses with their rights.

Not the TLB, which is the processor's own: what the tables say now. Nothing is touched,
and tables that lead to themselves end with what is looked at at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.page_formats import (
    ADDRESS,
    ALL_RIGHTS,
    LARGE,
    NX,
    PRESENT,
    USER,
    WRITABLE,
    Format,
    format_of,
    page_address,
)
from lapis_engine.cpu.registers import CR4_PAE, CR4_PSE, EFER_LMA, EFER_NXE
from lapis_engine.why.addresses import canonical
from lapis_engine.why.pages import Rights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.memory.physical import PhysicalMemory

MOST_TABLES: Final = 4096
"""That are read: 4 Mi entries at most."""
HALF: Final = 1 << 47
"""First address of the upper half, without its sign."""
MOST_RUNS: Final = 20_000


@dataclass(frozen=True, slots=True)
class MappedRun:
    """Pages that follow each other in linear and physical memory with equal rights."""

    first: int
    last: int
    """Linear, inclusive."""
    physical: int
    """Of the first byte."""
    rights: Rights
    """Of all levels together."""


@dataclass(frozen=True, slots=True)
class MappedAnswer:
    """All that is mapped, or as much of it as was looked at."""

    vcpu: int
    cr3: int
    runs: tuple[MappedRun, ...]
    tables: int
    """Paging structures that were read."""
    paging: bool
    """Whether CR0.PG is set; else every address is mapped to itself."""
    complete: bool
    text: str
    """One sentence."""


class _Spent(Exception):  # noqa: N818 - what was found is as good as before
    """As much as may be looked at was looked at."""


def mappings(machine: Machine, number: int) -> MappedAnswer:
    """Return what is mapped on a vCPU; raise `EngineError` without such a vCPU."""
    regs = machine.vcpu(number).regs
    if not regs.paging:
        text = "paging is off: linear addresses are physical ones"
        return MappedAnswer(
            number, regs.cr3, (), tables=0, paging=False, complete=True, text=text
        )
    form = format_of(
        bool(regs.cr4 & CR4_PAE), bool(regs.efer & EFER_LMA),
        bool(regs.cr4 & CR4_PSE), bool(regs.efer & EFER_NXE),
    )  # fmt: skip
    walk = _Tables(machine.vm.memory, form)
    is_complete = True
    try:
        walk.table(0, regs.cr3 & form.root, 0, ALL_RIGHTS)
    except _Spent:
        is_complete = False
    walk.end()
    count = len(walk.runs)
    text = (
        f"{count} run{'s' * (count != 1)} by {walk.tables} table"
        f"{'s' * (walk.tables != 1)} from CR3 {regs.cr3:#x} on"
    )
    if not is_complete:
        text += "; there is more: that is as much as is looked at"
    return MappedAnswer(
        number, regs.cr3, tuple(walk.runs), walk.tables, paging=True,
        complete=is_complete, text=text,
    )  # fmt: skip


class _Tables:
    """One look through all tables."""

    def __init__(self, memory: PhysicalMemory, form: Format) -> None:
        self._memory, self._form = memory, form
        self._is_long = len(form.levels) == 4
        self.runs: list[MappedRun] = []
        self.tables = 0
        self._open: tuple[int, int, int, int] | None = None
        """First and next linear address, gpa of the first, rights."""

    def table(self, depth: int, at: int, linear: int, rights: int) -> None:
        """Look through a table that maps from `linear` on, below `rights`."""
        if self.tables == MOST_TABLES:
            raise _Spent
        self.tables += 1
        level = self._form.levels[depth]
        is_last = depth == len(self._form.levels) - 1
        for index, entry in self._entries(depth, at):
            here = linear | index << level.shift
            leaf = is_last or (level.large and bool(entry & LARGE))
            large = leaf and not is_last
            if entry & (level.reserved_large if large else level.reserved):
                continue
            mine = rights & (entry ^ NX) if level.rights else rights
            if leaf:
                gpa = page_address(entry, level.shift, self._form.size, 0)
                self._page(here, 1 << level.shift, gpa, mine & ALL_RIGHTS)
            else:
                self.table(depth + 1, entry & ADDRESS, here, mine)

    def _entries(self, depth: int, at: int) -> Iterator[tuple[int, int]]:
        """Yield index and entry of what is present."""
        size = self._form.size
        count = self._form.index_mask + 1
        if depth == 0 and len(self._form.levels) == 3:
            count = 4
        data = self._memory.peek(at, count * size)
        if not any(data):
            return
        for index in range(len(data) // size):
            entry = int.from_bytes(data[index * size : index * size + size], "little")
            if entry & PRESENT:
                yield index, entry

    def _page(self, linear: int, size: int, gpa: int, rights: int) -> None:
        if self._open is not None:
            first, following, start, had = self._open
            is_next = linear == following and gpa == start + linear - first
            # The halves of the canonical addresses do not meet.
            is_next &= not (self._is_long and linear == HALF)
            if is_next and rights == had:
                self._open = first, linear + size, start, had
                return
        self.end()
        if len(self.runs) == MOST_RUNS:
            raise _Spent
        self._open = linear, linear + size, gpa, rights

    def end(self) -> None:
        """Count the run that is open as over."""
        if self._open is None:
            return
        first, following, gpa, rights = self._open
        self._open = None
        last = following - 1
        if self._is_long:
            first, last = canonical(first), canonical(last)
        allowed = Rights(
            bool(rights & WRITABLE), bool(rights & USER), bool(rights & NX)
        )
        self.runs.append(MappedRun(first, last, gpa, allowed))
