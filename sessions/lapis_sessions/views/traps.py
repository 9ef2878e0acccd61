"""Traps: what the engine serves and the user does instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.vmm import address_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.traps import Trap


@dataclass(frozen=True, slots=True)
class TrapView:
    """A trap."""

    number: int
    space: str
    """mmio, port or msr."""
    first: int
    size: int
    serves: str
    """Who would serve its first address, or nothing."""


def of(machine: Machine, it: Trap) -> TrapView:
    """Return a trap, with who would serve its first address."""
    serves = address_map.trapped_server(machine.vm, it) or ""
    return TrapView(it.number, it.space, it.first, it.size, serves)


def text(row: TrapView) -> str:
    """Say what goes to the user, and who else would have it."""
    size = f"/{row.size:#x}" if row.size > 1 else ""
    instead = f" (not to the {row.serves})" if row.serves else ""
    where = f"{row.space} {row.first:#x}{size}"
    return f"trap {row.number}: {where} goes to the user{instead}"


def table_text(rows: Sequence[TrapView]) -> str:
    """Return the traps."""
    return "\n".join(map(text, rows)) or "there are no traps"
