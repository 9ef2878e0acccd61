"""From where an expression looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.symbols.book import Symbols


class Viewpoint(Protocol):
    """A machine, and who looks at it: a `Session`."""

    machine: Machine
    selected: int
    """The vCPU whose registers have no number before them."""
    symbols: Symbols
    extensions: Extensions


class From:
    """The same machine, seen from another vCPU (a `Viewpoint`)."""

    __slots__ = ("extensions", "machine", "selected", "symbols")

    def __init__(self, session: Viewpoint, vcpu: int) -> None:
        """See what `session` sees, from vCPU `vcpu`."""
        self.machine = session.machine
        self.selected = vcpu
        self.symbols = session.symbols
        self.extensions = session.extensions
