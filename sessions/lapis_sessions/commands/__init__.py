"""The commands, grouped by what they are for; `REGISTRY` holds all of them."""

from __future__ import annotations

from lapis_sessions.commands import (
    acts,
    catches,
    execution,
    fabric,
    inspection,
    interference,
    ipi,
    lints,
    recording,
    reference,
    stops,
    timeline,
    why,
)
from lapis_sessions.registry import Registry

REGISTRY = Registry(
    [
        *execution.COMMANDS,
        *inspection.COMMANDS,
        *acts.COMMANDS,
        *ipi.COMMANDS,
        *interference.COMMANDS,
        *fabric.COMMANDS,
        *why.COMMANDS,
        *stops.COMMANDS,
        *timeline.COMMANDS,
        *recording.COMMANDS,
        *catches.COMMANDS,
        *lints.COMMANDS,
        *reference.COMMANDS,
    ]
)
"""In the order in which help lists them."""
