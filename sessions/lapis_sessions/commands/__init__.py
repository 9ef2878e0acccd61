"""The commands, grouped by what they are for; `REGISTRY` holds all of them."""

from __future__ import annotations

from lapis_sessions.commands import (
    acts,
    apic_files,
    catches,
    execution,
    fabric,
    inspection,
    interference,
    ipi,
    lints,
    raw_act,
    recording,
    reference,
    run_to,
    stops,
    timeline,
    traps,
    why,
)
from lapis_sessions.registry import Registry

REGISTRY = Registry(
    [
        *execution.COMMANDS,
        *run_to.COMMANDS,
        *inspection.COMMANDS,
        *acts.COMMANDS,
        *traps.COMMANDS,
        *ipi.COMMANDS,
        *interference.COMMANDS,
        *raw_act.COMMANDS,
        *fabric.COMMANDS,
        *why.COMMANDS,
        *apic_files.COMMANDS,
        *stops.COMMANDS,
        *timeline.COMMANDS,
        *recording.COMMANDS,
        *catches.COMMANDS,
        *lints.COMMANDS,
        *reference.COMMANDS,
    ]
)
"""In the order in which help lists them."""
