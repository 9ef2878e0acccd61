"""Every register of the local APIC in every mode (`registers.toml`)."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from conformance.rig import Done, Rig
from conformance.script import Script
from lapis_engine.vmm import exits
from lapis_engine.vmm.entry import DiscardInstr
from lapis_engine.vmm.run import run

TABLE = tomllib.loads((Path(__file__).parent / "registers.toml").read_text())
PAGE, ONES, ONES_64 = 0xFEE0_0000, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF
SVR, ESR, SVR_ON = 0x0F0, 0x280, 0x1FF
XAPIC, X2APIC, DISABLED = 0xFEE0_0900, 0xFEE0_0D00, 0xFEE0_0100
MASKED = 0x1_0000
GP = 13
PROFILES = ("sdm", "illumos", "freebsd")


@dataclass(frozen=True)
class Register:
    """A row of the table for one slot, as one profile has it."""

    name: str
    offset: int
    cite: str
    page: str = ""
    msr: str = ""
    reset: int = 0
    msr_reset: int = -1
    writable: int = 0
    forced: int = 0
    wrmsr: int = -1
    written: int = ONES
    esr: tuple[int, ...] = ()
    msr_esr: int = 0

    @property
    def number(self) -> int:
        return 0x800 + (self.offset >> 4)

    @property
    def is_lvt(self) -> bool:
        return self.name.startswith("LVT") and bool(self.page)

    def esr_after(self, step: int) -> int:
        """ESR after the read (0), the ones (1) and the zero (2); -1 for unknown."""
        if self.esr:
            return self.esr[step]
        return 0 if ("w" if step else "r") in self.page else 0x80


def _rows(profile: str) -> list[Register]:
    found = []
    for row in TABLE["register"]:
        values = {key.replace("-", "_"): value for key, value in row.items()}
        other, count = values.pop("illumos", {}), values.pop("count", 1)
        if profile != "sdm":
            values |= {"esr": (0, 0, 0)}
            values |= {key.replace("-", "_"): value for key, value in other.items()}
        found += [
            replace(
                Register(**values),
                offset=values["offset"] + 0x10 * n,
                name=f"{values['name']}-{n}" if count > 1 else values["name"],
            )
            for n in range(count)
        ]
    return found


def _each(*profiles: str) -> list[Any]:
    return [
        pytest.param(row, profile, id=f"{row.name}-{profile}")
        for profile in profiles
        for row in _rows(profile)
    ]


@functools.cache
def _machine(profile: str) -> tuple[Rig, dict[str, Any]]:
    rig = Rig(1, profile)
    apic = rig.vcpu(0).apic
    return rig, {each.name: getattr(apic, each.name) for each in fields(apic)}


def fresh(profile: str) -> Rig:
    """One machine for all who only reach its APIC, put back to where it started."""
    rig, kept = _machine(profile)
    for name, value in kept.items():
        setattr(rig.vcpu(0).apic, name, value)
    rig.vm.timers.moved = True
    return rig


def enter(rig: Rig, base: int) -> None:
    """Bring vCPU 0 into a mode: the guest where it may, the host where it may not."""
    if rig.profile.name == "sdm":
        assert rig.wrmsr(0, 0x1B, base).fault is None
    else:
        rig.vcpu(0).apic.apicbase = base


def load(rig: Rig, offset: int) -> int:
    done, value = rig.load(0, PAGE + offset)
    assert (done.fault, done.exit) == (None, None)
    return value


def store(rig: Rig, offset: int, value: int) -> None:
    done = rig.store(0, PAGE + offset, value)
    assert (done.fault, done.exit) == (None, None)


def esr(rig: Rig) -> int:
    """Write the ESR and read it: the errors since the last time."""
    store(rig, ESR, 0)
    return load(rig, ESR)


def test_the_table_has_every_slot_once() -> None:
    for profile in PROFILES:
        offsets = [row.offset for row in _rows(profile)]
        assert len(offsets) == len(set(offsets))
        assert set(range(0, 0x400, 0x10)) <= set(offsets)
    assert all(row["cite"] for kind in TABLE.values() for row in kind)


# The page.


@pytest.mark.parametrize(("row", "profile"), _each("sdm", "illumos"))
def test_a_register_reads_as_after_reset(row: Register, profile: str) -> None:
    rig = fresh(profile)
    assert load(rig, row.offset) == (row.reset if "r" in row.page else 0)
    if row.esr_after(0) != -1:
        assert esr(rig) == row.esr_after(0)


@pytest.mark.parametrize("svr", [SVR_ON, 0xFF], ids=["on", "off"])
@pytest.mark.parametrize(("row", "profile"), _each("sdm", "illumos"))
def test_a_write_sets_what_it_can(row: Register, profile: str, svr: int) -> None:
    rig = fresh(profile)
    store(rig, SVR, svr)
    readable, writes = "r" in row.page, "w" in row.page
    before = svr if row.offset == SVR else row.reset
    forced = MASKED if row.is_lvt and svr != SVR_ON else 0
    for step, value in ((1, row.written), (2, 0)):
        store(rig, row.offset, value)
        now = value & row.writable | row.forced | forced if writes else before
        if readable:
            assert load(rig, row.offset) == now
        assert esr(rig) == row.esr_after(step)


@pytest.mark.parametrize(
    ("row", "profile"),
    [each for each in _each("sdm", "illumos") if each.values[0].is_lvt],
)
def test_software_disable_masks_an_entry_for_good(row: Register, profile: str) -> None:
    rig = fresh(profile)
    store(rig, SVR, SVR_ON)
    store(rig, row.offset, 0x31)
    assert load(rig, row.offset) == 0x31
    store(rig, SVR, 0xFF)
    assert load(rig, row.offset) == MASKED | 0x31
    store(rig, SVR, SVR_ON)
    assert load(rig, row.offset) == MASKED | 0x31
    store(rig, row.offset, 0x31)
    assert load(rig, row.offset) == 0x31


@pytest.mark.parametrize("base", [X2APIC, DISABLED], ids=["x2apic", "disabled"])
@pytest.mark.parametrize(("row", "profile"), _each(*PROFILES))
def test_the_page_is_not_there_in_other_modes(
    row: Register, profile: str, base: int
) -> None:
    rig, at = Rig(1, profile), PAGE + row.offset
    enter(rig, base)
    before = rig.machine.vcpus[0].apic.irr, rig.machine.vcpus[0].apic.tpr
    done, value = rig.load(0, at)
    if profile == "sdm":  # nobody answers: the user is asked
        assert done.exit == exits.Mmio(at, 4, True, 0)
        run(rig.vm, rig.vcpu(0), DiscardInstr(), 0)
        assert rig.store(0, at, 0x4_4031).exit == exits.Mmio(at, 4, False, 0x4_4031)
    else:
        wanted = ONES if profile == "illumos" else 0
        assert (done.exit, value) == (None, wanted)
        store(rig, row.offset, 0x4_4031)
    assert (rig.vcpu(0).apic.irr, rig.vcpu(0).apic.tpr) == before


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{row['act']}-{row['at']:#x}-{row['size']}")
        for row in TABLE["sized"]
    ],
)
def test_other_sizes_and_addresses(row: dict[str, Any], profile: str) -> None:
    rig, at, wanted = Rig(1, profile), PAGE + row["at"], row[profile]
    store(rig, 0x80, 0x5A)
    if row["act"] == "load":
        done, value = rig.load(0, at, row["size"])
    else:
        done, value = rig.store(0, at, 0x77, row["size"]), 0
    if wanted == "EINVAL":
        assert isinstance(done.exit, exits.Errno)
        assert done.exit.errno == "EINVAL"
        run(rig.vm, rig.vcpu(0), DiscardInstr(), 0)
    else:
        assert (done.exit, done.fault, value) == (None, None, wanted)
    assert load(rig, 0x80) == 0x5A


# The MSRs.


@pytest.mark.parametrize(("row", "profile"), _each(*PROFILES))
def test_an_msr_outside_x2apic_mode(row: Register, profile: str) -> None:
    rig = fresh(profile)
    for base in (XAPIC, DISABLED):
        enter(rig, base)
        read, value = rig.rdmsr(0, row.number)
        write = rig.wrmsr(0, row.number, 0)
        if profile == "freebsd":  # reference 2.3: reads 0, ignores writes
            assert (read.fault, value, write.fault) == (None, 0, None)
        else:
            assert (read.fault, write.fault) == (GP, GP)


def outcome(done: Done) -> int | None:
    assert done.exit is None
    return done.fault


@pytest.mark.parametrize(("row", "profile"), _each("sdm", "illumos"))
def test_an_msr_in_x2apic_mode(row: Register, profile: str) -> None:
    rig = fresh(profile)
    enter(rig, X2APIC)
    reset = row.reset if row.msr_reset == -1 else row.msr_reset
    done, value = rig.rdmsr(0, row.number)
    assert outcome(done) == (None if "r" in row.msr else GP)
    if "r" in row.msr:
        assert value == reset
    written = rig.wrmsr(0, row.number, 0)
    assert outcome(written) == (None if "w" in row.msr else GP)
    rig.wrmsr(0, 0x828, 0)
    found = row.esr_after(2) if "w" in row.msr and "w" in row.page else row.msr_esr
    assert rig.rdmsr(0, 0x828)[1] == found


LEGAL = [each for each in _each("sdm") if "w" in each.values[0].msr]


@pytest.mark.parametrize(("row", "profile"), LEGAL)
def test_reserved_bits_are_gp_and_change_nothing(row: Register, profile: str) -> None:
    rig = fresh(profile)
    enter(rig, X2APIC)
    rig.wrmsr(0, 0x80F, SVR_ON)
    legal = row.writable if row.wrmsr == -1 else row.wrmsr
    before = rig.rdmsr(0, row.number)[1] if "r" in row.msr else 0
    for bit in range(64):
        if not legal >> bit & 1:
            assert outcome(rig.wrmsr(0, row.number, 1 << bit)) == GP, bit
            if "r" in row.msr and bit % 8 == 0:
                assert rig.rdmsr(0, row.number)[1] == before
    assert outcome(rig.wrmsr(0, row.number, legal)) is None
    if "r" in row.msr:
        upper = legal & ~ONES
        assert rig.rdmsr(0, row.number)[1] == upper | legal & row.writable


MASKED_BY_BHYVE = [
    each
    for each in _each("illumos")
    if "w" in each.values[0].msr and each.values[0].name not in {"ID", "SELF-IPI"}
]


@pytest.mark.parametrize(("row", "profile"), MASKED_BY_BHYVE)
def test_bhyve_masks_reserved_bits(row: Register, profile: str) -> None:
    """The upper half of a WRMSR is truncated; only the ESR takes nothing but 0."""
    rig = fresh(profile)
    enter(rig, X2APIC)
    rig.wrmsr(0, 0x80F, SVR_ON)
    value = row.written | 0xABCD_0000_0000_0000
    done = rig.wrmsr(0, row.number, value)
    assert outcome(done) == (GP if row.name == "ESR" else None)
    if row.name == "ICR":
        assert rig.rdmsr(0, 0x830)[1] == 0xABCD_0000_000C_CFFF
    elif row.wrmsr == 0 and "r" in row.msr:
        reset = row.reset if row.msr_reset == -1 else row.msr_reset
        assert rig.rdmsr(0, row.number)[1] == reset
    elif "r" in row.msr:
        assert rig.rdmsr(0, row.number)[1] == row.written & row.writable


# The banks: vector V is bit V % 32 of word V / 32.


@pytest.mark.parametrize("word", range(8))
@pytest.mark.parametrize("bank", ["isr", "tmr", "irr"])
def test_a_vector_shows_in_its_word(bank: str, word: int) -> None:
    rig = Rig()
    store(rig, SVR, SVR_ON)
    vector, base = 32 * word + 0x1B, {"isr": 0x100, "tmr": 0x180, "irr": 0x200}[bank]
    if bank == "tmr":  # a level-triggered message, physical, to APIC 0
        rig.machine.send_msi(PAGE, 0xC000 | vector)
    else:
        store(rig, 0x300, 0x4_4000 | vector)
    if bank == "isr":
        rig.allow_interrupts(0, on=True)
        rig.execute(0, b"\x90", 1)
        rig.allow_interrupts(0, on=False)
    words = [load(rig, base + 0x10 * n) for n in range(8)]
    assert words == [1 << 27 if n == word else 0 for n in range(8)]
    enter(rig, X2APIC)
    numbers = range(0x800 + (base >> 4), 0x808 + (base >> 4))
    assert [rig.rdmsr(0, number)[1] for number in numbers] == words


# More than one register.


@pytest.mark.parametrize(
    ("case", "profile"),
    [
        pytest.param(case, profile, id=f"{case['id']}-{profile}")
        for case in TABLE["case"]
        for profile in case["profiles"]
    ],
)
def test_registers_together(case: dict[str, Any], profile: str) -> None:
    Script(Rig(case.get("cpus", 1), profile)).run(case["script"])
