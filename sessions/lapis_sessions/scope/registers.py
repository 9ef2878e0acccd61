"""The registers of a vCPU by name, with their parts, and the names of parts of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lapis_engine.cpu.registers import GPR_NAMES, SEGMENT_NAMES
from lapis_engine.explain import explain
from lapis_sessions.scope.lazy import Made
from lapis_sessions.text.decoded import Decoded

if TYPE_CHECKING:
    from lapis_engine.cpu.registers import Registers, Segment

Maker = Callable[["Registers"], Any]
OLD: Final = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
"""Of the first eight, the name of the low half, which the others are made from."""


def decoded(value: int, what: str) -> Decoded:
    """Return a value with the parts that `explain` knows of a `what`."""
    return Decoded(value, what, _parts(value, what))


@lru_cache(maxsize=512)
def _parts(value: int, what: str) -> Mapping[str, int]:
    """Return fields by their names as they can be typed: `delivery_mode`, `if`."""
    return {
        typed(field.name): field.value
        for field in reversed(explain(what, value).fields)
    }


def typed(name: str) -> str:
    """Return a name of the manuals as it can be typed.

    >>> typed("D/B"), typed("EOI-broadcast suppression"), typed("IF")
    ('d_b', 'eoi_broadcast_suppression', 'if')
    """
    words = "".join(c if c.isalnum() else " " for c in name.lower()).split()
    return "_".join(words)


class Narrow(NamedTuple):
    """A part of a general register that has a name."""

    number: int
    low: int
    """Its lowest bit in the whole."""
    bits: int

    @property
    def whole(self) -> str:
        """Name of the register that it is a part of."""
        return GPR_NAMES[self.number]


def _narrow() -> dict[str, Narrow]:
    found: dict[str, Narrow] = {}
    for number, old in enumerate(OLD):
        byte = f"{old[0]}l" if old.endswith("x") else f"{old}l"
        found |= {
            f"e{old}": Narrow(number, 0, 32), old: Narrow(number, 0, 16),
            byte: Narrow(number, 0, 8),
        }  # fmt: skip
        if old.endswith("x"):
            found[f"{old[0]}h"] = Narrow(number, 8, 8)
    for number in range(len(OLD), len(GPR_NAMES)):
        for tail, bits in (("d", 32), ("w", 16), ("b", 8)):
            found[f"{GPR_NAMES[number]}{tail}"] = Narrow(number, 0, bits)
    return found


NARROW: Final[Mapping[str, Narrow]] = MappingProxyType(_narrow())
"""By name: eax, ax, al, ah, r8d and so on."""


def _gpr(it: Narrow) -> Maker:
    number, low, mask = it.number, it.low, (1 << it.bits) - 1
    return lambda regs: int(regs.gpr[number]) >> low & mask


def _segment(take: Callable[[Registers], Segment]) -> Maker:
    def make(regs: Registers) -> Decoded:
        it = take(regs)
        parts = {"base": it.base, "limit": it.limit, "flags": it.flags}
        return Decoded(it.selector, "", parts | {"rpl": it.selector & 3})

    return make


def _table(take: Callable[[Registers], Segment]) -> Maker:
    return lambda regs: {"base": take(regs).base, "limit": take(regs).limit}


def _segments() -> dict[str, Maker]:
    found: dict[str, Maker] = {
        name: _segment(lambda regs, number=number: regs.segment(number))  # type: ignore[misc]
        for number, name in enumerate(SEGMENT_NAMES)
    }
    found |= {
        "ldtr": _segment(lambda regs: regs.ldtr), "tr": _segment(lambda regs: regs.tr),
        "gdtr": _table(lambda regs: regs.gdtr), "idtr": _table(lambda regs: regs.idtr),
    }  # fmt: skip
    return found


def _flags(regs: Registers) -> Decoded:
    return decoded(regs.rflags, "rflags")


def _drs() -> dict[str, Maker]:
    return {
        f"dr{n}": lambda regs, n=n: int(regs.dr[n])  # type: ignore[misc]
        for n in (0, 1, 2, 3, 6, 7)
    }


MAKERS: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        **{name: _gpr(Narrow(n, 0, 64)) for n, name in enumerate(GPR_NAMES)},
        "rip": lambda regs: regs.rip,
        "pc": lambda regs: regs.linear_rip,
        "rflags": _flags,
        **_segments(),
        "cr0": lambda regs: decoded(regs.cr0, "cr0"),
        "cr2": lambda regs: regs.cr2,
        "cr3": lambda regs: regs.cr3,
        "cr4": lambda regs: decoded(regs.cr4, "cr4"),
        "efer": lambda regs: decoded(regs.efer, "efer"),
        "xcr0": lambda regs: regs.xcr0,
        **_drs(),
        "cpl": lambda regs: regs.cpl,
        "mode": lambda regs: regs.mode,
    }
)
"""By name. `pc` is RIP as a linear address, as breakpoints take it."""
ALIASES: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        **{name: _gpr(it) for name, it in NARROW.items()},
        "eip": lambda regs: regs.rip & 0xFFFF_FFFF,
        "ip": lambda regs: regs.rip & 0xFFFF,
        "eflags": _flags,
        "flags": _flags,
    }
)
"""Other names, and names of parts, which are not listed."""


def of(regs: Registers) -> Mapping[str, Any]:
    """Return the registers by name."""
    return Made(MAKERS, regs, ALIASES)
