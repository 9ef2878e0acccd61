"""What an instruction writes: registers, flags, memory, the stack. By capstone.

It says where a result goes, not what it is: for who is to answer a read and wants to
know what that will change. What capstone has wrong is put right here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import capstone
from capstone import x86

from lapis_engine.cpu.disasm import detailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLAGS: Final = ("CF", "PF", "AF", "ZF", "SF", "OF")
"""The status flags, bit 0 up."""
_CHANGES: Final[Mapping[str, int]] = {
    flag: sum(
        getattr(x86, f"X86_EFLAGS_{how}_{flag}", 0)
        for how in ("MODIFY", "SET", "RESET", "UNDEFINED")
    )
    for flag in FLAGS
}
_HIDDEN: Final = frozenset({"rflags", "eflags", "flags", "rip", "eip", "ip", "fpsw"})
"""What capstone lists as registers that are told of otherwise."""
_ADDRESSES: Final = {2: ("si", "di", "cx"), 4: ("esi", "edi", "ecx")}
_ADDRESSES_64: Final = ("rsi", "rdi", "rcx")
_STRINGS: Final = {
    "ins": (False, True), "outs": (True, False), "movs": (True, True),
    "lods": (True, False), "stos": (False, True), "cmps": (True, True),
    "scas": (False, True),
}  # fmt: skip
"""Whether rSI moves, and whether rDI does."""
_MOVING: Final = frozenset(
    f"{w}{r}" for w in ("", "e", "r") for r in ("si", "di", "cx")
)
_STORING: Final = frozenset({"ins", "movs", "stos"})


class Effects(NamedTuple):
    """Where the results of an instruction go."""

    mnemonic: str
    registers: tuple[str, ...]
    """Each by the name of the part that is written: al, eax, xmm0."""
    indices: tuple[str, ...]
    """Registers that a string instruction, or its REP, moves on."""
    flags: tuple[str, ...]
    """Status flags, those that are left undefined as well."""
    stores: int
    """Bytes written to memory at its operand, or at rDI."""
    pushes: int
    """Bytes that it pushes."""
    jumps: bool
    """RIP is loaded."""
    repeats: bool
    x87: bool
    """It works on the registers of the x87."""


@lru_cache(maxsize=1024)
def effects(code: bytes, bits: int) -> Effects | None:
    """Return what the instruction that `code` begins with writes; None for no code."""
    found = next(detailed(bits).disasm(code, 0, 1), None)
    if found is None:
        return None
    mnemonic = found.mnemonic.split()[-1]
    string = _string(mnemonic, found)
    is_x87 = found.group(x86.X86_GRP_FPU)
    jumps = any(found.group(g) for g in (capstone.CS_GRP_JUMP, capstone.CS_GRP_CALL,
                                         capstone.CS_GRP_RET))  # fmt: skip
    return Effects(
        mnemonic,
        tuple(_registers(found, mnemonic, string)),
        tuple(_indices(found, string)),
        () if is_x87 else _flags(found, mnemonic),
        _stores(found, mnemonic, string),
        _pushes(found, mnemonic, bits),
        jumps,
        found.prefix[0] in (x86.X86_PREFIX_REP, x86.X86_PREFIX_REPNE)
        and string is not None,
        is_x87,
    )


def _string(mnemonic: str, found: Any) -> str | None:
    """Return which string instruction it is, less its width; MOVSD of SSE is none."""
    stem = mnemonic[:-1]
    if stem not in _STRINGS or mnemonic[-1] not in "bwdq":
        return None
    return None if any(o.size == 16 for o in found.operands) else stem


def _registers(found: Any, mnemonic: str, string: str | None) -> Iterator[str]:
    _, written = found.regs_access()
    moving = _MOVING if string is not None else frozenset()
    names = [found.reg_name(number) for number in written]
    if mnemonic == "cmpxchg":  # capstone knows no accumulator
        size = found.operands[0].size
        names.append({1: "al", 2: "ax", 4: "eax", 8: "rax"}[size])
    for name in dict.fromkeys(names):
        if name not in _HIDDEN | moving:
            yield name


def _indices(found: Any, string: str | None) -> Iterator[str]:
    if string is None:
        return
    names = _ADDRESSES.get(found.addr_size, _ADDRESSES_64)
    repeats = found.prefix[0] in (x86.X86_PREFIX_REP, x86.X86_PREFIX_REPNE)
    for name, moves in zip(names, (*_STRINGS[string], repeats), strict=True):
        if moves:
            yield name


def _flags(found: Any, mnemonic: str) -> tuple[str, ...]:
    if mnemonic == "test":  # capstone knows no flags of the one with a register
        return FLAGS
    return tuple(flag for flag in FLAGS if found.eflags & _CHANGES[flag])


def _stores(found: Any, mnemonic: str, string: str | None) -> int:
    for operand in found.operands:
        if operand.type != x86.X86_OP_MEM:
            continue
        is_written = operand.access & capstone.CS_AC_WRITE or mnemonic.startswith(
            "cmpxchg"
        )
        if is_written or string in _STORING:
            return int(operand.size)
    return 0


def _pushes(found: Any, mnemonic: str, bits: int) -> int:
    if mnemonic not in {"push", "call"}:
        return 0
    return int(found.operands[0].size) if found.operands else bits // 8
