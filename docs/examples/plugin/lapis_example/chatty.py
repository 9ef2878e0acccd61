"""A lint: a vCPU that sends many IPIs.

A rule is told an event of its kind. What it remembers is in a dict of plain data, which
goes back in time with the machine; it keeps nothing anywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_engine.events import IpiSent
from lapis_engine.lints.lint import Lint
from lapis_engine.lints.state import Finding

if TYPE_CHECKING:
    from lapis_engine.vmm.vm import Vm

MANY = 2


def sent(_vm: Vm, memory: dict[str, Any], event: IpiSent) -> Finding | None:
    """Count the IPIs of each vCPU."""
    who = str(event.vcpu)
    memory[who] = memory.get(who, 0) + 1
    if memory[who] != MANY:
        return None
    text = f"vCPU {who} has sent {MANY} IPIs, the last one: {event.text}"
    return Finding("chatty", event.vcpu, "", text)


LINT = Lint("chatty", f"vCPU that sends {MANY} IPIs", {IpiSent: sent})
