"""What the answer to a request will change in the processor, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.effects import effects
from lapis_engine.cpu.registers import ES, RCX, RDI, RSP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.effects import Effects
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

NOTHING: Final = "nothing but RIP, which goes on behind it"
HOW: Final = {
    "mov": " = the answer", "movabs": " = the answer", "in": " = the answer",
    "movzx": " = the answer, zero-extended", "movsx": " = the answer, sign-extended",
    "movsxd": " = the answer, sign-extended", "lodsb": " = the answer",
    "lodsw": " = the answer", "lodsd": " = the answer", "lodsq": " = the answer",
}  # fmt: skip
"""What of an instruction's result the answer is; of others it goes into the result."""
WIDTHS: Final = {"di": 16, "edi": 32, "rdi": 64, "cx": 16, "ecx": 32, "rcx": 64}


class RegisterPart(NamedTuple):
    """A part of a general register."""

    register: str
    """The last two letters, or r8 to r15."""
    bits: int
    high: bool = False
    """It is [15:8]."""


def _parts() -> Iterator[tuple[str, RegisterPart]]:
    for each in ("ax", "bx", "cx", "dx"):
        yield f"{each[0]}l", RegisterPart(each, 8)
        yield f"{each[0]}h", RegisterPart(each, 8, high=True)
    for each in ("si", "di", "bp", "sp"):
        yield f"{each}l", RegisterPart(each, 8)
    for each in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp"):
        yield each, RegisterPart(each, 16)
        yield f"e{each}", RegisterPart(each, 32)
        yield f"r{each}", RegisterPart(each, 64)
    for number in range(8, 16):
        for letter, bits in (("b", 8), ("w", 16), ("d", 32), ("", 64)):
            yield f"r{number}{letter}", RegisterPart(f"{number}", bits)


PARTS: Final = dict(_parts())


def of(vm: Vm, vcpu: Vcpu, request: PendingRequest) -> tuple[str, ...]:
    """Return what an answer to the request of `vcpu` will change, each in a phrase."""
    regs = vcpu.regs
    if request.kind == "inst-emul":
        return ("nothing: the instruction can only run again, or fault",)
    if request.kind == "msr":
        if not request.read:
            return (NOTHING,)
        upper = ", upper halves zeroed" if regs.code_bits == 64 else ""
        return (f"edx:eax = the answer{upper}",)
    found = effects(vcpu.vie.code, regs.code_bits)
    if found is None:
        return ("what the instruction does is not known",)
    keeps = vm.profile.in_keeps_upper_rax or request.kind != "inout"
    phrases = [
        *(_register(name, found, regs, keeps=keeps) for name in _results(found)),
        *_memory(found, regs, request),
        *_rest(found, regs, request),
    ]
    return tuple(phrases) or (NOTHING,)


def _results(found: Effects) -> Iterator[str]:
    """Yield the registers that hold a result, and not the top of the stack."""
    for name in found.registers:
        if name not in {"sp", "esp", "rsp"} or found.mnemonic in HOW:
            yield name


def _register(name: str, found: Effects, regs: Registers, *, keeps: bool) -> str:
    """Say which part of a register is written, and what becomes of the rest."""
    how = HOW.get(found.mnemonic, "")
    if found.mnemonic.startswith("cmov"):
        how = " = the answer if its condition holds"
    part = PARTS.get(name)
    if part is None:
        return f"{name}{how}"
    is_long = regs.code_bits == 64
    whole = f"r{part.register}" if is_long else f"e{part.register}"
    if part.bits == (64 if is_long else 32):
        return f"{whole}{how}: all {part.bits} bits"
    where = "bits 15:8" if part.high else f"low {part.bits} bits"
    rest = "upper half zeroed"
    if part.bits < 32 and (keeps or not is_long):
        rest = "the rest stays"
    elif part.bits < 32:
        rest = "bits 63:32 zeroed"
    return f"{whole}{how}: {where}, {rest}"


def _memory(found: Effects, regs: Registers, request: PendingRequest) -> Iterator[str]:
    """Say which memory is written."""
    if found.pushes:
        at = regs.gpr[RSP] - found.pushes & (1 << regs.code_bits) - 1
        yield f"{_bytes(found.pushes)} on the stack at {at:#x}; rSP - {found.pushes}"
    if found.mnemonic == "pop":
        yield f"rSP + {found.stores or request.bytes}"
    if not found.stores or not request.read:
        return
    target = next((n for n in found.indices if n.endswith("di")), None)
    if target is not None:
        offset = regs.gpr[RDI] & (1 << WIDTHS[target]) - 1
        base = 0 if regs.code_bits == 64 else regs.base(ES)
        yield f"{_bytes(found.stores)} at {base + offset:#x}, where {target} points"
    elif found.mnemonic == "pop":
        yield f"{_bytes(found.stores)} at its operand"
    else:
        yield f"{_bytes(found.stores)} are written back there, which asks again"


def _rest(found: Effects, regs: Registers, request: PendingRequest) -> Iterator[str]:
    """Tell of flags, indices and RIP."""
    if found.flags:
        alone = "; no register" if not found.registers and not found.stores else ""
        yield f"flags {' '.join(found.flags)}{alone}"
    if found.x87:
        yield "registers of the x87"
    if found.jumps and request.read:
        yield "RIP = the answer"
    if not found.indices:
        return
    moved = [name for name in found.indices if not name.endswith("cx")]
    way = "-" if regs.rflags >> 10 & 1 else "+"
    words = [f"{name} {way} {request.bytes}" for name in moved]
    if found.repeats:
        name = found.indices[-1]
        left = regs.gpr[RCX] & (1 << WIDTHS[name]) - 1
        words.append(f"{name} {left:#x} -> {max(left - 1, 0):#x}")
    yield ", ".join(words)


def _bytes(count: int) -> str:
    return f"{count} byte{'s' if count != 1 else ''}"
