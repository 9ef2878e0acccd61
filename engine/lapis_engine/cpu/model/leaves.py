"""CPUID: the answer of a model on one vCPU.

SDM Vol. 2A "CPUID". What hangs on the vCPU, on the others, and on the clocks is put
into the row of the model here.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.cpu.model.features import FEATURES
from lapis_engine.cpu.model.record import CpuidLeaf
from lapis_engine.units import MASK32

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.model.record import CpuModel

Hypervisor = Literal["none", "kvm", "timing"]
HYPERVISORS: Final[tuple[Hypervisor, ...]] = ("none", "kvm", "timing")
"""No hypervisor; KVM's name without any of its features; the same with leaf 40000010H,
the frequencies."""
EXTENDED: Final = 0x8000_0000
VIRTUAL: Final = 0x4000_0000
TIMING: Final = VIRTUAL + 0x10
LAST_VIRTUAL: Final = {"none": 0, "kvm": VIRTUAL + 1, "timing": TIMING}
KVM: Final = (0x4B4D_564B, 0x564B_4D56, 0x4D)
"""EBX, ECX, EDX of 40000000H: KVMKVMKVM."""
BY_SUB_LEAF: Final = frozenset({4, 7, 0xB, 0xD, 0x1F})
TOPOLOGY: Final = frozenset({0xB, 0x1F})
MHZ: Final = 1_000_000
CORES: Final = 63
"""Most that bits 31:26 of leaf 4 hold."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What of the machine shows in CPUID."""

    apic_id: int
    vcpus: int
    is_apic_on: bool
    has_x2apic: bool
    has_deadline: bool
    has_tsc_adjust: bool
    has_osxsave: bool
    """CR4.OSXSAVE."""
    tsc_hz: int
    apic_hz: int
    """Frequency of the APIC timer before it is divided."""
    hypervisor: Hypervisor = "none"


def answer(model: CpuModel, leaf: int, sub: int, facts: Facts) -> CpuidLeaf:
    """Return what CPUID gives for EAX = `leaf` and ECX = `sub`, 32 bits each.

    A leaf out of range is answered with the highest basic one, by AMD with zeros.
    """
    if not is_there(model, leaf, facts.hypervisor):
        if model.vendor == "amd":
            return CpuidLeaf()
        leaf = model.leaf(0).eax
    if leaf in TOPOLOGY:
        return _topology(sub & 0xFF, facts)
    row = model.leaf(leaf, sub if leaf in BY_SUB_LEAF else 0)
    patch = PATCHES.get((leaf, sub if leaf in BY_SUB_LEAF else 0))
    return row if patch is None else patch(row, facts)


def is_there(model: CpuModel, leaf: int, hypervisor: Hypervisor) -> bool:
    """Tell whether a leaf lies in one of the ranges that there are."""
    if leaf >= EXTENDED:
        return leaf <= model.leaf(EXTENDED).eax
    if leaf >= VIRTUAL:
        return leaf <= LAST_VIRTUAL[hypervisor]
    return leaf <= model.leaf(0).eax


def _features(row: CpuidLeaf, facts: Facts) -> CpuidLeaf:
    """Leaf 1: the APIC's bits, and how many share the package."""
    ebx = row.ebx | min(facts.vcpus, 255) << 16 | (facts.apic_id & 0xFF) << 24
    on = {
        "X2APIC": facts.has_x2apic,
        "TSC_DEADLINE": facts.has_deadline,
        "OSXSAVE": facts.has_osxsave,
        "APIC": facts.is_apic_on,
        "HTT": facts.vcpus > 1,
    }
    found = {"ecx": row.ecx, "edx": row.edx}
    for name, is_on in on.items():
        feature = FEATURES[name]
        found[feature.register] &= ~(1 << feature.bit)
        found[feature.register] |= is_on << feature.bit
    if facts.hypervisor != "none":
        found["ecx"] |= 1 << FEATURES["HYPERVISOR"].bit
    return CpuidLeaf(row.eax, ebx, found["ecx"], found["edx"])


def _further_features(row: CpuidLeaf, facts: Facts) -> CpuidLeaf:
    adjust = facts.has_tsc_adjust << FEATURES["TSC_ADJUST"].bit
    return row._replace(ebx=row.ebx | adjust)


def _shift(vcpus: int) -> int:
    """Return the bits of an APIC id that number the cores of the package."""
    return max(vcpus - 1, 1).bit_length()


def _caches(row: CpuidLeaf, facts: Facts) -> CpuidLeaf:
    """Leaf 4: bits 31:26 are the ids of cores in the package, less one."""
    if not row.eax or facts.vcpus == 1:
        return row
    cores = min((1 << _shift(facts.vcpus)) - 1, CORES)
    return row._replace(eax=row.eax | cores << 26)


def _topology(level: int, facts: Facts) -> CpuidLeaf:
    """Leaves 0BH and 1FH: every vCPU is a core of its own in one package."""
    match level:
        case 0:
            return CpuidLeaf(0, 1, 0x100, facts.apic_id)
        case 1:
            return CpuidLeaf(_shift(facts.vcpus), facts.vcpus, 0x201, facts.apic_id)
        case _:
            return CpuidLeaf(0, 0, level, facts.apic_id)


def _ratio(_row: CpuidLeaf, facts: Facts) -> CpuidLeaf:
    """Leaf 15H: TSC to core crystal clock, which is what the APIC timer counts.

    Zero is "not told". So is a ratio of which the product with the clock in kHz has
    more than 32 bits: Linux reckons with so many (`native_calibrate_tsc`).
    """
    ratio = Fraction(facts.tsc_hz, facts.apic_hz)
    if ratio.numerator * (facts.apic_hz // 1000) >> 32 or facts.apic_hz >> 32:
        return CpuidLeaf()
    return CpuidLeaf(ratio.denominator, ratio.numerator, facts.apic_hz)


def _frequencies(_row: CpuidLeaf, facts: Facts) -> CpuidLeaf:
    """Leaf 16H: base, highest and bus frequency in MHz, or zeros if it is no whole."""
    base, rest = divmod(facts.tsc_hz, MHZ)
    if rest or base >> 16:
        return CpuidLeaf()
    return CpuidLeaf(base, base, facts.apic_hz // MHZ & 0xFFFF)


def _virtual(_row: CpuidLeaf, facts: Facts) -> CpuidLeaf:
    return CpuidLeaf(LAST_VIRTUAL[facts.hypervisor], *KVM)


def _timing(_row: CpuidLeaf, facts: Facts) -> CpuidLeaf:
    """Leaf 40000010H: TSC and APIC timer in kHz, as several hypervisors tell it."""
    return CpuidLeaf(facts.tsc_hz // 1000 & MASK32, facts.apic_hz // 1000)


PATCHES: Final[dict[tuple[int, int], Callable[[CpuidLeaf, Facts], CpuidLeaf]]] = {
    (1, 0): _features,
    **dict.fromkeys(((4, 0), (4, 1), (4, 2)), _caches),
    (7, 0): _further_features,
    (0x15, 0): _ratio,
    (0x16, 0): _frequencies,
    (VIRTUAL, 0): _virtual,
    (TIMING, 0): _timing,
}
"""(Leaf, sub-leaf) -> what is put into its row."""
