"""The pane of priorities: what each vCPU would deliver next, and what is above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_plugins.spec import hookimpl
from lapis_sessions.extensions import Pane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.extensions import Cell, Row, Size
    from lapis_sessions.views.apic import ApicView
    from lapis_sessions.views.snapshot import Snapshot

HEADS = ("vCPU", "TPR", "PPR", "in service", "requested", "next")


def priority(snapshot: Snapshot, _size: Size) -> Sequence[Row]:
    """Return one row per vCPU, vectors highest first.

    The next vector is the highest requested one, where its class is above that of PPR
    (SDM Vol. 3A "Task and Processor Priorities"); else the cell says it is held.
    """
    return [
        [
            (str(vcpu.id), "strong" if vcpu.id == snapshot.selected else ""),
            (f"{vcpu.apic.tpr:#04x}", ""),
            (f"{vcpu.apic.ppr:#04x}", ""),
            (_vectors(vcpu.apic.isr), ""),
            (_vectors(vcpu.apic.irr), ""),
            _next(vcpu.apic),
        ]
        for vcpu in snapshot.vcpus
    ]


def _vectors(ascending: Sequence[int]) -> str:
    return " ".join(f"{vector:02x}" for vector in reversed(ascending)) or "-"


def _next(apic: ApicView) -> Cell:
    if not apic.irr:
        return "-", "dim"
    vector = apic.irr[-1]
    if vector >> 4 > apic.ppr >> 4:
        return f"{vector:02x}", "good"
    return f"{vector:02x} held by PPR", "warn"


@hookimpl
def lapis_panes() -> Sequence[Pane]:
    """Return the panes that come with Lapis."""
    return [Pane("priority", "Priority", HEADS, priority)]
