"""INIT and SIPI under each value of switch boot_ipi: one table, and its sentences."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
from rigs.machines import machine

from lapis_engine.profiles.catalog import PROFILES
from lapis_engine.profiles.switches import Profile
from lapis_engine.vmm.startup import protocols
from lapis_engine.why import boot

HLT = b"\xfa\xf4"
INIT, SIPI = 0x0100_0000_0000_4500, 0x0100_0000_0000_4608
"""Of the user's, to APIC id 1; the SIPI to page 8."""


def test_every_value_of_the_switch_has_a_protocol_and_its_words() -> None:
    values = set(get_args(get_type_hints(Profile)["boot_ipi"]))
    assert values == set(protocols.PROTOCOLS) == set(boot.WORDS)


def test_every_protocol_is_some_profiles() -> None:
    used = {profile.boot_ipi for profile in PROFILES.values()}
    assert used == set(protocols.PROTOCOLS)


@pytest.mark.parametrize(
    ("profile", "run_states", "events"),
    [
        ("sdm", (0x4000, 0xC000), ["RunStateChanged", "RunStateChanged"]),
        ("illumos-pre-13275", (0x1, 0x1), ["RunStateChanged"]),
        ("freebsd", (0x0, 0x0), ["EngineFault", "EngineFault"]),
    ],
)
def test_the_users_init_and_sipi_go_the_protocols_way(
    profile: str, run_states: tuple[int, int], events: list[str]
) -> None:
    """Outside vm_run FreeBSD's exit record is lost, and SPINUP_AP waits in the VM."""
    m = machine(HLT, 2, profile=profile)
    m.vcpus[1].active = True
    found = []
    for icr in (INIT, SIPI):
        m.send_ipi(0, icr)
        found.append(m.vcpus[1].run_state)
    assert tuple(found) == run_states
    names = [type(it.event).__name__ for it in m.log.last(99)]
    assert [n for n in names if n in {"RunStateChanged", "EngineFault"}] == events
