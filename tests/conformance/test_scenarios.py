"""Scenarios: acts of guest and user, and what is seen after each (`script`).

Mutants of a single token or condition tried by hand on `vmm`, all killed but one:
arbitration: the shadow ignored by NMI, by interrupts; NMI blocking ignored, by HLT too;
IF ignored; a delivered ExtINT or NMI kept; NMI that blocks nothing; INIT that keeps
the event in delivery or ExtINT; restart of the BSP inverted; an event in delivery or
INIT that does not wake; the fall of INTR not told.
fabric: EOI to LINT0, EOI suppression, the cascade, ExtINT at LINT0 inverted; IRQ 0 on
pin 0; LINT0 fired as INTR falls, its mask ignored; INTR of a disabled APIC on the APs;
lowest priority by the second number; inactive and disabled APICs that take messages;
NMI messages in bhyve; a level message as an edge.
runstate: `is_pending` inverted; a SIPI kept by INIT, or once taken; the INIT bit not
set; a SIPI latched never, not the first, not behind a pending INIT; the BSP waiting.
Survivor: `or` for `and` in `wired` of `fabric._intr`: a masked LINT0 entry fires, and
`lvt.fire` stops it; only the log shows it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.rig import Rig
from conformance.script import Script

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))
TABLES = {"A": 9, "B": 16, "C": 10, "D": 9, "E": 10}
"""Rows of the tables of scenarios in reference 1.1.6, 1.2.5, 1.3.6, 1.4.4 and 1.5.6."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a script, and the profiles under which it must come true."""

    id: str
    cite: str
    profiles: list[str]
    script: str
    cpus: int = 1
    bits: int = 64


CASES = [
    (path.stem, Case(**row))
    for path in FILES
    for row in tomllib.loads(path.read_text())["case"]
]
RUNS = [(stem, case, profile) for stem, case in CASES for profile in case.profiles]


@pytest.mark.parametrize(
    ("case", "profile"),
    [(case, profile) for _, case, profile in RUNS],
    ids=[f"{stem}-{case.id}-{profile}" for stem, case, profile in RUNS],
)
def test_scenario(case: Case, profile: str) -> None:
    rig = Rig(case.cpus, profile, wide=case.bits == 64)
    Script(rig).run(case.script)


def test_every_case_says_where_it_comes_from() -> None:
    assert [case.id for _, case in CASES if not case.cite] == []


def test_every_row_of_the_tables_is_here() -> None:
    rows = {f"{table}{n}" for table, last in TABLES.items() for n in range(1, last + 1)}
    assert rows - {case.id.partition("-")[0] for _, case in CASES} == set()
