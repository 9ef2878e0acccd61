"""IA32_APIC_BASE: its transitions, its bits, what they leave (`apicbase.toml`)."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conformance.rig import Done, Rig
from conformance.script import Script
from lapis_engine.vmm import exits

TABLE = tomllib.loads((Path(__file__).parent / "apicbase.toml").read_text())
PROFILES = ("sdm", "illumos", "freebsd")
APICBASE, GP = 0x1B, 13
BASE = {"00": 0xFEE0_0100, "01": 0xFEE0_0500, "10": 0xFEE0_0900, "11": 0xFEE0_0D00}
"""By EN and EXTD, on the BSP."""
MODES = {"00": "disabled", "10": "xapic", "11": "x2apic"}


def started(profile: str, mode: str) -> Rig:
    """vCPU 0 in a mode: brought there by its own guest where it may go there."""
    rig = Rig(1, profile)
    if profile == "sdm":
        assert rig.wrmsr(0, APICBASE, BASE[mode]).fault is None
    else:
        rig.vcpu(0).apic.apicbase = BASE[mode]
    return rig


def check(rig: Rig, done: Done, before: int, value: int, result: str) -> None:
    """See that a write of `value` came to `result`."""
    match result:
        case "ok":
            assert (done.fault, done.exit) == (None, None)
        case "#GP":
            assert (done.fault, done.exit) == (GP, None)
        case _:
            assert done.exit == exits.Wrmsr(APICBASE, value)
    assert rig.rdmsr(0, APICBASE)[1] == (value if result == "ok" else before)


def test_the_table_has_every_transition_and_every_kind_of_bit() -> None:
    found = [(row["from"], row["to"]) for row in TABLE["transition"]]
    assert sorted(found) == sorted(itertools.product(MODES, BASE))
    bits = [bit for row in TABLE["bit"] for bit in row["bits"]]
    assert len(bits) == len(set(bits))
    assert set(range(12)) - {10, 11} <= set(bits)
    assert all(row["cite"] for kind in TABLE.values() for row in kind)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{row['from']}-to-{row['to']}")
        for row in TABLE["transition"]
    ],
)
def test_a_transition(row: dict[str, Any], profile: str) -> None:
    rig = started(profile, row["from"])
    before, value, result = BASE[row["from"]], BASE[row["to"]], row[profile]
    done = rig.wrmsr(0, APICBASE, value)
    check(rig, done, before, value, result)
    looks = MODES[row["to"] if result == "ok" else row["from"]]
    script = Script(rig)
    script.run(f"0 mode -> {looks}")
    # The mode shows in what can be reached: the page, the MSRs, or neither.
    page, msr = rig.load(0, 0xFEE0_0030), rig.rdmsr(0, 0x803)
    versions = {"sdm": 0x0105_0014, "illumos": 0x0006_0014, "freebsd": 0x0006_0010}
    version = versions[profile]
    assert (page[1] == version and page[0].exit is None) is (looks == "xapic")
    if page[0].exit is not None:
        script.run("0 discard")
        msr = rig.rdmsr(0, 0x803)
    assert (msr[1] == version and msr[0].fault is None) is (looks == "x2apic")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("row", "bit"),
    [
        pytest.param(row, bit, id=f"bit-{bit}")
        for row in TABLE["bit"]
        for bit in row["bits"]
    ],
)
def test_a_bit(row: dict[str, Any], bit: int, mode: str, profile: str) -> None:
    rig = started(profile, mode)
    value = BASE[mode] ^ 1 << bit
    check(rig, rig.wrmsr(0, APICBASE, value), BASE[mode], value, row[profile])


def test_maxphyaddr_is_what_the_table_takes_it_for() -> None:
    assert Rig().cpuid(0, 0x8000_0008)[0] & 0xFF == 40


@pytest.mark.parametrize(
    ("case", "profile"),
    [
        pytest.param(
            case,
            profile,
            id=f"{case['id']}-{profile}",
            marks=pytest.mark.xfail(
                "known" in case, reason=case.get("known", ""), strict=True
            ),
        )
        for case in TABLE["case"]
        for profile in case["profiles"]
    ],
)
def test_acts(case: dict[str, Any], profile: str) -> None:
    wide = case.get("bits", 64) == 64
    Script(Rig(case.get("cpus", 1), profile, wide=wide)).run(case["script"])
