"""An intercepted instruction: its bytes, its length, and letting it happen.

What each one means is in `handlers`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import GP, PF_
from lapis_engine.cpu.marked import LONGEST
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.registers import RF, SS, TF
from lapis_engine.events import ModeChanged
from lapis_engine.vie import fetch, reach, updates
from lapis_engine.vie.prefixes import LEGACY
from lapis_engine.vmm import clock, debug

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import HwExit, Intercepted
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Run, Vm

TWO_BYTES: Final = 2
THREE_BYTES: Final = 3
POP_SS: Final = b"\x17"
MOV_SEGMENT: Final = b"\x8e"
MODE_WATCH: Final = 64
"""Instructions after paging starts in which a 64-bit CS is looked for."""


def code_at(vm: Vm, vcpu: Vcpu) -> bytes:
    """Return up to 15 bytes from RIP.

    A guest may have changed the page tables under what it runs: the processor goes on
    by its TLB, and what that leads to is what it has reported.
    """
    code = fetch.fetch(vcpu.regs, vcpu.linear, vm.memory)
    if len(code) < LONGEST:
        seen = vm.core.code_at(vcpu.regs)
        return seen if len(seen) > len(code) else code
    return code


def exact_vector(vm: Vm, vcpu: Vcpu, vector: int, error: int | None) -> int:
    """Return the vector of a fault that the processor underneath reported as `vector`.

    Only of #GP it may be another, and not where there is no code at all.
    """
    if vector != GP or not is_canonical(vcpu.regs.linear_rip):
        return vector
    return reach.exact_vector(vcpu.regs, code_at(vm, vcpu), vector, error)


def exact_error(vm: Vm, vcpu: Vcpu, vector: int, error: int, cr2: int) -> int:
    """Return the error code of a fault that the processor underneath reported.

    Only of #PF it may be another.
    """
    if vector != PF_:
        return error
    return updates.exact_error(vcpu.regs, code_at(vm, vcpu), vector, error, cr2)


def modrm_rm(vm: Vm, vcpu: Vcpu) -> int:
    """Return the register in ModRM.rm of a two-byte opcode, with REX.B."""
    regs = vcpu.regs
    code = code_at(vm, vcpu)
    at = _opcode_at(code, regs.code_bits)
    rex_b = regs.code_bits == 64 and at > 0 and code[at - 1] & 0xF1 == 0x41
    return (code[at + 2] & 7) | (8 if rex_b else 0)


def two_byte(vm: Vm, vcpu: Vcpu) -> int:
    """Return the opcode after 0F at RIP."""
    code = code_at(vm, vcpu)
    return code[_opcode_at(code, vcpu.regs.code_bits) + 1]


def modrm(vm: Vm, vcpu: Vcpu) -> int | None:
    """Return the ModRM byte of 0F 01 at RIP, or None for another opcode."""
    code = code_at(vm, vcpu)
    at = _opcode_at(code, vcpu.regs.code_bits)
    return code[at + 2] if code[at : at + 2] == b"\x0f\x01" else None


@lru_cache(maxsize=256)
def loads_ss(code: bytes, bits: int) -> bool:
    """Tell whether `code` is MOV to SS or POP SS, which hold traps off behind them."""
    at = _opcode_at(code, bits)
    opcode, modrm = code[at : at + 1], code[at + 1 : at + 2]
    if opcode == POP_SS:
        return bits != 64
    return opcode == MOV_SEGMENT and bool(modrm) and modrm[0] >> 3 & 7 == SS


def skip(run: Run, ns: int = 0) -> None:
    """Retire the intercepted instruction at RIP: HLT, CPUID, RDMSR, MOV CR8 ...

    One byte for HLT, three with a ModRM or for RDTSCP, else two; prefixes beside. It
    takes `ns` more than an instruction does (`costs`).
    """
    regs = run.vcpu.regs
    retire(run, _length(code_at(run.vm, run.vcpu), regs.code_bits))
    if ns:
        clock.charge(run, ns)


def retire(run: Run, length: int) -> None:
    """Retire an instruction of so many bytes that the engine has carried out."""
    regs = run.vcpu.regs
    regs.rip = (regs.rip + length) & ((1 << regs.code_bits) - 1)
    if regs.rflags & RF:
        regs.rflags &= ~RF
    complete(run, single=bool(regs.rflags & TF))


def complete(run: Run, *, single: bool) -> None:
    """Count an instruction that has set RIP and RFLAGS; `single` is TF before it."""
    run.vcpu.regs.shadow = False
    clock.account(run, 1)
    if single or run.vcpu.debug_due:
        debug.after(run, hits=0, single=single)


def native(run: Run, hw: Intercepted) -> HwExit:
    """Let the processor do what it reported, and count it."""
    core = run.vm.core
    result = core.native(run.vcpu.regs, hw)
    clock.account(run, core.retired)
    return result


def see_mode(vm: Vm, vcpu: Vcpu) -> None:
    """Note a change of mode, and watch for the next part of the way to long mode.

    CR0 is intercepted; the far jump that loads a 64-bit CS is not, and is found by
    taking the instructions after CR0.PG one at a time. Later changes between compat
    and long, as system calls make them, are not events.
    """
    mode = vcpu.regs.mode
    if mode != vcpu.mode:
        vm.note(ModeChanged(vcpu.id, vcpu.mode, mode, vcpu.regs.rip))
        vcpu.mode = mode
        vcpu.mode_watch = MODE_WATCH if mode == "compat" else 0


def _opcode_at(code: bytes, bits: int) -> int:
    at = 0
    while at < len(code) and code[at] in LEGACY:
        at += 1
    if bits == 64 and at < len(code) and code[at] & 0xF0 == 0x40:
        at += 1
    return at


@lru_cache(maxsize=256)
def _length(code: bytes, bits: int) -> int:
    at = _opcode_at(code, bits)
    if code[at] != 0x0F:
        return at + 1
    has_modrm = code[at + 1] in {0x01, *range(0x20, 0x24)}
    return at + (THREE_BYTES if has_modrm else TWO_BYTES)
