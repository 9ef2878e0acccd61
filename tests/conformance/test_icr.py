"""Every combination of the fields of the ICR, and whom it reaches (`icr.toml`)."""

from __future__ import annotations

import functools
import itertools
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from conformance.rig import Done, Rig
from conformance.script import Script
from lapis_engine.events import SipiReceived

TABLE = tomllib.loads((Path(__file__).parent / "icr.toml").read_text())
MODES = ("fixed", "lowest", "smi", "remote-read", "nmi", "init", "sipi", "reserved")
"""By bits 10:8."""
SHORTHANDS = ("none", "self", "all", "all-but-self")
"""By bits 19:18."""
PROFILES = ("sdm", "illumos")
PAGE, SENDER, VECTOR = 0xFEE0_0000, 1, 0x31
PEND_INIT = 0x4000
TARGETS = {"self": {1}, "all": {0, 1, 2, 3}, "all-but-self": {0, 2, 3}}
PHYSICAL, LOGICAL = 2, 0b1101
"""The destinations without shorthand, which name vCPU 2, and vCPUs 0, 2 and 3."""
Cell = tuple[str, str, bool, bool]
"""Mode, shorthand, edge, assert."""


def encode(cell: Cell, vector: int = VECTOR, *, logical: bool = False) -> int:
    mode, shorthand, edge, assert_ = cell
    low = vector | MODES.index(mode) << 8 | SHORTHANDS.index(shorthand) << 18
    return low | logical << 11 | assert_ << 14 | (not edge) << 15


class Field:
    """Four processors, set up anew for each case: one machine serves them all."""

    def __init__(self, profile: str, *, x2apic: bool) -> None:
        self.rig, self.x2apic = Rig(4, profile), x2apic
        self.rig.bring_up(SENDER)
        base = 0xFEE0_0C00 if x2apic else 0xFEE0_0800
        for vcpu, priority in zip(
            self.rig.machine.vcpus, (0x40, 0, 0x20, 0x50), strict=True
        ):
            apic = vcpu.apic
            apic.apicbase, apic.svr = base | (vcpu.id == 0) << 8, 0x1FF
            apic.ldr = 1 << vcpu.id << 24
            apic.tpr = apic.ppr = priority
        self.kept = [
            {each.name: getattr(vcpu.apic, each.name) for each in fields(vcpu.apic)}
            | {"run_state": vcpu.run_state}
            for vcpu in self.rig.machine.vcpus
        ]

    def settle(self) -> None:
        """Put everything back that a case can have changed."""
        for vcpu, kept in zip(self.rig.machine.vcpus, self.kept, strict=True):
            for each in fields(vcpu.apic):
                setattr(vcpu.apic, each.name, kept[each.name])
            vcpu.run_state, vcpu.nmi_pending = kept["run_state"], False

    def write(self, low: int, destination: int) -> Done:
        """Let the sender write the ICR, as its mode has it."""
        if self.x2apic:
            return self.rig.wrmsr(SENDER, 0x830, destination << 32 | low)
        self.rig.store(SENDER, PAGE + 0x310, destination << 24)
        return self.rig.store(SENDER, PAGE + 0x300, low)

    def read(self) -> int:
        if self.x2apic:
            return self.rig.rdmsr(SENDER, 0x830)[1]
        return self.rig.load(SENDER, PAGE + 0x300)[1]

    def arrived(self, done: Done) -> dict[int, set[str]]:
        """What each vCPU has got, those left out that got nothing."""
        found: dict[int, set[str]] = {}
        for vcpu, kept in zip(self.rig.machine.vcpus, self.kept, strict=True):
            got = {f"{n:#x}" for n in range(256) if vcpu.apic.irr >> n & 1}
            got |= {"nmi"} if vcpu.nmi_pending else set()
            changed = vcpu.run_state ^ kept["run_state"]
            got |= {"init"} if changed == PEND_INIT else set()
            for event in done.events:
                if isinstance(event, SipiReceived) and event.vcpu == vcpu.id:
                    got.add(f"sipi-{event.vector:#x}")
            if got:
                found[vcpu.id] = got
        return found

    def esr(self) -> int:
        return self.rig.vcpu(SENDER).apic.esr_pending


@functools.cache
def _field(profile: str, *, x2apic: bool) -> Field:
    return Field(profile, x2apic=x2apic)


def field(profile: str, mode: str) -> Field:
    found = _field(profile, x2apic=mode == "x2apic")
    found.settle()
    return found


def what(mode: str, vector: int) -> str:
    """What a delivery mode does at its target."""
    if mode == "sipi":
        return f"sipi-{vector:#x}"
    return mode if mode in {"nmi", "init"} else f"{vector:#x}"


def _cells(row: dict[str, Any]) -> list[Cell]:
    return list(
        itertools.product(row["modes"], row["shorthands"], row["edge"], row["assert"])
    )


def _combinations() -> list[Any]:
    found = []
    for row, profile in itertools.product(TABLE["combination"], PROFILES):
        for cell, logical, mode in itertools.product(
            _cells(row), (False, True), ("xapic", "x2apic")
        ):
            kind, shorthand, edge, assert_ = cell
            name = "-".join(
                (kind, shorthand, "edge" if edge else "level",
                 "assert" if assert_ else "de-assert",
                 "logical" if logical else "physical", mode, profile)
            )  # fmt: skip
            case = cell, logical, mode, profile, row[profile]
            found.append(pytest.param(*case, id=name))
    return found


def test_the_table_has_every_combination_once() -> None:
    cells = [cell for row in TABLE["combination"] for cell in _cells(row)]
    every = itertools.product(MODES, SHORTHANDS, (True, False), (True, False))
    assert sorted(cells) == sorted(every)
    assert len(cells) == 8 * 4 * 2 * 2
    assert all(row["cite"] for kind in TABLE.values() for row in kind)


@pytest.mark.parametrize(
    ("cell", "logical", "mode", "profile", "result"), _combinations()
)
def test_a_combination(
    cell: Cell, logical: bool, mode: str, profile: str, result: str
) -> None:
    machine = field(profile, mode)
    low = encode(cell, logical=logical)
    done = machine.write(low, LOGICAL if logical else PHYSICAL)
    assert (done.exit, done.fault) == (None, None)
    kind, shorthand, _, _ = cell
    named = {0, 2, 3} if logical else {2}
    targets = TARGETS.get(shorthand, named)
    if result == "dropped":
        targets = set()
    elif result == "lowest":
        targets = {2}
    expected = {target: {what(kind, VECTOR)} for target in targets}
    assert machine.arrived(done) == expected
    assert machine.esr() == 0
    assert machine.read() & 0xFFFF_FFFF == low


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", ["fixed", "nmi"])
@pytest.mark.parametrize(
    ("row", "to", "reached"),
    [
        pytest.param(
            row,
            case["to"],
            case["reached"],
            id=f"{row['mode']}-{'logical' if row['logical'] else 'physical'}"
            f"{'-cluster' if row.get('model', 0) == 0x0FFF_FFFF else ''}"
            f"-{case['to']:#x}",
        )
        for row in TABLE["destination"]
        for case in row["cases"]
    ],
)
def test_a_destination(
    row: dict[str, Any], to: int, reached: list[int], kind: str, profile: str
) -> None:
    machine = field(profile, row["mode"])
    if "model" in row:
        for vcpu, number in zip(machine.rig.machine.vcpus, row["ids"], strict=True):
            vcpu.apic.dfr, vcpu.apic.ldr = row["model"], number << 24
    cell = kind, "none", True, True
    done = machine.write(encode(cell, logical=row["logical"]), to)
    assert machine.arrived(done) == {n: {what(kind, VECTOR)} for n in reached}


@pytest.mark.parametrize("mode", ["xapic", "x2apic"])
@pytest.mark.parametrize(
    ("row", "kind", "vector", "profile"),
    [
        pytest.param(
            row, kind, vector, profile,
            id=f"{kind}-{row['shorthand']}-{vector:#x}-{profile}",
        )
        for row in TABLE["vector"]
        for kind in row["modes"]
        for vector in row["vectors"]
        for profile in PROFILES
    ],
)  # fmt: skip
def test_a_vector(
    row: dict[str, Any], kind: str, vector: int, profile: str, mode: str
) -> None:
    machine = field(profile, mode)
    done = machine.write(encode((kind, row["shorthand"], True, True), vector), 0)
    assert (done.exit, done.fault) == (None, None)
    targets = TARGETS[row["shorthand"]] if row[profile]["sent"] else set()
    assert machine.arrived(done) == {n: {what(kind, vector)} for n in targets}
    assert machine.esr() == row[profile]["esr"]


@pytest.mark.parametrize(
    ("case", "profile"),
    [
        pytest.param(case, profile, id=f"{case['id']}-{profile}")
        for case in TABLE["case"]
        for profile in case["profiles"]
    ],
)
def test_acts(case: dict[str, Any], profile: str) -> None:
    Script(Rig(case.get("cpus", 1), profile)).run(case["script"])
