"""The registers of a processor that ran elsewhere, made to fit and put onto a vCPU.

What an operating system can turn on and ours has not is left out where nothing that is
modelled depends on it; what page tables or segments mean would depend on is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.control import PHYSICAL_BITS
from lapis_engine.cpu.debug_registers import DR6_FIXED, DR6_MASK, DR7_FIXED, DR7_MASK
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.registers import (
    CR0_PE,
    CR0_PG,
    CR4_OSXSAVE,
    CR4_PAE,
    CS,
    EFER_LMA,
    EFER_LME,
    SEG_CODE,
    SEG_L,
    SEG_P,
    SEG_S,
    SEGMENT_NAMES,
    VM,
    Segment,
)
from lapis_engine.saved.lapic import RecordError
from lapis_engine.units import MASK32, MASK64
from lapis_engine.vmm import mxcsr

if TYPE_CHECKING:
    from lapis_engine.boot.machine_state import ProcessorState
    from lapis_engine.cpu.model.record import CpuModel
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vmm.vcpu import Vcpu

HIDDEN: Final = 0x00FF_FF00
"""Of the high dword of a descriptor, which the processor underneath keeps; the limit's
bits are there, too."""
RFLAGS: Final = 0x003F_7FD7
"""Bits that are not reserved."""
KERNEL_GS_BASE: Final = 0xC000_0102
CR0_ET: Final = 1 << 4
CR4_LA57: Final = 1 << 12
CR4_PCIDE: Final = 1 << 17
PCID: Final = 0xFFF
XCR0_SSE: Final = 3
TOP: Final = 11
"""FSW [13:11]."""
TOP_MASK: Final = 7 << TOP
CONTROL: Final = ("cr0", "cr4", "efer")
PRECISIONS: Final = (32, 80, 64, 80)
"""By FCW [9:8], bits as QEMU counts them; 1 is reserved, and taken as by FLDCW."""
ROUNDINGS: Final = (0, 1, 2, 3)
"""FCW [11:10] and MXCSR [14:13]: nearest, down, up, to zero, as QEMU numbers them."""


def fitted(
    state: ProcessorState, model: CpuModel, who: str
) -> tuple[ProcessorState, tuple[str, ...]]:
    """Return the state without what `model` has not, and a sentence for each.

    Raises `RecordError` for what cannot be left out.
    """
    if state.cr4 & CR4_LA57:
        raise RecordError("cr4", "LA57", f"{who} pages by five levels, here by four")
    said = []
    kept: dict[str, int] = {}
    for name in CONTROL:
        value = getattr(state, name)
        has = getattr(model, name) | (CR0_ET if name == "cr0" else 0)
        if value & ~has:
            kept[name] = value & has
            said.append(
                f"{who}: {name.upper()} {value:#x} became {value & has:#x}, as this "
                f"processor has no bits {value & ~has:#x}"
            )
    if state.cr4 & CR4_PCIDE & ~model.cr4:
        kept["cr3"] = state.cr3 & ~PCID
    state = replace(
        state,
        cr0=kept.get("cr0", state.cr0),
        cr3=kept.get("cr3", state.cr3),
        cr4=kept.get("cr4", state.cr4),
        efer=kept.get("efer", state.efer),
    )
    code = state.cs
    if not state.cr0 & CR0_PE or state.rflags & VM:
        # The processor underneath wants a code type; KVM has a data type there.
        state = replace(state, cs=(*code[:3], code[3] | SEG_CODE))
    return state, tuple(said)


def check(state: ProcessorState, model: CpuModel) -> None:
    """Raise `RecordError` for the first register that no processor could have so."""
    for name in CONTROL:
        value = getattr(state, name)
        has = getattr(model, name) | (CR0_ET if name == "cr0" else 0)
        if value & ~has:
            _refuse(name, value, f"bits {value & ~has:#x} are reserved")
    if state.rflags & ~RFLAGS:
        _refuse("rflags", state.rflags, "it has reserved bits")
    _check_mode(state)
    _check_segments(state)
    if not is_canonical(state.kernel_gs):
        _refuse("kernel_gs", state.kernel_gs, "no base can be there")
    if state.mxcsr >> 16:
        _refuse("mxcsr", state.mxcsr, "bits 31:16 are reserved")


def _check_segments(state: ProcessorState) -> None:
    for name in (*SEGMENT_NAMES, "ldtr", "tr"):
        selector, base, limit, _ = getattr(state, name)
        if selector >> 16 or limit >> 32 or not is_canonical(base):
            _refuse(name, selector, "it is no selector with a base and a limit")
    for name in ("gdtr", "idtr"):
        base, limit = getattr(state, name)
        if limit >> 16 or not is_canonical(base):
            _refuse(name, base, f"with limit {limit:#x} it is no table")


def _check_mode(state: ProcessorState) -> None:
    if state.cr0 & CR0_PG and not state.cr0 & CR0_PE:
        _refuse("cr0", state.cr0, "there is no PG without PE")
    is_long = bool(state.cr0 & CR0_PG and state.efer & EFER_LME)
    if is_long != bool(state.efer & EFER_LMA):
        _refuse("efer", state.efer, f"LMA is not LME and PG, with CR0 {state.cr0:#x}")
    if is_long and not state.cr4 & CR4_PAE:
        _refuse("cr4", state.cr4, "there is no long mode without PAE")
    if state.cr3 >> (PHYSICAL_BITS if is_long else 32):
        _refuse("cr3", state.cr3, "it is no address of page tables")
    flags = state.cs[3]
    if flags & (SEG_P | SEG_S | SEG_CODE) != SEG_P | SEG_S | SEG_CODE:
        _refuse("cs", flags, "these are not the flags of a code segment")
    if flags & SEG_L and not is_long:
        _refuse("cs", flags, "64-bit code is for long mode")
    if not is_canonical(state.rip) or (not is_long and state.rip >> 32):
        _refuse("rip", state.rip, "no instruction can be there")


def _refuse(name: str, value: int, why: str) -> None:
    raise RecordError(name, "BAD_REGISTER", f"{value:#x}: {why}")


def put(vcpu: Vcpu, state: ProcessorState) -> None:
    """Put a state that was checked onto a vCPU."""
    regs = vcpu.regs
    for index, value in enumerate(state.gpr):
        regs.gpr[index] = value
    regs.efer = state.efer
    regs.cr3, regs.cr4 = state.cr3, state.cr4
    regs.cr0, regs.cr2 = state.cr0, state.cr2
    for index, name in enumerate(SEGMENT_NAMES):
        if index != CS:
            regs.set_segment(index, _segment(getattr(state, name)))
    regs.set_segment(CS, _segment(state.cs))
    regs.ldtr, regs.tr = _segment(state.ldtr), _segment(state.tr)
    for name in ("gdtr", "idtr"):
        base, limit = getattr(state, name)
        setattr(regs, name, Segment(0, base, limit, 0))
    for index, value in zip((0, 1, 2, 3), state.dr[:4], strict=True):
        regs.dr[index] = value
    regs.dr[6] = state.dr[4] & DR6_MASK | DR6_FIXED
    regs.dr[7] = state.dr[5] & DR7_MASK | DR7_FIXED
    regs.rflags, regs.rip, regs.shadow = state.rflags, state.rip, bool(state.shadow)
    if state.cr4 & CR4_OSXSAVE:
        regs.xcr0 = XCR0_SSE  # the least that whoever turns XSAVE on has use for
    regs.context.msrs[KERNEL_GS_BASE].value = state.kernel_gs
    _put_floats(regs, state)
    vcpu.mode = regs.mode


def _segment(row: tuple[int, ...]) -> Segment:
    selector, base, limit, flags = row
    return Segment(selector, base, limit & MASK32, flags & HIDDEN)


def _put_floats(regs: Registers, state: ProcessorState) -> None:
    context = regs.context
    unit, floats = context.x87, context.floats
    unit.fcw, unit.fsw = state.fcw, state.fsw & ~TOP_MASK
    unit.top = state.fsw >> TOP & 7
    for index, value in enumerate(state.x87):
        unit.empty[index] = not state.ftw >> index & 1
        unit.slots[index].significand = value & MASK64
        unit.slots[index].upper = value >> 64
    for index, value in enumerate(state.xmm):
        low, high = value & MASK64, value >> 64
        context.xmm(index)[0], context.xmm(index)[1] = low, high
    floats.x87.rounding = ROUNDINGS[state.fcw >> 10 & 3]
    floats.x87.precision = PRECISIONS[state.fcw >> 8 & 3]
    floats.mxcsr = state.mxcsr
    floats.sse.rounding = ROUNDINGS[state.mxcsr >> 13 & 3]
    floats.sse.flushes_operands = state.mxcsr >> 6 & 1
    mxcsr.spread(context)
