"""A model of a processor as a record: CPUID leaves, MSRs, and bits of registers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from lapis_engine.cpu.model.features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cpu.model.features import Feature

Vendor = Literal["intel", "amd"]
Form = Literal[
    "any", "canonical", "low-half", "types", "pat", "mtrr-base", "mtrr-type", "empty"
]
"""What an MSR takes, beside its writable bits: an address, 32 bits of which the rest is
lost, eight memory types of MTRRs or of the PAT, one memory type in bits 7:0, or nothing
though it can be written: no bit of it is there."""


class CpuidLeaf(NamedTuple):
    """What CPUID leaves in four registers, 32 bits each."""

    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0


class Msr(NamedTuple):
    """A model-specific register that is kept as it was written."""

    name: str
    reset: int = 0
    writable: int = (1 << 64) - 1
    """Bits that may change; to change another is #GP(0)."""
    form: Form = "any"
    feature: str | None = None
    """It is there with this feature alone."""


@dataclass(frozen=True, slots=True)
class CpuModel:
    """What one processor offers. Bits are as in the registers themselves."""

    name: str
    text: str
    """One line about it."""
    vendor: Vendor
    """Whose rules hold where the two differ: system calls, upper halves of MSRs."""
    leaves: Mapping[tuple[int, int], CpuidLeaf]
    """(Leaf, sub-leaf) -> answer; a leaf without sub-leaves has (leaf, 0) only. What
    hangs on the vCPU is left 0, and put in by `leaves`."""
    msrs: Mapping[int, Msr]
    """Those that are kept as written; the APIC's and the clock's are not among them."""
    cr0: int
    """Bits of CR0 that there are; so the next."""
    cr4: int
    xcr0: int
    """0 where there is no XCR0."""
    efer: int
    """LMA, which is read-only, among them."""
    dr6: int
    dr7: int

    def leaf(self, leaf: int, sub: int = 0) -> CpuidLeaf:
        """Return a row of the table, or zeros."""
        return self.leaves.get((leaf, sub), CpuidLeaf())

    def has(self, feature: Feature) -> bool:
        """Tell whether CPUID offers a feature."""
        row = self.leaf(feature.leaf, feature.sub)
        return bool(getattr(row, feature.register) >> feature.bit & 1)

    def offers(self, name: str) -> bool:
        """Tell whether CPUID offers the feature of this name."""
        return self.has(FEATURES[name])
