"""Under which terms a breakpoint or a watchpoint stops: whom, when, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True, kw_only=True)
class Terms:
    """The terms of one."""

    vcpu: int | None = None
    """Only this one stops."""
    when: Callable[[int], bool] | None = None
    """Asked with the vCPU that is about to stop whether it is to."""
    once: bool = False
    """Gone after the first stop."""
    skip: int = 0
    """Hits that it lets by yet."""
    enabled: bool = True
    hits: int = 0
    """How often it was met."""
    unmet: int = 0
    """How often its condition did not hold."""
    others: int = 0
    """How often a vCPU came that it does not stop."""

    def meets(self, vcpu: int) -> bool:
        """Tell whether this hit by `vcpu`, which is counted, is to stop it."""
        if self.when is not None and not self.when(vcpu):
            self.unmet += 1
            return False
        self.hits += 1
        if self.skip:
            self.skip -= 1
            return False
        return True
