"""Loops that nothing in them ends: code that only looks until somebody changes it.

By capstone. A loop counts as one when every instruction of it reads, compares, waits or
tries to take a lock: then its next round is as this one, unless memory, a port or an
interrupt brings something new. A loop that counts down, copies or calls is none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import capstone
from capstone import x86

from lapis_engine.cpu.disasm import detailed

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 96
"""Bytes of such a loop, at the most."""
MOST: Final = 24
"""Instructions of it."""
IDLE: Final = frozenset(
    {"nop", "pause", "cmp", "test", "bt", "lfence", "mfence", "sfence", "cli", "sti"}
)  # fmt: skip
"""What leaves no trace but flags. HLT is none of them: it waits, and does not spin."""
LOADS: Final = frozenset({"mov", "movzx", "movsx", "movsxd", "movabs", "in", "lea"})
LOCKS: Final = frozenset({"xchg", "cmpxchg", "bts", "btr"})
"""What takes a lock, if it is free."""
WORKS: Final = frozenset({"and", "or", "xor", "sub", "shr", "shl", "not", "bswap"})
"""What may be done to a value that this round has loaded."""


class Polled(NamedTuple):
    """A place that the loop looks at."""

    segment: str
    """Name of the segment register; nothing for a port."""
    base: str
    scaled: str
    """Name of the index register."""
    scale: int
    displacement: int
    size: int
    """Bytes."""
    is_lock: bool
    """It is tried to take it; else it is only read."""
    text: str
    """The instruction."""


class SpinLoop(NamedTuple):
    """A loop, by linear addresses."""

    first: int
    last: int
    """Of its first and of its last instruction."""
    watched: tuple[Polled, ...]
    ports: tuple[str, ...]
    """Operands of IN: what names the port."""
    opens: bool
    """An STI of it lets interrupts in."""
    shut: int | None
    """Address of an STI that does not: CLI is the one instruction of its shadow."""


@lru_cache(maxsize=256)
def spin(code: bytes, begin: int, rip: int, bits: int) -> SpinLoop | None:
    """Return the loop about `rip` that only looks, or None.

    `code` lies at `begin`, which is at `rip` or before it.
    """
    back = _back(code[rip - begin :], rip, begin, bits)
    if back is None:
        return None
    target, last = back
    engine = detailed(bits)
    body = []
    for found in engine.disasm(code[target - begin :], target, MOST):
        body.append(found)
        if found.address >= last:
            break
    addresses = {found.address for found in body}
    if rip not in addresses or last not in addresses:
        return None
    return _judged(body, target, last)


def _back(code: bytes, rip: int, begin: int, bits: int) -> tuple[int, int] | None:
    """Return where the first jump back over `rip` leads, and where it stands."""
    for found in detailed(bits).disasm(code, rip, MOST):
        if found.group(capstone.CS_GRP_JUMP) and _is_direct(found):
            target = found.operands[0].imm
            if begin <= target <= rip:
                return target, found.address
            if found.mnemonic == "jmp":
                return None
        elif found.group(capstone.CS_GRP_RET) or found.group(capstone.CS_GRP_CALL):
            return None
    return None


def _is_direct(found: Any) -> bool:
    return bool(found.operands) and found.operands[0].type == x86.X86_OP_IMM


def _judged(body: Sequence[Any], first: int, last: int) -> SpinLoop | None:
    fresh: set[str] = set()
    watched: list[Polled] = []
    ports: list[str] = []
    for found in body:
        name = found.mnemonic.split()[-1]
        if not _is_still(found, name, fresh):
            return None
        if name == "in":
            ports.append(found.op_str.split(", ")[-1])
        watched += [
            _watched(found, operand, is_lock=name in LOCKS)
            for operand in found.operands
            if operand.type == x86.X86_OP_MEM and name not in {"lea", "nop"}
        ]
    opens, shut = _windows(body)
    return SpinLoop(first, last, tuple(watched), tuple(ports), opens, shut)


def _windows(body: Sequence[Any]) -> tuple[bool, int | None]:
    """Tell whether it lets interrupts in, and which STI of it does not.

    STI holds them off for one instruction more (SDM Vol. 2B "STI").
    """
    opens, shut = False, None
    for found, after in zip(body, [*body[1:], body[0]], strict=True):
        if found.mnemonic == "sti" and after.mnemonic == "cli":
            shut = int(found.address)
        opens = opens or (found.mnemonic == "sti" and after.mnemonic != "cli")
    return opens, shut


def _is_still(found: Any, name: str, fresh: set[str]) -> bool:
    """Tell whether an instruction brings nothing new by itself."""
    if found.group(capstone.CS_GRP_JUMP):
        is_counted = "cx" in name or name.startswith("loop")
        return _is_direct(found) and not is_counted
    if name in IDLE:
        return True
    target = found.operands[0] if found.operands else None
    if target is None:
        return False
    if name in LOCKS:
        return any(each.type == x86.X86_OP_MEM for each in found.operands)
    if target.type != x86.X86_OP_REG:
        return False
    if _is_zeroing(found, name) or (name in LOADS and not _is_chasing(found, fresh)):
        fresh.update(_names(found, target.reg))
        return True
    return name in WORKS and str(found.reg_name(target.reg)) in fresh


def _is_chasing(found: Any, fresh: set[str]) -> bool:
    """Tell whether a load goes on from where the last round came to: a list, a sum."""
    target = str(found.reg_name(found.operands[0].reg))
    read, _ = found.regs_access()
    names = {str(found.reg_name(number)) for number in read}
    return target in names - fresh


def _is_zeroing(found: Any, name: str) -> bool:
    if name not in {"xor", "sub"} or len(found.operands) != 2:
        return False
    first, second = found.operands
    return bool(second.type == x86.X86_OP_REG and first.reg == second.reg)


def _names(found: Any, register: int) -> tuple[str, ...]:
    """Return a register by all names under which it is loaded whole."""
    name = found.reg_name(register)
    if name[0] in "er" and name[1:] in _WORDS:
        return f"r{name[1:]}", f"e{name[1:]}", name[1:], f"{name[1]}l"
    return (name,)


_WORDS: Final = frozenset({"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"})


def _watched(found: Any, operand: Any, *, is_lock: bool) -> Polled:
    where = operand.mem
    base = found.reg_name(where.base) or ""
    displacement = where.disp
    if base in {"rip", "eip"}:
        base, displacement = "", displacement + found.address + found.size
    segment = found.reg_name(where.segment) or ("ss" if base in _STACKED else "ds")
    return Polled(
        segment, base, found.reg_name(where.index) or "", where.scale, displacement,
        operand.size, is_lock, f"{found.mnemonic} {found.op_str}",
    )  # fmt: skip


_STACKED: Final = frozenset({"rsp", "rbp", "esp", "ebp", "sp", "bp"})
