"""Why a machine stopped, or did not start."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lapis_engine.errors import EngineError
from lapis_engine.frozen import record

if TYPE_CHECKING:
    from lapis_engine.vmm.exits import Exit


class NotRunnableError(EngineError):
    """A vCPU was to be stepped that cannot run."""

    title = "Not runnable"


class Turn(NamedTuple):
    """How far a turn has come."""

    number: int
    """The vCPU whose turn it is."""
    left: int
    """Instructions of it that are left."""


@record
class Stop:
    """Why the machine stopped."""

    reason: str
    """budget, exit, breakpoint, catch, halted, suspended, fault, or end-of-branch."""
    retired: int
    """Instructions of all vCPUs since the verb began."""
    vcpu: int
    """vCPU that the stop is about, or that would run next."""
    exit: Exit | None = None
    text: str = ""
    catch: int | None = None
    """Number of the catch that stopped it, where one did."""
    point: int | None = None
    """Number of the breakpoint or watchpoint that stopped it, where one did."""
    turn: Turn | None = None
    """How the turn stood before it moved on to a vCPU that stood at a breakpoint, and
    nothing else moved; None for every other stop."""
