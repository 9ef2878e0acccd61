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
