"""From where an expression looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

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

    @property
    def past(self) -> Worth | None:
        """What expressions were worth; None where nobody knows."""
        ...


class Worth(Protocol):
    """Knows what expressions were worth: a `Past`."""

    def value(self, vcpu: int, text: str, point: str | None) -> Any:
        """Return it, for a vCPU; raise `LookupError`.

        That is at a named point, or where the machine stood before it moved last.
        """
        ...


class From:
    """The same machine, seen from another vCPU (a `Viewpoint`)."""

    __slots__ = ("extensions", "machine", "past", "selected", "symbols")

    def __init__(
        self, session: Viewpoint, vcpu: int, past: Worth | None = None
    ) -> None:
        """See what `session` sees, from vCPU `vcpu`, and `past` if there is one."""
        self.past = past
        self.machine = session.machine
        self.selected = vcpu
        self.symbols = session.symbols
        self.extensions = session.extensions
