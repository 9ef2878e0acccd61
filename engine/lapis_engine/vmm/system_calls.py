"""SYSCALL, SYSRET, SYSENTER and SYSEXIT, which the processor underneath skips.

SDM Vol. 2B, APM Vol. 3. CS and SS come from MSRs, and their hidden parts are fixed:
no descriptor is read. All checks come before the first register changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import fault as faults
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.registers import (
    CR0_PE,
    EFER_LMA,
    EFER_SCE,
    IF,
    RCX,
    RDX,
    RF,
    RSP,
    SS,
    TF,
    VM,
    Segment,
)
from lapis_engine.units import MASK32
from lapis_engine.vmm import clock, debug

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.marked import Mark
    from lapis_engine.cpu.model.record import Vendor
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vmm.vm import Run

STAR: Final = 0xC000_0081
LSTAR: Final = 0xC000_0082
CSTAR: Final = 0xC000_0083
FMASK: Final = 0xC000_0084
SYSENTER_CS: Final = 0x174
SYSENTER_ESP: Final = 0x175
SYSENTER_EIP: Final = 0x176
R11: Final = 11
USER: Final = 3
LENGTH: Final = 2
"""Bytes of each of the four, without prefixes."""
RETURNED: Final = 0x3C_7FD7
"""What SYSRET takes of R11 (SDM Vol. 2B "SYSRET"); bit 1 is 1."""
ALWAYS: Final = 2

CODE_64: Final = 0xA0_9B00
CODE_32: Final = 0xC0_9B00
STACK: Final = 0xC0_9300
"""Flat, present, DPL 0: code of type 11 with L or with D, data of type 3 with B."""
DPL_3: Final = 0x6000


class Target(NamedTuple):
    """What is loaded once nothing can fault any more."""

    cs: Segment
    ss: Segment
    rip: int
    rflags: int
    rsp: int | None = None
    """None leaves RSP as it is."""


def carry_out(run: Run, mark: Mark) -> None:
    """Do the one at RIP, or owe the guest the fault of it.

    TF is looked at when it is done: SYSCALL with TF in IA32_FMASK is no trap, SYSRET
    to a set TF is one, before the first instruction that it returns to.
    """
    vm, vcpu, at, code = run.vm, run.vcpu, mark.opcode_at, mark.code
    regs = vcpu.regs
    rex_w = regs.code_bits == 64 and at > 0 and code[at - 1] & 0xF8 == 0x48
    try:
        perform, opsize = INSTRUCTIONS[code[at + 1]], 8 if rex_w else 4
        target = perform(regs, at + LENGTH, opsize, vm.cpu.model.vendor)
    except GuestFault as fault:
        vm.raise_fault(vcpu, fault)
        return
    regs.shadow = False
    if target.rsp is not None:
        regs.gpr[RSP] = target.rsp
    regs.call(target.cs, target.ss, target.rip, target.rflags)
    clock.account(run, 1)
    if target.rflags & TF:
        debug.after(run, hits=0, single=True)


def _syscall(regs: Registers, length: int, _opsize: int, vendor: Vendor) -> Target:
    """SYSCALL: only in 64-bit code, or by AMD everywhere else too.

    R11 holds RF as 0 (APM Vol. 3 "SYSCALL"; SDM says nothing, and kernels know).
    """
    _check_enabled(regs, vendor)
    msrs, gpr = regs.context.msrs, regs.gpr
    star = msrs[STAR].value
    selector = star >> 32 & 0xFFFC
    ss = Segment((star >> 32) + 8 & 0xFFFF, 0, MASK32, STACK)  # with an RPL there
    flags, after = regs.rflags & ~RF, regs.rip + length
    if not regs.efer & EFER_LMA:
        gpr[RCX] = after & MASK32
        flags &= ~(VM | IF)
        return Target(Segment(selector, 0, MASK32, CODE_32), ss, star & MASK32, flags)
    is_64 = regs.code_bits == 64
    gpr[RCX] = after if is_64 else after & MASK32
    gpr[R11] = flags
    rip = msrs[LSTAR if is_64 else CSTAR].value
    flags = flags & ~msrs[FMASK].value | ALWAYS
    return Target(Segment(selector, 0, MASK32, CODE_64), ss, rip, flags)


def _sysret(regs: Registers, _length: int, opsize: int, vendor: Vendor) -> Target:
    """SYSRET: to 64-bit code with REX.W, else to 32-bit code.

    SS keeps its hidden part on AMD (APM Vol. 3 "SYSRET").
    # Not modelled: there SS.DPL stays, too, and CPL is 3 all the same. No instruction
    # of a guest can tell, and in the processor underneath the one is the other.
    """
    _check_enabled(regs, vendor)
    _check_protected(regs)
    _check_cpl(regs)
    base = regs.context.msrs[STAR].value >> 48
    rip = regs.gpr[RCX] if opsize == 8 else regs.gpr[RCX] & MASK32
    is_intel = vendor == "intel"
    if is_intel and not is_canonical(rip):
        raise GuestFault(faults.GP, 0, rule=Breach.RETURN_RIP, values=(rip,))
    selector = (base + (16 if opsize == 8 else 0)) & 0xFFFF | USER
    kind = (CODE_64 if opsize == 8 else CODE_32) | DPL_3
    if is_intel:
        ss = Segment((base + 8) & 0xFFFF | USER, 0, MASK32, STACK | DPL_3)
    else:
        old = regs.segment(SS)
        ss = old._replace(selector=(base + 8) & 0xFFFF, flags=old.flags | DPL_3)
    if regs.code_bits == 64:
        rflags = regs.gpr[R11] & RETURNED | ALWAYS
    else:
        rflags = (regs.rflags | IF) & ~RF
    return Target(Segment(selector, 0, MASK32, kind), ss, rip, rflags)


def _sysenter(regs: Registers, _length: int, _opsize: int, vendor: Vendor) -> Target:
    """SYSENTER: from any protected mode, into 64-bit code in long mode."""
    selector = _sysenter_cs(regs, vendor)
    msrs, long_mode = regs.context.msrs, regs.efer & EFER_LMA
    width = (1 << 64) - 1 if long_mode else MASK32
    return Target(
        Segment(selector, 0, MASK32, CODE_64 if long_mode else CODE_32),
        Segment(selector + 8 & 0xFFFF, 0, MASK32, STACK),
        msrs[SYSENTER_EIP].value & width,
        regs.rflags & ~(VM | IF | RF),
        msrs[SYSENTER_ESP].value & width,
    )


def _sysexit(regs: Registers, _length: int, opsize: int, vendor: Vendor) -> Target:
    """SYSEXIT: to 64-bit code with REX.W, else to 32-bit code."""
    selector = _sysenter_cs(regs, vendor)
    _check_cpl(regs)
    width = (1 << 64) - 1 if opsize == 8 else MASK32
    rip, rsp = regs.gpr[RDX] & width, regs.gpr[RCX] & width
    if not is_canonical(rip):
        raise GuestFault(faults.GP, 0, rule=Breach.RETURN_RIP, values=(rip,))
    if not is_canonical(rsp):
        raise GuestFault(faults.GP, 0, rule=Breach.RETURN_RSP, values=(rsp,))
    selector = (selector + (32 if opsize == 8 else 16)) & 0xFFFF | USER
    return Target(
        Segment(selector, 0, MASK32, (CODE_64 if opsize == 8 else CODE_32) | DPL_3),
        Segment(selector + 8 & 0xFFFF, 0, MASK32, STACK | DPL_3),
        rip,
        regs.rflags & ~RF,
        rsp,
    )


INSTRUCTIONS: Final[dict[int, Callable[[Registers, int, int, Vendor], Target]]] = {
    0x05: _syscall,
    0x07: _sysret,
    0x34: _sysenter,
    0x35: _sysexit,
}
"""Opcode after 0F -> what does it: registers, length, operand size in bytes, vendor."""


def _check_enabled(regs: Registers, vendor: Vendor) -> None:
    """Refuse SYSCALL and SYSRET where they are not there."""
    if not regs.efer & EFER_SCE:
        raise GuestFault(faults.UD, rule=Breach.SCE, values=(regs.efer,))
    if vendor == "intel" and regs.code_bits != 64:
        raise GuestFault(faults.UD, rule=Breach.CALL_MODE, values=(regs.code_bits,))


def _check_cpl(regs: Registers) -> None:
    if regs.cpl:
        raise GuestFault(faults.GP, 0, rule=Breach.CALL_CPL, values=(regs.cpl,))


def _check_protected(regs: Registers) -> None:
    if not regs.cr0 & CR0_PE:
        raise GuestFault(faults.GP, 0, rule=Breach.CALL_REAL, values=(regs.cr0,))


def _sysenter_cs(regs: Registers, vendor: Vendor) -> int:
    """Return IA32_SYSENTER_CS without RPL after the checks of it and of the mode."""
    if vendor == "amd" and regs.efer & EFER_LMA:
        raise GuestFault(faults.UD, rule=Breach.CALL_VENDOR, values=(regs.efer,))
    _check_protected(regs)
    value = int(regs.context.msrs[SYSENTER_CS].value)
    selector = value & 0xFFFC
    if not selector:
        raise GuestFault(faults.GP, 0, rule=Breach.SYSENTER_CS, values=(value,))
    return selector
