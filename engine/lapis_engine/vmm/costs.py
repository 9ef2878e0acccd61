"""What an access takes on the virtual clock, beside the instruction that makes it.

An instruction takes 1 ns, whatever it does; an access of a kind that costs something
takes so many ns more. That is paid once, when the access has been made or the user has
answered it, and behind the instruction: it sees the time at which it began, and what
comes due meanwhile fires in the order of its deadlines before the next one. Turns and
budgets count instructions, and costs use nothing of them up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 1_000_000
"""ns that one access may take."""


@dataclass(frozen=True, slots=True)
class Costs:
    """ns that an access takes, by kind."""

    port: int = 0
    """IN, OUT, and each element of INS and OUTS, whoever answers."""
    mmio: int = 0
    """An access to a device, the APIC page among them, or to what nobody serves; each
    one that an instruction makes. Memory costs nothing, and ROM is memory."""
    rdtsc: int = 0
    """RDTSC and RDTSCP."""
    cpuid: int = 0
    msr: int = 0
    """RDMSR and WRMSR, those of the x2APIC among them; not one that faults."""

    def check(self) -> None:
        """Raise `ConfigError` naming the first one that cannot be."""
        for kind in KINDS:
            value = getattr(self, kind)
            if not 0 <= value <= MOST:
                raise ConfigError(f"cost of {kind} {value}: 0 to {MOST} ns")

    def some(self) -> dict[str, int]:
        """Return those that cost something, by kind."""
        each = {kind: getattr(self, kind) for kind in KINDS}
        return {kind: value for kind, value in each.items() if value}


KINDS: Final = tuple(field.name for field in fields(Costs))
FREE: Final = Costs()

SETS: Final[Mapping[str, Costs]] = MappingProxyType(
    {
        "none": FREE,
        "pc": Costs(port=1000, mmio=200, rdtsc=25, cpuid=100, msr=50),
        "firmware": Costs(port=1000, mmio=200, rdtsc=2000, cpuid=100, msr=50),
        "board": Costs(port=1200, mmio=250, rdtsc=10, cpuid=60, msr=40),
    }
)
"""Costs by name. `pc` is what a PC takes, about; firmware that waits by RDTSC alone
needs it dearer, or it goes through a thousand times as many instructions as there.
`board` is what a board of today takes: a cycle on the bus of ports, an uncached access
to a device in the chipset, and some tens of cycles in the processor."""
