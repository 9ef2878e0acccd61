"""What the processor underneath says when something stops it, as one record.

It says so in the same words whichever way it counts (`counted`, `blocks`); what it
means is worked out behind the run (`core`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.context import Context
    from lapis_engine.memory.physical import Region

Kind = Literal["interrupt", "hole", "port", "breakpoint"]
Access = Literal["read", "write", "fetch"]


@dataclass(slots=True)
class Report:
    """One stop. Where it came tells which of the three counts is what retired."""

    kind: Kind
    before: int
    """Instructions before the one at RIP, which has begun."""
    between: int
    """All that have begun: the stop came between two blocks of translated code."""
    after: int
    """Those that are done if RIP is behind the last one, or on one never begun."""
    number: int = 0
    """Of an interrupt, as Unicorn numbers them."""
    cr2: int = 0
    """Linear address, of a #PF."""
    gpa: int = 0
    """Of a hole; of a port its number."""
    size: int = 0
    access: Access = "read"
    value: int = 0
    """What OUT writes."""
    has_hooks: bool = True
    """Hooks came before the instruction at RIP (`flags`)."""
    is_early: bool = False
    """Its status flags are in `cc_src` whatever `cc_op` says (`flags`)."""


class Counting(Protocol):
    """A way to run the processor for exactly so many instructions."""

    report: Report | None
    """What stopped the last start, or None."""
    begun: int
    """Instructions that the last start began, if nothing stopped it."""

    @property
    def is_full(self) -> bool:
        """Time to drop all translations: the start ended before the next block."""

    def take_over(self) -> None:
        """Have the processor report to this way; translations are dropped behind it."""

    def let_go(self) -> None:
        """Have it report no more."""

    def map(self, region: Region) -> None:
        """Take note of memory that comes."""

    def begin_anew(self) -> None:
        """Take note that all translations are dropped."""

    def start(
        self, context: Context, budget: int, request: int, *, flush: bool
    ) -> str | None:
        """Load a context, run it, save it; return what Unicorn complains of, or None.

        `request` goes to `interrupt_request`; `flush` drops the TLB first.
        """

    @property
    def done(self) -> int:
        """Instructions of this start before the one at RIP: for a hook on it."""

    def stop(self) -> None:
        """End the run before the instruction at RIP: for a hook on it."""

    def on_restart(self, call: Callable[[], None] | None) -> None:
        """Have `call` called when an instruction is started anew (`restart`)."""
