"""What may differ between the processor of the host and the engine's, and what not."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from rigs.native_cpu.layout import PF, STATUS, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

GPR: Final = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
PRESENT: Final = 1
"""In the error of a page fault: the kernel may have pages where we have none."""
DE, PE, DAZ = 2, 0x20, 0x40
"""MXCSR: the processor underneath never sets DE."""
ROUNDS: Final = re.compile(r"0f3a0[89ab].*[89a-f]$")
"""An instruction of ROUND whose immediate says that PE is not to be set."""
PICKS: Final = re.compile(r" (66|f2|f3)?(4.)?0f5[df]")
"""MIN or MAX."""
DOTS: Final = re.compile(r"0f3a4[01]")
ZF: Final = 0x40
EQUAL_ORDERED: Final = 0xC
"""Bits 3:2 of the immediate (SDM Vol. 1 "Aggregation Operation")."""
GP: Final = 13
SS: Final = 12
EDGE: Final = 1 << 47
"""The first linear address that is not canonical."""

NAN = "which NaN"
ROUND = "PE of ROUND"
PICK = "MIN and MAX with DAZ"
DOT = "dot products of -0"
DOT_FLAGS = "flags of dot products"
CANONICAL = "edge of what is canonical"
CMPXCHG = "flags of CMPXCHG8B"
ORDERED = "equal ordered"
NO_BIT = "BSF and BSR of 0"
KNOWN: Final = {
    NAN: "SSE: of two NaN operands QEMU takes the larger, as x87 does, and not the "
    'first (SDM Vol. 1 "Rules for Handling NaNs"); which NaN comes out differs',
    ROUND: "ROUNDPS and its kin set PE though bit 3 of the immediate forbids it",
    PICK: "MIN and MAX with MXCSR.DAZ give a denormal operand as it is, and not as 0",
    DOT: "DPPS and DPPD add their products to +0, so that of -0 and -0 comes +0",
    DOT_FLAGS: "what DPPS and DPPD leave in MXCSR is of sums in another order, and of "
    "products that the immediate leaves out",
    CANONICAL: "an access that only ends beyond what is canonical gives #PF, not #GP",
    ORDERED: 'PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM in mode "equal ordered" '
    "do not find a string of which the begin stands at the end",
    NO_BIT: "no departure: the destination is undefined (SDM Vol. 2A), and "
    "processors differ in whether 32 bits of it clear the others",
    CMPXCHG: "CMPXCHG8B and CMPXCHG16B may change other flags than ZF",
}
"""Departures of the processor underneath that are left, by kind. Never compared, and
departures too: DE in MXCSR, and #XM, which it does not have."""


def differences(undefined: int, host: Result, ours: Result) -> list[str]:
    """Return what differs, a few words each; flags that are `undefined` do not."""
    found = list(_ends(host, ours))
    if found:
        return found
    pairs = list(zip(GPR, host.gpr, ours.gpr, strict=True))
    mask = ~(undefined & STATUS)
    pairs.append(("rflags", host.rflags & mask, ours.rflags & mask))
    mask = ~DE
    pairs.append(("mxcsr", host.mxcsr & mask, ours.mxcsr & mask))
    pairs.append(("memory", host.memory, ours.memory))
    for n in range(16):
        part = slice(16 * n, 16 * n + 16)
        one, other = (int.from_bytes(x.xmm[part], "little") for x in (host, ours))
        pairs.append((f"xmm{n}", one, other))
    return [
        f"{name} {one:#x} and {other:#x}" for name, one, other in pairs if one != other
    ]


def _ends(host: Result, ours: Result) -> Iterator[str]:
    """Yield how the ends differ: the exception, and where."""
    for name in ("vector", "rip", "error", "cr2"):
        one, other = getattr(host, name), getattr(ours, name)
        if name == "error" and host.vector == PF:
            one, other = one & ~PRESENT, other & ~PRESENT
        if one != other:
            yield f"{name} {one:#x} and {other:#x}"


def kind_of(name: str, found: list[str], host: Result, ours: Result) -> str | None:
    """Return which of `KNOWN` a difference is that the instruction `name` made."""
    if ours.vector == PF and EDGE - 16 < ours.cr2 <= EDGE and host.vector in {GP, SS}:
        return CANONICAL
    fields = {x.partition(" ")[0] for x in found}
    if name.startswith("CMPXCHG8B") and fields == {"rflags"}:
        return None if (host.rflags ^ ours.rflags) & ZF else CMPXCHG
    if name.startswith(("BSF", "BSR")) and host.rflags & ZF and _only_above(host, ours):
        return NO_BIT
    if name.startswith("PCMPSTR") and int(name[-2:], 16) & 0xC == EQUAL_ORDERED:
        return ORDERED if fields <= {"rcx", "rflags", "xmm0"} else None
    if (host.mxcsr ^ ours.mxcsr) & ~DE == PE and ROUNDS.search(name):
        return ROUND if len(found) == 1 else None
    if DOTS.search(name) and fields == {"mxcsr"}:
        return DOT_FLAGS
    if not all(x.startswith("xmm") for x in found):
        return None
    if host.mxcsr & DAZ and PICKS.search(name):
        return PICK
    if DOTS.search(name) and _same_but_signs(host, ours):
        return DOT
    halves = [struct.unpack("<32Q", x.xmm) for x in (host, ours)]
    pairs = zip(*halves, strict=True)
    return NAN if all(_same_but_nan(one, other) for one, other in pairs) else None


def _only_above(host: Result, ours: Result) -> bool:
    """Tell whether one register differs, and that in none of its lower 32 bits."""
    unequal = [a ^ b for a, b in zip(host.gpr, ours.gpr, strict=True) if a != b]
    return len(unequal) == 1 and not unequal[0] & 0xFFFF_FFFF


def _same_but_nan(one: int, other: int) -> bool:
    """Tell whether two halves of registers are equal, or NaN where they are not."""
    if one == other or (_is_nan(one, 52, 11) and _is_nan(other, 52, 11)):
        return True
    lanes = [((one >> at) & 0xFFFF_FFFF, (other >> at) & 0xFFFF_FFFF) for at in (0, 32)]
    return all(a == b or (_is_nan(a, 23, 8) and _is_nan(b, 23, 8)) for a, b in lanes)


def _same_but_signs(host: Result, ours: Result) -> bool:
    """Tell whether registers differ in the sign of zeros alone."""
    pairs = zip(*(struct.unpack("<64I", x.xmm) for x in (host, ours)), strict=True)
    return all(a == b or (a == 1 << 31 and not b) for a, b in pairs)


def _is_nan(value: int, fraction: int, exponent: int) -> bool:
    full = (1 << exponent) - 1
    return value >> fraction & full == full and bool(value & (1 << fraction) - 1)
