"""What is peculiar to the symbols of Linux.

On x86-64 with more than one processor a variable of each processor is an offset from
the base of GS, and the table has it as if it were an address from 0 on. Source: the
kernel's arch/x86/kernel/vmlinux.lds.S, PERCPU_VADDR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_sessions.symbols.table import TOP, Symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PERCPU: Final = ("__per_cpu_start", "__per_cpu_end")


def apart(
    symbols: Sequence[Symbol], numbers: Collection[Symbol], offset: int
) -> tuple[list[Symbol], list[Symbol]]:
    """Return those that are places, moved by `offset`, and those that are not.

    `numbers` are known not to be. What is moved beyond 2^64 comes round to 0.
    """
    ends = {each.name: each.at for each in symbols if each.name in PERCPU}
    start, end = ends.get(PERCPU[0]), ends.get(PERCPU[1], 0)
    below = end if start == 0 else -1
    places, others = [], []
    for each in symbols:
        if each.at <= below or each in numbers:
            others.append(each)
        elif offset:
            places.append(Symbol(each.name, (each.at + offset) & TOP, each.size))
        else:
            places.append(each)
    return places, others
