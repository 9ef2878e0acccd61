"""A machine that was read from a monitor, opened as a session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lapis_sessions import opening
from lapis_sessions.guests import Image
from lapis_sessions.origin import Origin, SessionOptions
from lapis_sessions.platforms import PC, settled

if TYPE_CHECKING:
    from lapis_engine.boot.machine_state import ProcessorState
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.monitor.reading import Read
    from lapis_sessions.session import Session

NAME = "qemu"
"""What the guest is called: where its monitor was is nothing for a recording."""


@dataclass(frozen=True, slots=True)
class VcpuReadView:
    """A processor as it was."""

    vcpu: int
    state: str
    """running, halted or wait-for-sipi."""
    rip: int


@dataclass(frozen=True, slots=True)
class MachineReadView:
    """A machine that was read."""

    source: str
    processors: tuple[VcpuReadView, ...]
    memory: int
    """Bytes of RAM."""
    held: int
    """Bytes of it that are in pages which are not zero."""
    left_out: tuple[str, ...]
    """What could not be read: it is as after reset."""
    remarks: tuple[str, ...]


def opened(found: Read, options: SessionOptions, extensions: Extensions) -> Session:
    """Open a session of a machine that was read; raise `LapisError`.

    Of `options` counts what does not follow from the machine.
    """
    options = replace(
        options,
        guest=NAME,
        cpus=len(found.state.processors),
        memory=f"{found.memory >> 20}M",
        machine=PC,
    )
    origin = Origin(options, Image(NAME, found.image, is_flat=False))
    origin = replace(origin, options=settled(origin, extensions.loaders))
    return opening.build(origin, extensions)


def view(found: Read) -> MachineReadView:
    """Return what was read, without the image."""
    return MachineReadView(
        found.source,
        tuple(
            VcpuReadView(number, _state(each), each.rip)
            for number, each in enumerate(found.state.processors)
        ),
        found.memory,
        found.held,
        found.left_out,
        found.remarks,
    )


def _state(state: ProcessorState) -> str:
    if state.waits:
        return "wait-for-sipi"
    return "halted" if state.halted else "running"


def text(seen: MachineReadView) -> str:
    """Say what was read, and what was not."""
    ram = f"{seen.memory >> 20:,} MiB of RAM ({seen.held >> 10:,} KiB not zero)"
    out = [f"{seen.source}: {len(seen.processors)} vCPUs, {ram}"]
    out += [
        f"  vCPU {each.vcpu}  {each.state:<13} at {each.rip:#x}"
        for each in seen.processors
    ]
    out += [f"  note: {each}" for each in seen.remarks]
    out.append("not read, and as after reset:")
    out += [f"  {each}" for each in seen.left_out]
    return "\n".join(out)
