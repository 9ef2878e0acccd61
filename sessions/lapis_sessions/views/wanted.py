"""What a front end wants to see of the machine, beside what every picture holds.

A picture is made many times a second, so what only one pane shows is in it only while
that pane is in view: each asks for its part (`Wanted` with a field changed), and finds
it in the next picture (`lapis_sessions.views.snapshot`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_sessions.views.memory_picture import MemoryPlace


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the next pictures are to hold."""

    code: int = 24
    """Instructions of each vCPU, from RIP on."""
    events: int = 200
    """The last events, so many."""
    devices: bool = False
    """The devices that interrupt."""
    lints: bool = False
    """What the lints have found."""
    requests: bool = False
    """What is known of each request, and what became of those before."""
    acts: int = 0
    """Acts of the branch before the one that is looked at, and after it."""
    act: int | None = None
    """The number of that one, from 1; None is the last that is over."""
    memory: MemoryPlace | None = None
    """The memory at a place."""
    why: int | None = None
    """The vCPU of which it is told why it stands, or gets nowhere."""
