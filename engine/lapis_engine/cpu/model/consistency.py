"""Whether a model agrees with itself.

A model says one thing in several places: a bit of CPUID, a bit of CR4, an MSR. A guest
that believes one of them must not be let down by another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.model.contents import fault
from lapis_engine.cpu.model.features import (
    CR4_NEEDS,
    EFER_NEEDS,
    FEATURE_NEEDS,
    FEATURES,
    UNMODELLED,
)
from lapis_engine.cpu.model.leaves import EXTENDED
from lapis_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.model.record import CpuModel

HYPERVISOR: Final = range(0x4000_0000, 0x5000_0000)
XSAVE_AREA: Final = 0x240
X87: Final = 1
SSE: Final = 2
"""XCR0 (SDM Vol. 1 "XSAVE-Supported Features")."""


def check(model: CpuModel) -> None:
    """Raise `ConfigError` naming the first contradiction in a model."""
    for what in contradictions(model):
        raise ConfigError(f"CPU model {model.name!r} contradicts itself: {what}")


def contradictions(model: CpuModel) -> Iterator[str]:
    """Yield in what a model contradicts itself, a sentence each."""
    yield from _leaves(model)
    yield from _features(model)
    yield from _registers(model)
    yield from _xcr0(model)
    yield from _msrs(model)


def _leaves(model: CpuModel) -> Iterator[str]:
    newest, extended = model.leaf(0).eax, model.leaf(EXTENDED).eax
    for leaf, sub in sorted(model.leaves):
        if leaf in HYPERVISOR:
            yield f"leaf {leaf:#x} is the hypervisor's, and no model's"
        elif leaf > (extended if leaf >= EXTENDED else newest):
            yield f"leaf {leaf:#x} lies beyond the highest one"
        for register, value in model.leaves[leaf, sub]._asdict().items():
            if not 0 <= value < 1 << 32:
                yield f"leaf {leaf:#x}.{sub}: {register.upper()} has 32 bits"
    if model.leaf(0)[1:] != model.leaf(EXTENDED)[1:]:
        yield "leaves 0 and 0x80000000 name two vendors"
    name = b"".join(model.leaf(0)[at].to_bytes(4, "little") for at in (1, 3, 2))
    if name != {"intel": b"GenuineIntel", "amd": b"AuthenticAMD"}[model.vendor]:
        yield f"its vendor is {model.vendor}, and leaf 0 says {name.decode('latin1')!r}"


def _features(model: CpuModel) -> Iterator[str]:
    for name in UNMODELLED:
        if model.offers(name):
            yield f"{name} is offered, which the engine does not model or sets itself"
    for name, needed in FEATURE_NEEDS.items():
        for other in needed:
            if model.offers(name) and not model.offers(other):
                yield f"{name} is offered without {other}"


def _registers(model: CpuModel) -> Iterator[str]:
    for register, mask, needs in (
        ("CR4", model.cr4, CR4_NEEDS), ("EFER", model.efer, EFER_NEEDS)
    ):  # fmt: skip
        for bit, name in needs.items():
            has = bool(mask >> bit & 1)
            if has and not model.offers(name):
                yield f"bit {bit} of {register} can be set, and {name} is not offered"
            elif model.offers(name) and not has:
                yield f"{name} is offered, and bit {bit} of {register} cannot be set"


def _xcr0(model: CpuModel) -> Iterator[str]:
    area, has = model.leaf(0xD), model.offers("XSAVE")
    if not has and model.xcr0:
        yield "XCR0 has bits, and XSAVE is not offered"
    if not has and any(area):
        yield "leaf 0xd describes an area, and XSAVE is not offered"
    if not has:
        return
    if not model.xcr0 & X87:
        yield "XSAVE is offered, and XCR0 lacks bit 0, which is always set"
    if area.eax | area.edx << 32 != model.xcr0:
        yield f"leaf 0xd offers XCR0 = {area.eax:#x}, and it takes {model.xcr0:#x}"
    if model.xcr0 & ~(X87 | SSE):
        yield f"XCR0 takes {model.xcr0:#x}: x87 and SSE are all there is"
    if area.ecx != XSAVE_AREA:
        yield f"leaf 0xd: an area of {area.ecx} bytes, and x87 and SSE take 576"


def _msrs(model: CpuModel) -> Iterator[str]:
    for number, msr in sorted(model.msrs.items()):
        if msr.feature is not None and msr.feature not in FEATURES:
            yield f"{msr.name} comes with {msr.feature!r}, which is no feature"
        elif msr.feature is not None and not model.offers(msr.feature):
            yield f"{msr.name} is there, and {msr.feature} is not offered"
        if fault(msr, msr.reset, msr.reset) is not None:
            yield f"{msr.name} has a reset value that it does not take"
        if msr.writable >> 64 or msr.reset >> 64:
            yield f"{msr.name}: an MSR has 64 bits"
        if not 0 <= number < 1 << 32:
            yield f"MSR {number:#x}: a number has 32 bits"
