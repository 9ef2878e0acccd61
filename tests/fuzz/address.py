"""ModRM, SIB and displacement of a memory operand, aimed at an address.

The register that serves as base is set so that the operand lies where it should: an
assembler for one operand, on its own, that shares nothing with the engine's decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

RBX, RSP, RBP, RSI, RDI = 3, 4, 5, 6, 7
FORMS_16 = (
    (RBX, RSI), (RBX, RDI), (RBP, RSI), (RBP, RDI),
    (RSI, None), (RDI, None), (RBP, None), (RBX, None),
)  # fmt: skip
"""r/m of 16-bit addressing -> base, index."""


@dataclass(slots=True)
class Operand:
    """How an operand is encoded, and what its offset is made of."""

    mod: int
    rm: int
    """ModRM.rm, 3 bits."""
    sib: int | None = None
    disp: int = 0
    disp_size: int = 0
    base: int | None = None
    """Register whose value is free to be set."""
    index: int | None = None
    scale: int = 1
    relative: bool = False
    """To the end of the instruction."""
    stack: bool = False
    """Its default segment is SS."""

    @property
    def rex_b(self) -> int:
        """REX.B that it needs."""
        return self.base >> 3 if self.base is not None else 0

    @property
    def rex_x(self) -> int:
        """REX.X that it needs."""
        return self.index >> 3 if self.index is not None else 0


def choose(rng: random.Random, bits: int, addrsize: int) -> Operand:
    """Choose the form of an operand; `addrsize` is in bytes."""
    if addrsize == 2:
        return _choose_16(rng)
    top = 16 if bits == 64 else 8
    disp_size = rng.choice((0, 1, 4))
    mod = {0: 0, 1: 1, 4: 2}[disp_size]
    disp = _disp(rng, disp_size)
    kind = rng.random()
    if kind < 0.4:
        base = rng.choice([n for n in range(top) if n & 7 != RSP])
        if mod == 0 and base & 7 == RBP:
            mod, disp_size = 1, 1
        stack = base == RBP
        return Operand(mod, base & 7, None, disp, disp_size, base, stack=stack)
    if kind < 0.5:
        return Operand(0, 5, None, 0, 4, relative=bits == 64)
    index = rng.choice([None] + [n for n in range(top) if n != RSP])
    shift = rng.randrange(4)
    if kind < 0.62:
        sib = shift << 6 | ((index if index is not None else 4) & 7) << 3 | 5
        return Operand(0, 4, sib, 0, 4, None, index, 1 << shift)
    base = rng.choice([n for n in range(top) if n != index])
    if mod == 0 and base & 7 == RBP:
        mod, disp_size = 1, 1
    sib = shift << 6 | ((index if index is not None else 4) & 7) << 3 | base & 7
    stack = base in {RSP, RBP}
    return Operand(mod, 4, sib, disp, disp_size, base, index, 1 << shift, stack=stack)


def _choose_16(rng: random.Random) -> Operand:
    rm = rng.randrange(8)
    base, index = FORMS_16[rm]
    mod = rng.randrange(3)
    if mod == 0 and rm == 6:
        return Operand(0, 6, None, 0, 2)
    size = (0, 1, 2)[mod]
    return Operand(
        mod, rm, None, _disp(rng, size), size, base, index, stack=base == RBP
    )


def _disp(rng: random.Random, size: int) -> int:
    if size == 0:
        return 0
    half = 1 << (8 * size - 1)
    return rng.randrange(-half, half) if rng.random() < 0.5 else rng.randrange(-64, 64)


def aim(
    rng: random.Random, operand: Operand, gpr: list[int], addrsize: int, offset: int
) -> bool:
    """Set base or displacement so that the operand's offset is `offset`.

    `offset` counts from the end of the instruction when it is relative. False when
    the form cannot reach it.
    """
    mask = (1 << (8 * addrsize)) - 1
    index = gpr[operand.index] * operand.scale if operand.index is not None else 0
    if operand.base is not None:
        low = (offset - operand.disp - index) & mask
        wide = (1 << 64) - 1 if any(v >> 32 for v in gpr) else (1 << 32) - 1
        gpr[operand.base] = rng.getrandbits(64) & wide & ~mask | low
        return True
    value = (offset - index) & mask
    if operand.index is not None:  # let the displacement be small
        gpr[operand.index] &= ~mask
        gpr[operand.index] |= (
            (offset - rng.randrange(-64, 64)) // operand.scale
        ) & mask
        value = (offset - gpr[operand.index] * operand.scale) & mask
    half = 1 << (8 * operand.disp_size - 1)
    if value >= mask + 1 - half:
        value -= mask + 1
    if not -half <= value < (half if addrsize == 8 else half * 2):
        return False
    operand.disp = value
    return True


def encode(operand: Operand, reg: int) -> bytes:
    """Return ModRM with `reg`, SIB and displacement."""
    out = bytes((operand.mod << 6 | (reg & 7) << 3 | operand.rm,))
    if operand.sib is not None:
        out += bytes((operand.sib,))
    size = operand.disp_size
    return out + (operand.disp & (1 << 8 * size) - 1).to_bytes(size, "little")
