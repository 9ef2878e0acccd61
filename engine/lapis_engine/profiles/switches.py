"""The switches between a processor by the manual and hypervisors of history.

Code asks a switch and never the name of a profile; each switch says what it does and
names its source. The defaults are the processor of the SDM.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final, Literal, NamedTuple, TypeVar

T = TypeVar("T")


def _switch(
    default: T, doc: str, source: str, *, since: int = 1, before: T | None = None
) -> T:
    """Declare a switch: its SDM value, what it does, and who says so.

    Recordings hold every switch by name. One that comes later says `since` which state
    schema (`replay.schema`) it is there, and what older recordings did: `before`.
    """
    assert (since > 1) == (before is not None), "a later switch says what was before"
    told = {"doc": doc, "source": source, "since": since}
    told["before"] = default if before is None else before
    return field(default=default, metadata=told)


@dataclass(frozen=True, slots=True)
class Profile:
    """The switches; `switches` lists them with their documentation."""

    name: str
    summary: str

    # The machine.
    max_vcpus: int = _switch(
        255,
        "how many vCPUs there may be; xAPIC ids are 8 bits and 0xFF is broadcast",
        'SDM Vol. 3A "Local APIC ID"; bhyve VM_MAXCPU is 32',
    )
    aps_active: bool = _switch(
        default=True,
        doc="every vCPU counts for destinations from the start; else an AP does only "
        "once it has been started",
        source="bhyve vm_activate_cpu; FreeBSD 13.1 activates an AP at SPINUP_AP",
    )

    # Registers of the local APIC.
    apic_version: int = _switch(
        0x0105_0014,  # six entries: no CMCI, as there are no machine-check banks
        "VERSION register: highest LVT index 23:16, EOI-broadcast suppression 24",
        'SDM Vol. 3A "Local APIC Version Register"; bhyve vlapic_reset: 0x00060014',
    )
    xapic_id_writable: bool = _switch(
        default=True,
        doc="the xAPIC ID register can be written; else writes are dropped",
        source='SDM Vol. 3A "Local APIC ID"; bhyve derives the id from the vCPU',
    )
    x2apic_legacy_registers: bool = _switch(
        default=False,
        doc="in x2APIC mode APR, RRD and DFR can be reached, and ID, LDR and DFR be "
        "written without effect; else #GP",
        source='SDM Vol. 3A "x2APIC Register Address Space"; illumos bhyve-tests '
        "payload_vlapic_msr_access",
    )
    x2apic_checks_reserved: bool = _switch(
        default=True,
        doc="a WRMSR that sets reserved bits, or a non-zero EOI, is #GP; else masked",
        source='SDM Vol. 3A "x2APIC Register Address Space"; bhyve masks',
    )
    x2apic_msrs_checked: bool = _switch(
        default=True,
        doc="an x2APIC MSR outside x2APIC mode is #GP; else it reads 0 and ignores",
        source='SDM Vol. 3A "x2APIC Register Address Space"; FreeBSD lapic_rdmsr',
    )
    x2apic_by_guest: bool = _switch(
        default=True,
        doc="the guest may set APICBASE.EXTD; else only the host can",
        source='SDM Vol. 3A "x2APIC State Transitions"; illumos vlapic_set_apicbase',
    )
    apicbase_bsp_writable: bool = _switch(
        default=True,
        doc="the guest may change APICBASE.BSP; else #GP",
        source='SDM Vol. 4 "IA32_APIC_BASE": R/W; illumos vlapic_set_apicbase',
    )
    apicbase_relocates: bool = _switch(
        default=True,
        doc="APICBASE moves the page; else a new address is #GP",
        source='SDM Vol. 3A "Relocating the Local APIC Registers"; illumos '
        "vlapic_gp_on_addr_change",
    )
    apicbase_exits: bool = _switch(
        default=False,
        doc="any change of APICBASE is a WRMSR exit to the user",
        source="FreeBSD vlapic_set_apicbase",
    )
    apic_disable_resets: bool = _switch(
        default=True,
        doc="APICBASE.EN 1 -> 0 leaves power-up registers; else they are kept",
        source='SDM Vol. 3A "Enabling or Disabling the Local APIC"; bhyve keeps them',
    )
    mmio_malformed: Literal["ignored", "einval"] = _switch(
        "ignored",
        "a write that is not 4 bytes at a multiple of 16: without effect, or vm_run "
        "fails with EINVAL, as it then does for reads of bytes 4 to 15 too",
        'SDM Vol. 3A "Local APIC Register Address Map": undefined; FreeBSD '
        "lapic_mmio_write",
    )
    mmio_subregister: Literal["cut", "shifted", "whole"] = _switch(
        "cut",
        "a read inside bytes 0 to 3 of a register: those bytes, the register shifted "
        "the wrong way, or all of it",
        "illumos lapic_mmio_read shifts left; FreeBSD rounds the offset down",
    )
    mmio_off: Literal["memory", "ones", "zero"] = _switch(
        "memory",
        "what the page is in x2APIC mode and with the APIC off: not decoded, all ones, "
        "or 0",
        'SDM Vol. 3A "Enabling or Disabling the Local APIC"; illumos vlapic_mmio_read; '
        "FreeBSD vlapic_read",
    )

    # Errors.
    illegal_register_sets_esr: bool = _switch(
        default=True,
        doc="ESR bit 7 on access to a register that is not there",
        source='SDM Vol. 3A "Error Handling"; bhyve never sets it',
    )
    receive_illegal_sets_esr: bool = _switch(
        default=True,
        doc="ESR bit 6 for a received vector below 16; else no trace",
        source='SDM Vol. 3A "Error Handling"; bhyve lapic_set_intr: EINVAL',
    )
    lvt_write_checks_vector: bool = _switch(
        default=True,
        doc="writing an LVT entry of mode fixed with a vector below 16 sets ESR bit 6",
        source='SDM Vol. 3A "Local Vector Table", "Valid Interrupt Vectors"',
    )
    lvt_fire_is_send_error: bool = _switch(
        default=False,
        doc="an LVT entry that fires a vector below 16 sets ESR bit 5 instead of 6",
        source="bhyve vlapic_fire_lvt",
    )
    lvt_fires_init: bool = _switch(
        default=True,
        doc="an LVT entry of mode INIT sends INIT to its processor; else nothing",
        source='SDM Vol. 3A "Local Vector Table", delivery mode 101; bhyve '
        "vlapic_fire_lvt",
    )
    esr_write_rearms: bool = _switch(
        default=True,
        doc="after an error the error entry does not fire again until the ESR is "
        "written; else every error fires it",
        source='SDM Vol. 3A "Error Handling": the write rearms the mechanism; bhyve '
        "vlapic_set_error",
    )
    lvt_status_writable: bool = _switch(
        default=False,
        doc="the guest can write delivery status and remote IRR of LVT entries",
        source="bhyve vlapic_lvt_write_handler; the SDM has them read-only",
    )

    # The timer.
    apic_timer_hz: int = _switch(
        1_000_000_000,
        "input clock of the APIC timer, before division",
        "a processor takes its bus or crystal clock; bhyve VLAPIC_BUS_FREQ: 128 MiHz",
    )
    tsc_deadline: bool = _switch(
        default=True,
        doc="LVT TIMER has TSC-deadline mode, and CPUID offers it",
        source='SDM Vol. 3A "TSC-Deadline Mode"; bhyve has none',
    )
    divide_moves_deadline: bool = _switch(
        default=True,
        doc="a new divide configuration changes when a running timer ends; else its "
        "count jumps and the deadline stays",
        source='SDM Vol. 3A "APIC Timer"; bhyve vlapic_dcr_write_handler',
    )
    divide_kept_raw: bool = _switch(
        default=False,
        doc="the divide configuration reads as it was written; else bits 3, 1 and 0",
        source='bhyve vlapic_dcr_write_handler; SDM Vol. 3A "APIC Timer"',
    )
    timer_keeps_phase: bool = _switch(
        default=True,
        doc="a periodic timer that is late by a period or more stays in phase; else "
        "it starts anew from now",
        source='SDM Vol. 3A "APIC Timer": the count reloads at 0; bhyve '
        "vlapic_callout_handler",
    )
    svr_stops_timer: bool = _switch(
        default=False,
        doc="SVR off stops the timer, and SVR on starts a periodic one anew",
        source='bhyve vlapic_svr_write_handler; SDM Vol. 3A "Local APIC State After It '
        'Has Been Software Disabled" only masks',
    )

    # Acceptance and priority.
    disabled_apic_receives: bool = _switch(
        default=False,
        doc="an APIC that APICBASE has switched off still takes interrupts and IPIs",
        source="bhyve vlapic_set_intr_ready looks at SVR only; SDM Vol. 3A "
        '"Enabling or Disabling the Local APIC"',
    )
    isrvec_stk: bool = _switch(
        default=False,
        doc="PPR comes from a stack of vectors beside the ISR, checked against it",
        source="bhyve before illumos 12936; FreeBSD vlapic_update_ppr",
    )
    init_keeps_isrvec: bool = _switch(
        default=False,
        doc="INIT forgets to empty that stack",
        source="FreeBSD vlapic_reset",
    )

    # Interprocessor interrupts.
    ipi_lowest_priority: bool = _switch(
        default=True,
        doc="the ICR can send lowest priority",
        source='SDM Vol. 3A "Interrupt Command Register"; bhyve does not implement it',
    )
    ipi_always_edge: bool = _switch(
        default=True,
        doc="an IPI other than INIT is sent as an edge, whatever trigger and level its "
        "ICR has; else a level de-assert is dropped",
        source='SDM Vol. 3A "Interrupt Command Register (ICR)", valid combinations, '
        "note 2; bhyve vlapic_is_icr_valid",
    )
    init_needs_level_bit: bool = _switch(
        default=False,
        doc="an edge-triggered INIT with the level bit clear is dropped; else it acts",
        source='SDM Vol. 3A "Interrupt Command Register (ICR)", Level: no meaning from '
        "Pentium 4 on; bhyve vlapic_is_icr_valid drops it",
        since=2,
        before=True,
    )
    ipi_unimplemented_fails: bool = _switch(
        default=False,
        doc="lowest priority, SMI and remote read by ICR make vm_run fail, and are not "
        "just dropped",
        source="FreeBSD vlapic_icrlo_write_handler",
    )
    lowest_by_number: bool = _switch(
        default=False,
        doc="lowest priority of IOAPIC and MSI goes to the lowest number; else to the "
        "lowest processor priority",
        source='bhyve vlapic_deliver_intr; SDM Vol. 3A "Lowest Priority Delivery Mode"',
    )
    boot_ipi: Literal["run-state", "spinup-ap", "startup-cpus"] = _switch(
        "run-state",
        "who carries out INIT and SIPI: the target's run-state; the sender, as a "
        "SPINUP_AP exit of vCPU 0; or the set startup_cpus and an exit",
        "illumos 13275 vm_inject_init; illumos before it; FreeBSD vm_handle_ipi",
    )
    icr_refused: Literal["inst-emul", "panic"] = _switch(
        "inst-emul",
        "under spinup-ap, an ICR write that the kernel does not do: INST_EMUL, or the "
        'host panics with "bad pending MMIO state"',
        "illumos 13253 (06524cf4); 13030 made the panic",
    )
    spinup_ap_kept: Literal["stash", "exit-record"] = _switch(
        "stash",
        "under spinup-ap, where the request waits: in the VM, or in the exit record of "
        "the sender, which is lost outside vm_run",
        "illumos 12991 (e0c0d44e); illumos 12960",
    )
    ipi_exit: bool = _switch(
        default=True,
        doc="under startup-cpus, INIT and SIPI are IPI exits (VM_CAP_IPI_EXIT); else a "
        "SIPI becomes SPINUP_AP, and shorthands are not looked at",
        source="FreeBSD vm_handle_ipi, D37093 (769b884e)",
    )
    boot_ipi_needs_active: bool = _switch(
        default=False,
        doc="under startup-cpus without IPI exits, INIT and SIPI reach active vCPUs "
        "only",
        source="FreeBSD before b265a2e0 (D38446): dmask is empty",
    )
    spinup_ap_off_by_one: bool = _switch(
        default=False,
        doc="SPINUP_AP names the vCPU after the one that is meant",
        source="FreeBSD before b265a2e0 (D38446): CPU_FFS counts from 1",
    )
    icr_locks: bool = _switch(
        default=False,
        doc="the ICR handler takes a sleeping lock, also in a critical section",
        source="FreeBSD before 7c326ab5 (D37452)",
    )
    init_keeps_x2apic: bool = _switch(
        default=True,
        doc="INIT leaves the APIC in x2APIC mode; else it is xAPIC again",
        source='SDM Vol. 3A "x2APIC States after Reset, INIT and SIPI"; illumos '
        "vlapic_reset",
    )
    init_clears_sipi: bool = _switch(
        default=True,
        doc="INIT forgets a SIPI that is latched",
        source="illumos 13645 vm_inject_init",
    )
    sipi_latched: bool = _switch(
        default=False,
        doc="a SIPI is kept whatever the vCPU does, and the last vector wins; else "
        "only the first after INIT counts",
        source='bhyve vm_inject_sipi; SDM Vol. 3A "MP Initialization Protocol"',
    )
    bsp_restarts_on_init: bool = _switch(
        default=True,
        doc="INIT sends the BSP to the reset vector; else it waits for SIPI",
        source='SDM Vol. 3A "MP Initialization Protocol"; bhyve vm_handle_run_state',
    )
    run_state_takes_pend_init: bool = _switch(
        default=True,
        doc="a run-state with INIT pending can be set; else EINVAL",
        source="illumos VM_SET_RUN_STATE lists PEND_SIPI twice",
    )

    # Devices.
    ioapic_pins: int = _switch(
        24, "pins of the IOAPIC", "Intel 82093AA; bhyve vioapic has 32"
    )
    ioapic_version: int = _switch(
        0x20,
        "version of the IOAPIC; from 0x20 on it has an EOI register",
        "Intel ICH IOAPIC; bhyve vioapic: 0x11",
    )
    ioapic_entry: int = _switch(
        0x1_0000,
        "redirection entry after reset: masked",
        "Intel 82093AA; bhyve vioapic sets bit 48 too",
    )
    pic_modes_checked: bool = _switch(
        default=False,
        doc="the 8259 refuses single mode, ICW1 without IC4, other than 8086 mode, and "
        "more than a byte at a time",
        source="bhyve vatpic_icw1, vatpic_icw4, vatpic_master_handler: -1, which is "
        "INST_EMUL",
    )
    pic_keeps_edges: bool = _switch(
        default=False,
        doc="the 8259 keeps an edge whose line has fallen, and the 8254 pulses IRQ 0; "
        "else a line must stay up until INTA, or it gives the spurious vector, and IRQ "
        "0 is up from one period to the next",
        source='Intel 8259A "Edge and Level Triggered Modes", 8254 "Mode Definitions"; '
        "bhyve vatpic_set_pinstate, vatpit_callout",
        since=2,
        before=True,
    )
    msi_needs_hint: bool = _switch(
        default=False,
        doc="an MSI is logical only with the redirection hint set as well",
        source='FreeBSD lapic_intr_msi; SDM Vol. 3A "Message Address Register Format" '
        "has it so, processors do not",
    )

    msi_hint_redirects: bool = _switch(
        default=True,
        doc="a fixed MSI to a logical destination with the redirection hint set goes "
        "to the lowest processor priority among those named; else to all of them",
        source='SDM Vol. 3A "Message Address Register Format", RH; bhyve '
        "lapic_intr_msi",
        since=2,
        before=False,
    )
    messages_of_all_modes: bool = _switch(
        default=True,
        doc="IOAPIC and MSI can send NMI and INIT; else fixed, lowest and ExtINT only",
        source='SDM Vol. 3A "Message Data Register Format"; bhyve vlapic_deliver_intr',
    )

    # The processor.
    tsc_adjust: bool = _switch(
        default=True,
        doc="IA32_TSC_ADJUST is there, and CPUID offers it; else it is no MSR",
        source='SDM Vol. 3B "IA32_TSC_ADJUST Register Support"; bhyve has none',
        since=2,
        before=False,
    )

    # What the user is asked for.
    unknown_msr_exits: bool = _switch(
        default=False,
        doc="RDMSR and WRMSR of a register that the engine does not know are requests "
        "to the user; else #GP",
        source='SDM Vol. 2B "RDMSR", "WRMSR"; bhyve VM_EXITCODE_RDMSR, WRMSR',
    )
    lapic_trappable: bool = _switch(
        default=True,
        doc="accesses to the local APIC can be handed to the user; else it is always "
        "the engine's",
        source="bhyve lapic_mmio_read, lapic_rdmsr: in the kernel, without a choice",
    )

    # Instruction emulation.
    inout_sizes: Literal["right", "doubled"] = _switch(
        "right",
        "address size of INS and OUTS: as it is, or one size too large, where 64 bits "
        "panic the host",
        "illumos 13139: 2 << (1 + n) for 2 << n in the VMX instruction information",
    )
    in_keeps_upper_rax: bool = _switch(
        default=True,
        doc="8 and 16-bit IN leaves RAX[63:16] alone; else RAX[63:32] is cleared",
        source='SDM Vol. 2A "IN"; bhyve vie_emulate_inout',
    )
    vie_table: Literal["all", "bhyve"] = _switch(
        "all",
        "which instructions the engine carries out on devices: all that the processor "
        "knows, or those of bhyve's table",
        "bhyve vmm_instruction_emul.c one_byte_opcodes, two_byte_opcodes",
    )
    vie_walk_lax: bool = _switch(
        default=False,
        doc="page walks of the instruction emulator take CR0.WP for set and SMAP for "
        "clear",
        source='bhyve vm_gla2gpa; SDM Vol. 3A "Determination of Access Rights"',
    )
    user_emulates: bool = _switch(
        default=False,
        doc="an access that nobody serves is an INST_EMUL exit, and the user's side "
        "carries the instruction out",
        source="bhyve before illumos 12989 (e0c0d44e); FreeBSD",
    )


class Switch(NamedTuple):
    """A switch and its documentation."""

    name: str
    doc: str
    source: str


SWITCHES: Final[tuple[Switch, ...]] = tuple(
    Switch(each.name, each.metadata["doc"], each.metadata["source"])
    for each in fields(Profile)
    if each.metadata
)
"""In the order of the record."""
