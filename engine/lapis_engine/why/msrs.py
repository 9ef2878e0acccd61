"""Every MSR that a vCPU has, by number, with its name and what RDMSR would return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.model.tables import MSRS
from lapis_engine.errors import EngineError

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

OTHERS: Final = {
    0x10: "IA32_TIME_STAMP_COUNTER", 0x1B: "IA32_APIC_BASE",
    0x6E0: "IA32_TSC_DEADLINE", 0xC000_0080: "IA32_EFER",
    0xC000_0100: "IA32_FS_BASE", 0xC000_0101: "IA32_GS_BASE",
}  # fmt: skip
"""Those that are not kept in the table: the processor, or a device, has them."""
NAMES: Final = {**{number: it.name for number, it in MSRS.items()}, **OTHERS}


class MsrRow(NamedTuple):
    """One MSR."""

    number: int
    name: str
    value: int


def msrs(machine: Machine, number: int) -> tuple[MsrRow, ...]:
    """Return those that can be read; raise `EngineError` without such a vCPU.

    Those of x2APIC mode are registers of the APIC, and not here.
    """
    number = machine.vcpu(number).id
    rows = []
    for msr, name in sorted(NAMES.items()):
        try:
            rows.append(MsrRow(msr, name, machine.read_msr(number, msr)))
        except EngineError:  # this model has none, or it is not to be read
            continue
    return tuple(rows)
