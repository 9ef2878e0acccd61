"""What an instruction that moves data to or from devices means, once decoded.

Records alone: `decode` makes them, `execute` and `ports` carry them out.
"""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.cpu.registers import DS


@dataclass(frozen=True, slots=True)
class RegisterOperand:
    """A general register; `high` is AH, CH, DH or BH of `index` 0 to 3."""

    index: int
    high: bool = False


@dataclass(frozen=True, slots=True)
class MemoryOperand:
    """An effective address: base + index * scale + disp, and a segment."""

    segment: int
    """ES CS SS DS FS GS as 0 to 5, default or override."""
    base: int | None = None
    index: int | None = None
    scale: int = 1
    disp: int = 0
    """Signed displacement, or unsigned offset of A0-A3."""
    rip_relative: bool = False
    """Relative to the end of the instruction."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """A decoded move."""

    op: str
    """mov, movzx, movsx (also MOVSXD), movs or stos."""
    bits: int
    """Mode of the code segment: 16, 32 or 64."""
    length: int
    opsize: int
    """Bytes of the destination: 1, 2, 4 or 8."""
    memsize: int
    """Bytes that move to or from memory; less than `opsize` for movzx and movsx."""
    addrsize: int
    """Bytes of the effective address: 2, 4 or 8."""
    mem: MemoryOperand
    """For movs the source (rSI), for stos the destination (rDI)."""
    load: bool
    """Memory to register; False is a store. A movs is both and says True."""
    reg: RegisterOperand | None = None
    immediate: int | None = None
    """Sign-extended, then cut to `opsize`."""
    rep: bool = False
    repne: bool = False

    @property
    def repeats(self) -> bool:
        """Repeat by rCX: either prefix does that to MOVS and STOS."""
        return self.rep or self.repne


@dataclass(frozen=True, slots=True)
class PortInstruction:
    """A decoded IN, OUT, INS or OUTS."""

    bits: int
    """Mode of the code segment: 16, 32 or 64."""
    length: int
    opsize: int
    """1, 2 or 4."""
    addrsize: int
    """2, 4 or 8."""
    read: bool
    """IN or INS."""
    string: bool
    port: int | None = None
    """Immediate port; None is DX."""
    segment: int = DS
    """Of the memory side of OUTS; INS always uses ES."""
    repeats: bool = False
    """REP or REPNE in front of INS or OUTS."""
