"""Behaviour that differs between a processor by the manual and hypervisors of history.

A profile is a frozen record of switches. Code asks the switch and never the name
of the profile; each switch names its source. The interrupt fabric adds to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lapis_engine.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Profile:
    """The switches; the defaults are the processor of the SDM."""

    name: str
    summary: str
    max_vcpus: int = 255
    """How many vCPUs there may be. xAPIC ids are 8 bits and 0xFF is broadcast (SDM
    Vol. 3A "Local APIC ID"); bhyve: `VM_MAXCPU` is 32."""
    apic_version: int = 0x0005_0014
    """Local APIC VERSION register: 6 = highest LVT index with no CMCI. illumos:
    0x00060014, with CMCI (`vlapic_reset`)."""
    apic_timer_hz: int = 1_000_000_000
    """Input clock of the APIC timer, before division. A processor takes its bus or
    crystal clock; bhyve: 128 MiHz (`VLAPIC_BUS_FREQ`)."""
    x2apic_by_guest: bool = True
    """APICBASE.EXTD may be set by the guest (SDM Vol. 3A "x2APIC State
    Transitions"); illumos: only the host can (`vlapic_set_apicbase`)."""
    apicbase_relocates: bool = True
    """APICBASE moves the page; illumos: #GP (`vlapic_gp_on_addr_change`)."""
    apic_disable_resets: bool = True
    """APICBASE.EN 1 -> 0 -> 1 leaves power-up registers (SDM Vol. 3A "Enabling or
    Disabling the Local APIC"); bhyve keeps them."""
    x2apic_checks_reserved: bool = True
    """A WRMSR that sets reserved bits, or a non-zero EOI, is #GP (SDM Vol. 3A
    "x2APIC Register Address Space"); bhyve masks."""
    illegal_register_sets_esr: bool = True
    """ESR bit 7 on access to a register that is not there; bhyve never sets it."""
    init_keeps_x2apic: bool = True
    """INIT leaves the APIC in x2APIC mode (SDM Vol. 3A "x2APIC States after Reset,
    INIT and SIPI"); illumos drops to xAPIC (`vlapic_reset`)."""
    bsp_restarts_on_init: bool = True
    """INIT sends the BSP to the reset vector (SDM Vol. 3A "MP Initialization
    Protocol"); bhyve makes every vCPU wait for SIPI."""
    in_keeps_upper_rax: bool = True
    """8 and 16-bit IN leaves RAX[63:16] alone; bhyve clears RAX[63:32]
    (`vie_emulate_inout`)."""
    ipi_lowest_priority: bool = True
    """The ICR can send lowest priority; illumos drops it."""


SDM = Profile("sdm", "A processor as the SDM describes it.")

ILLUMOS = replace(
    SDM,
    name="illumos",
    summary="bhyve of today's illumos.",
    max_vcpus=32,
    apic_version=0x0006_0014,
    apic_timer_hz=134_217_728,
    x2apic_by_guest=False,
    apicbase_relocates=False,
    apic_disable_resets=False,
    x2apic_checks_reserved=False,
    illegal_register_sets_esr=False,
    init_keeps_x2apic=False,
    bsp_restarts_on_init=False,
    in_keeps_upper_rax=False,
    ipi_lowest_priority=False,
)

PROFILES = {profile.name: profile for profile in (SDM, ILLUMOS)}
"""By name, in the order in which they are listed."""


def profile_named(name: str) -> Profile:
    """Return the profile called `name`; raise `ConfigError` when there is none."""
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise ConfigError(
            f"there is no profile {name!r}; the profiles are {known}"
        ) from None
