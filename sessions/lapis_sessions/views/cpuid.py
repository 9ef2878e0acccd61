"""What CPUID answers, with the names of its feature bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.vmm import cpuid
from lapis_sessions.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.machine.machine import Machine

MOST: Final = 0xFFFF_FFFF
"""EAX and ECX have 32 bits."""


@dataclass(frozen=True, slots=True)
class CpuidView:
    """One leaf of CPUID on one vCPU."""

    vcpu: int
    leaf: int
    sub: int
    eax: int
    ebx: int
    ecx: int
    edx: int
    features: tuple[str, ...]
    """Names of the feature bits that are set."""


def of(machine: Machine, number: int, at: tuple[int, int] | None) -> list[CpuidView]:
    """Return leaf and sub-leaf `at`, or all; raise `CommandError` beyond the range."""
    vm, vcpu = machine.vm, machine.vcpu(number)
    if at is not None:
        _check(machine, *at)
    out = []
    for leaf, sub in cpuid.listed(vm) if at is None else [at]:
        found = cpuid.answer(vm, vcpu, leaf, sub)
        features = cpuid.bit_names(leaf, sub, found)
        out.append(CpuidView(number, leaf, sub, *found, features))
    return out


def _check(machine: Machine, leaf: int, sub: int) -> None:
    if not 0 <= sub <= MOST:
        raise CommandError(f"sub-leaf {sub:#x}: ECX has 32 bits")
    if not cpuid.is_in_range(machine.vm, leaf):
        there = ", ".join(f"{a:#x} to {b:#x}" for a, b in cpuid.ranges(machine.vm))
        raise CommandError(
            f"CPUID leaf {leaf:#x} is out of range: CPU "
            f"{machine.vm.cpu.model.name} has {there}"
        )


def text(rows: Sequence[CpuidView]) -> str:
    """Return a line per leaf, with the features below it."""
    out = ["leaf       sub  eax      ebx      ecx      edx"]
    for row in rows:
        words = " ".join(f"{n:08x}" for n in (row.eax, row.ebx, row.ecx, row.edx))
        out.append(f"{row.leaf:#010x} {row.sub:>3x}  {words}")
        if row.features:
            out += _wrapped(row.features)
    return "\n".join(out)


def _wrapped(features: Sequence[str], width: int = 72) -> list[str]:
    lines, line = [], ""
    for name in features:
        if line and len(line) + 1 + len(name) > width:
            lines.append(f"    {line}")
            line = ""
        line = f"{line} {name}".strip()
    return [*lines, f"    {line}"]
