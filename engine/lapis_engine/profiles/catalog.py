"""The profiles: sets of switches, each a processor or a hypervisor of history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.errors import ConfigError
from lapis_engine.profiles.switches import SWITCHES, Profile, Switch

if TYPE_CHECKING:
    from collections.abc import Mapping

SDM: Final = Profile("sdm", "A processor as the SDM describes it.")

ILLUMOS: Final = replace(
    SDM,
    name="illumos",
    summary="bhyve of today's illumos.",
    max_vcpus=32,
    apic_version=0x0006_0014,
    xapic_id_writable=False,
    x2apic_legacy_registers=True,
    x2apic_checks_reserved=False,
    x2apic_by_guest=False,
    apicbase_bsp_writable=False,
    apicbase_relocates=False,
    apic_disable_resets=False,
    mmio_subregister="shifted",
    mmio_off="ones",
    illegal_register_sets_esr=False,
    receive_illegal_sets_esr=False,
    lvt_write_checks_vector=False,
    lvt_fire_is_send_error=True,
    lvt_fires_init=False,
    esr_write_rearms=False,
    lvt_status_writable=True,
    apic_timer_hz=134_217_728,
    tsc_deadline=False,
    divide_moves_deadline=False,
    divide_kept_raw=True,
    timer_keeps_phase=False,
    svr_stops_timer=True,
    disabled_apic_receives=True,
    ipi_lowest_priority=False,
    ipi_always_edge=False,
    init_needs_level_bit=True,
    lowest_by_number=True,
    init_keeps_x2apic=False,
    sipi_latched=True,
    bsp_restarts_on_init=False,
    run_state_takes_pend_init=False,
    ioapic_pins=32,
    ioapic_version=0x11,
    ioapic_entry=0x0001_0000_0001_0000,
    pic_modes_checked=True,
    pic_keeps_edges=True,
    msi_hint_redirects=False,
    messages_of_all_modes=False,
    tsc_adjust=False,
    unknown_msr_exits=True,
    lapic_trappable=False,
    in_keeps_upper_rax=False,
    vie_table="bhyve",
    vie_walk_lax=True,
)
ILLUMOS_PRE_13645: Final = replace(
    ILLUMOS,
    name="illumos-pre-13645",
    summary="illumos when a stale SIPI outlived INIT.",
    init_clears_sipi=False,
)
ILLUMOS_PRE_13275: Final = replace(
    ILLUMOS_PRE_13645,
    name="illumos-pre-13275",
    summary="illumos when INIT and SIPI with a shorthand went to userspace.",
    apic_version=0x0006_0010,
    boot_ipi="spinup-ap",
)
ILLUMOS_PRE_13253: Final = replace(
    ILLUMOS_PRE_13275,
    name="illumos-pre-13253",
    summary="illumos when such an ICR write panicked the host.",
    icr_refused="panic",
)
ILLUMOS_PRE_13139: Final = replace(
    ILLUMOS_PRE_13253,
    name="illumos-pre-13139",
    summary="illumos when INS and OUTS came with the wrong address size.",
    inout_sizes="doubled",
)
ILLUMOS_PRE_12936: Final = replace(
    ILLUMOS_PRE_13275,
    name="illumos-pre-12936",
    summary="illumos when PPR came from isrvec_stk.",
    isrvec_stk=True,
)
ILLUMOS_PRE_12989: Final = replace(
    ILLUMOS_PRE_12936,
    name="illumos-pre-12989",
    summary="illumos when userspace emulated instructions itself.",
    spinup_ap_kept="exit-record",
    user_emulates=True,
)
ILLUMOS_PRE_12960: Final = replace(
    ILLUMOS_PRE_12936,
    name="illumos-pre-12960",
    summary="illumos when a SIPI sent outside vm_run was lost.",
    spinup_ap_kept="exit-record",
)
FREEBSD: Final = replace(
    ILLUMOS,
    name="freebsd",
    summary="bhyve of FreeBSD, with IPI exits.",
    apic_version=0x0006_0010,
    x2apic_msrs_checked=False,
    apicbase_exits=True,
    mmio_malformed="einval",
    mmio_subregister="whole",
    mmio_off="zero",
    isrvec_stk=True,
    init_keeps_isrvec=True,
    ipi_unimplemented_fails=True,
    boot_ipi="startup-cpus",
    init_keeps_x2apic=True,
    run_state_takes_pend_init=True,
    msi_needs_hint=True,
    user_emulates=True,
)
FREEBSD_PRE_D37452: Final = replace(
    FREEBSD,
    name="freebsd-pre-d37452",
    summary="FreeBSD when the ICR handler slept in a critical section.",
    icr_locks=True,
)
FREEBSD_13_1_COMPAT: Final = replace(
    FREEBSD,
    name="freebsd-13.1-compat",
    summary="FreeBSD's vmm under the bhyve of 13.1.",
    ipi_exit=False,
    aps_active=False,
)
FREEBSD_13_1_BROKEN: Final = replace(
    FREEBSD_13_1_COMPAT,
    name="freebsd-13.1-broken",
    summary="The same when no AP could be started (before b265a2e0).",
    boot_ipi_needs_active=True,
)
FREEBSD_13_1_OFF_BY_ONE: Final = replace(
    FREEBSD_13_1_COMPAT,
    name="freebsd-13.1-off-by-one",
    summary="The same when SPINUP_AP named the wrong vCPU.",
    spinup_ap_off_by_one=True,
)

PROFILES: Final = {
    profile.name: profile
    for profile in (
        SDM,
        ILLUMOS,
        ILLUMOS_PRE_13645,
        ILLUMOS_PRE_13275,
        ILLUMOS_PRE_13253,
        ILLUMOS_PRE_13139,
        ILLUMOS_PRE_12936,
        ILLUMOS_PRE_12989,
        ILLUMOS_PRE_12960,
        FREEBSD,
        FREEBSD_PRE_D37452,
        FREEBSD_13_1_COMPAT,
        FREEBSD_13_1_BROKEN,
        FREEBSD_13_1_OFF_BY_ONE,
    )
}
"""By name, in the order in which they are listed."""


def profile_named(name: str, profiles: Mapping[str, Profile] = PROFILES) -> Profile:
    """Return the profile called `name`; raise `ConfigError` when there is none."""
    try:
        return profiles[name]
    except KeyError:
        known = ", ".join(profiles)
        raise ConfigError(
            f"there is no profile {name[:40]!r}; the profiles are {known}"
        ) from None


class Difference(NamedTuple):
    """A switch that two profiles have set differently."""

    switch: Switch
    first: object
    second: object


def differences(first: Profile, second: Profile) -> list[Difference]:
    """Return the switches in which two profiles differ, in the order of the record."""
    found = []
    for switch in SWITCHES:
        values = getattr(first, switch.name), getattr(second, switch.name)
        if values[0] != values[1]:
            found.append(Difference(switch, *values))
    return found
