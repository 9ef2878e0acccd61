"""The commands, grouped by what they are for; `REGISTRY` holds all of them."""

from __future__ import annotations

from lapis_sessions.commands import (
    acts,
    execution,
    fabric,
    inspection,
    ipi,
    reference,
    stops,
    why,
)
from lapis_sessions.registry import Registry

REGISTRY = Registry(
    [
        *execution.COMMANDS,
        *inspection.COMMANDS,
        *acts.COMMANDS,
        *ipi.COMMANDS,
        *fabric.COMMANDS,
        *why.COMMANDS,
        *stops.COMMANDS,
        *reference.COMMANDS,
    ]
)
"""In the order in which help lists them."""
