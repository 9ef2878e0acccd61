"""The commands, grouped by what they are for; `REGISTRY` holds all of them."""

from __future__ import annotations

from lapis_sessions.commands import (
    acts,
    apic_files,
    breakpoints,
    catches,
    fabric,
    inspection,
    interference,
    ipi,
    lints,
    recording,
    reference,
    requests,
    run_to,
    running,
    timeline,
    traps,
    why,
)
from lapis_sessions.registry import Registry

REGISTRY = Registry(
    [
        *running.COMMANDS,
        *run_to.COMMANDS,
        *inspection.COMMANDS,
        *requests.COMMANDS,
        *traps.COMMANDS,
        *ipi.COMMANDS,
        *interference.COMMANDS,
        *acts.COMMANDS,
        *fabric.COMMANDS,
        *why.COMMANDS,
        *apic_files.COMMANDS,
        *breakpoints.COMMANDS,
        *timeline.COMMANDS,
        *recording.COMMANDS,
        *catches.COMMANDS,
        *lints.COMMANDS,
        *reference.COMMANDS,
    ]
)
"""In the order in which help lists them."""
