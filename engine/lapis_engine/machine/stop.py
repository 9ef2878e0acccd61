"""Why a machine stopped, or did not start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.errors import EngineError

if TYPE_CHECKING:
    from lapis_engine.vmm.exits import Exit


class NotRunnableError(EngineError):
    """A vCPU was to be stepped that cannot run."""

    title = "Not runnable"


@dataclass(frozen=True, slots=True)
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
