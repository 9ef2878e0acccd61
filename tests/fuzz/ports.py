"""IN, OUT, INS and OUTS against models of their own.

IN and OUT are a few lines of the SDM. INS is a STOS of what the port answers and OUTS
a LODS of what goes out: the processor does those on RAM, an iteration at a time, with
the same prefixes, so that addresses, counts and faults are its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.cpu.intercepts import Budget, Faulted

if TYPE_CHECKING:
    from fuzz.layout import Case
    from fuzz.worlds import World

RAX, RDX = 0, 2
MASKS = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFF_FFFF}
MOST = 40
NOP = b"\x90"
AS_STRINGS = {0x6C: 0xAA, 0x6D: 0xAB, 0x6E: 0xAC, 0x6F: 0xAD}
"""INS as STOS, OUTS as LODS."""
HAS_ERROR_CODE = frozenset({10, 11, 12, 13, 14, 17})
Fault = tuple[int, int | None, int]
Wire = list[tuple[int, int, bool, int]]
"""What a port sees: port, bytes, read, value."""


def size_of(case: Case) -> int:
    """Bytes of one access."""
    opcode = next(b for b in case.code if b in OPCODES)
    if not opcode & 1:
        return 1
    at = case.code.index(opcode)
    if case.bits == 64 and any(b & 0xF8 == 0x48 for b in case.code[:at]):
        return 4  # REX.W: SDM Vol. 2A "REX Prefixes", 66 is then ignored
    return 2 if (case.bits == 16) != (0x66 in case.code[:at]) else 4


OPCODES = frozenset((*AS_STRINGS, *range(0xE4, 0xE8), *range(0xEC, 0xF0)))


def reference(world: World, case: Case) -> tuple[Wire, Fault | str | None]:
    """Bring `world` to the end of `case`; return what its ports saw, and a fault."""
    if case.group == "ins":
        return _string(world, case)
    world.load(replace(case, code=NOP))
    regs, size = world.vcpu.regs, size_of(case)
    world.vm.core.run(regs, 1)
    world.vm.memory.write(case.code_at, case.code)
    opcode = next(b for b in case.code if b in OPCODES)
    port = case.code[-1] if opcode < 0xEC else case.gpr[RDX] & 0xFFFF
    read = opcode & 2 == 0
    before = case.gpr[RAX]
    value = (case.answers[0] if read else before) & MASKS[size]
    if read:
        regs.gpr[RAX] = value if size == 4 else before & ~MASKS[size] | value
    limit = MASKS[4] if case.bits == 32 else MASKS[2] if case.bits == 16 else -1
    regs.rip = (case.rip + len(case.code)) & (limit & (1 << 64) - 1)
    trap = (1, None, 0) if case.rflags & 0x100 else None
    return [(port, size, read, value)], trap


def _string(world: World, case: Case) -> tuple[Wire, Fault | str | None]:
    opcode = next(b for b in case.code if b in AS_STRINGS)
    at = case.code.index(opcode)
    code = case.code[:at] + bytes((AS_STRINGS[opcode],))
    world.load(replace(case, code=code))
    regs, wire, size = world.vcpu.regs, Wire(), size_of(case)
    read, port = opcode < 0x6E, case.gpr[RDX] & 0xFFFF
    before = regs.gpr[RAX]
    counted = any(b in code[:at] for b in (0xF2, 0xF3))
    end: Fault | str | None = "no end"
    for n in range(MOST):
        count = _count(case, regs.gpr[1]) if counted else 1
        regs.gpr[RAX] = case.answers[n % len(case.answers)] if read else before
        hw = world.vm.core.run(regs, 1)
        value = regs.gpr[RAX] & MASKS[size]
        trap = isinstance(hw, Faulted) and hw.vector == 1
        if isinstance(hw, Faulted) and not trap and regs.rip == case.rip:
            error = hw.error if hw.vector in HAS_ERROR_CODE else None
            end = hw.vector, error, hw.cr2
            break
        if not isinstance(hw, (Budget, Faulted)):
            end = type(hw).__name__
            break
        if count:
            wire.append((port, size, read, value))
        if trap or regs.rip != case.rip:
            end = (1, None, 0) if trap else None
            break
    regs.gpr[RAX] = before
    world.vm.memory.write(case.code_at, case.code)
    return wire, end


def _count(case: Case, rcx: int) -> int:
    """Return rCX by the size of addresses."""
    other = 0x67 in case.code[:-1]
    bits = {64: (64, 32), 32: (32, 16), 16: (16, 32)}[case.bits][other]
    return rcx & (1 << bits) - 1
