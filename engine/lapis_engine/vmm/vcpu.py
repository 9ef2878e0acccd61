"""What belongs to one vCPU beside its registers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

# A compiled record looks up the classes of its fields when it is made.
from lapis_engine.apic.state import ApicState  # noqa: TC001
from lapis_engine.cpu.paging import Linear  # noqa: TC001
from lapis_engine.cpu.registers import Registers  # noqa: TC001
from lapis_engine.vie.state import VieState
from lapis_engine.vmm import run_state as runstate

if TYPE_CHECKING:
    from lapis_engine.cpu.delivery import Pending
    from lapis_engine.vmm.unreached import Unreached


@dataclass(slots=True)
class Vcpu:
    """A virtual processor."""

    id: int
    """Number, and initial APIC id."""
    regs: Registers
    linear: Linear
    """Its view of memory through its own page tables."""
    apic: ApicState
    run_state: int = runstate.HALT
    sipi_vector: int = 0
    halted: bool = False
    """In HLT."""
    nmi_pending: bool = False
    nmi_blocked: bool = False
    """From the delivery of an NMI to the next IRET."""
    extint_pending: bool = False
    """An ExtINT that an LVT entry or an IPI pulsed (bhyve `extint_pending`)."""
    active: bool = True
    """Counts for destinations (`vm_activate_cpu`)."""
    unreached: tuple[Unreached, ...] | None = None
    """The last INIT, if it did not reach it, and each SIPI since that did not."""
    event: Pending | None = None
    """Event whose delivery the next entry owes (bhyve `exit_intinfo`)."""
    in_ss_shadow: bool = False
    """The shadow, while there is one, is that of MOV SS or POP SS, and not of STI."""
    debug_due: int = 0
    """Hits on watched data, bits 3:0 of DR6, whose #DB a MOV SS holds off."""
    vie: VieState = field(default_factory=VieState)
    retired: int = 0
    """Instructions, since the machine was made."""
    msrs: dict[int, int] = field(default_factory=dict)
    """MSRs that are stored and have no effect (MTRRs, IA32_MISC_ENABLE)."""
    tsc_offset: int = 0
    mode: str = "real"
    """Mode that was told of last."""
    mode_watch: int = 0
    """Instructions for which the mode is looked at after each."""
    stopped_at: int | None = None
    """Linear address of the breakpoint that was reported last."""
