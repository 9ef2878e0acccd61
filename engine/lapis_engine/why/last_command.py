"""What the ICRs tell of a start that did not come, where no history tells of it.

A machine that was read from elsewhere has none; but the last command of each processor
stands in its ICR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import icr_text
from lapis_engine.events import IpiSent
from lapis_engine.machine.log import KEPT
from lapis_engine.vmm import fabric
from lapis_engine.why.reason import Reason, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu


def missed(machine: Machine, it: Vcpu) -> Iterator[Reason]:
    """Yield the SIPIs that ICRs hold as last written, and that go past `it`."""
    vm = machine.vm
    history = [logged.event for logged in machine.log.last(KEPT)]
    known = {event.vcpu for event in history if isinstance(event, IpiSent)}
    for sender in vm.vcpus:
        x2apic = apic_state.mode(sender.apic) == "x2apic"
        icr = sender.apic.icr
        ipi = apic_icr.decode(icr, x2apic=x2apic, sender=sender.id)
        if ipi.mode != "sipi" or sender is it or sender.id in known:
            continue
        head = (
            f"the last command of vCPU {sender.id} was a SIPI ("
            f"{icr_text(icr, x2apic=x2apic)})"
        )
        why = icr_rules.refusal(ipi, vm.profile)
        reached = () if why is not None else fabric.destinations(vm, ipi)
        about = f"vcpu {sender.id}"
        if why is not None:
            yield blocks("icr", f"{head}, but {why}", about, icr=icr)
        elif not reached:
            yield blocks("icr", f"{head}, which goes to nobody", about, icr=icr)
        elif it.id not in reached:
            names = ", ".join(f"vCPU {number}" for number in reached)
            yield blocks("icr", f"{head}, which goes to {names}", about, icr=icr)
