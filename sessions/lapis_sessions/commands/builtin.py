"""All commands that come with Lapis, in the order in which help lists them."""

from __future__ import annotations

from lapis_sessions.commands import (
    acts,
    apic_files,
    breakpoints,
    catches,
    console,
    fabric,
    inspection,
    interference,
    ipi,
    lints,
    panel,
    panes,
    recording,
    reference,
    requests,
    running,
    symbols,
    timeline,
    traps,
    why,
)

COMMANDS = (
    *running.COMMANDS,
    *inspection.COMMANDS,
    *console.COMMANDS,
    *symbols.COMMANDS,
    *requests.COMMANDS,
    *traps.COMMANDS,
    *ipi.COMMANDS,
    *interference.COMMANDS,
    *acts.COMMANDS,
    *fabric.COMMANDS,
    *panel.COMMANDS,
    *why.COMMANDS,
    *apic_files.COMMANDS,
    *breakpoints.COMMANDS,
    *timeline.COMMANDS,
    *recording.COMMANDS,
    *catches.COMMANDS,
    *lints.COMMANDS,
    *panes.COMMANDS,
    *reference.COMMANDS,
)
