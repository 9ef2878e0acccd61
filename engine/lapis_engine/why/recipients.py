"""Whom an interrupt message reaches as the APICs are now, and what they make of it.

The message of an IOAPIC pin, of a function on PCI, or of an HPET: SDM Vol. 3A "Message
Signalled Interrupts". It is the engine's own rules that answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.apic import priority
from lapis_engine.apic.regs import SVR_ENABLED
from lapis_engine.devices.msi import LEVEL_MODES
from lapis_engine.vmm import fabric
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.devices.device import InterruptMessage
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vm import Vm


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a message goes now."""

    vcpus: tuple[int, ...]
    """Whom it reaches, ascending."""
    reasons: tuple[Reason, ...]
    """What stands in its way, the nearest to its sender first."""


def reach(machine: Machine, message: InterruptMessage) -> Reach:
    """Return whom `message` would reach, and what would keep it from being taken."""
    vm = machine.vm
    refused = fabric.refusal(message, vm.profile)
    found = fabric.recipients(vm, message)
    if refused is not None:
        return Reach(found, (blocks(refused.code, refused.text),))
    return Reach(found, tuple(_reasons(vm, message, found)))


def named(message: InterruptMessage) -> str:
    """Return what a message is to bring, in words: a vector, NMI, ExtINT."""
    if message.mode in LEVEL_MODES:
        return f"vector {message.vector:#04x}"
    return {"extint": "ExtINT"}.get(message.mode, message.mode.upper())


def destination(message: InterruptMessage) -> str:
    """Return whom a message names, in words."""
    kind = "logical id" if message.logical else "APIC id"
    return f"{kind} {message.destination:#x}"


def _reasons(
    vm: Vm, message: InterruptMessage, found: tuple[int, ...]
) -> Iterator[Reason]:
    if not found:
        text = f"no APIC answers {destination(message)}"
        yield blocks("destination", text, destination=message.destination)
    if message.mode not in LEVEL_MODES:
        return
    if message.vector < priority.LOWEST_LEGAL:
        text = f"an APIC takes no vector below 16, and {message.vector:#04x} is one"
        yield blocks("illegal-vector", text, vector=message.vector)
    deaf = [n for n in found if not vm.vcpus[n].apic.svr & SVR_ENABLED]
    if deaf:
        names = ", ".join(f"vCPU {number}" for number in deaf)
        verb = "refuses" if len(deaf) == 1 else "refuse"
        text = f"{names} {verb} it: bit 8 of the SVR is 0"
        yield blocks("svr", text, refusing=len(deaf))
