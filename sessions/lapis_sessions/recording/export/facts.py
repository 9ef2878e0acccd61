"""What a recording comes to, in a few facts that a test can hold it to."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.replay.digest import Digester
from lapis_sessions.views import machine as views

if TYPE_CHECKING:
    from lapis_sessions.recording.play.player import Player


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of the end, and of all events on the way there."""

    digest: str
    retired: int
    now: int
    """ns of virtual time."""
    vcpus: list[tuple[str, str, int, int]]
    """State, mode, RIP and instructions retired of each."""
    events: dict[str, int]
    """How many there were, by kind."""
    stream: str
    """SHA-256 over number, time, vCPU and kind of each."""
    console: dict[str, str]
    """What the guest printed, by port."""


def gather(player: Player) -> Facts:
    """Do a branch again from its beginning; raise `DivergedError`."""
    stream, kinds = hashlib.sha256(), Counter[str]()
    for logged in player.events():
        event = logged.event
        kinds[event.kind] += 1
        line = f"{logged.seq} {logged.at} {event.vcpu} {event.kind}\n"
        stream.update(line.encode())
    machine = player.machine
    rows = (views.vcpu(machine, vcpu.id) for vcpu in machine.vcpus)
    return Facts(
        Digester(machine).digest(),
        player.at.retired,
        player.at.now,
        [(row.state, row.mode, row.rip, row.retired) for row in rows],
        dict(sorted(kinds.items())),
        stream.hexdigest(),
        {
            port: text.decode("utf-8", "replace")
            for port, text in sorted(machine.consoles.items())
        },
    )
