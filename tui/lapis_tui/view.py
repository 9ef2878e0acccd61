"""What the screen is about at one moment: the snapshot, the one before, the user's eye.

Panes render a `View`; it is as immutable as the snapshots in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_sessions.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class View:
    """A snapshot as one user looks at it."""

    now: Snapshot
    before: Snapshot
    """At the stop before: what differs from it is marked."""
    selected: int = 0
    """vCPU that the keys act on."""
    running: bool = False
    cursors: dict[int, int] = field(default_factory=dict)
    """Linear address of the cursor in the disassembly of a vCPU, while it has one."""
