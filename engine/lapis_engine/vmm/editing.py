"""The user's hand on a processor's registers, by the rules of each, or past them.

What an instruction could not load is refused with the rule that it would break, as far
as one value alone breaks it; `raw` stores it all the same, so that a state can be made
that no guest comes to. SDM Vol. 2B "MOV - Move to/from Control Registers", Vol. 2A
"MOV", Vol. 3A "Segment Descriptors"; bhyve `vm_set_register`, which has no rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import control, descriptors
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.debug_registers import DR6_FIXED, DR6_MASK, DR7_FIXED, DR7_MASK
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.registers import (
    CS,
    EFER_LMA,
    GPR_NAMES,
    SEG_CODE,
    SEG_FLAGS,
    SEG_S,
    SEGMENT_NAMES,
    SS,
    VM,
    Segment,
)  # fmt: skip
from lapis_engine.errors import EngineError
from lapis_engine.events import MsrAccessed
from lapis_engine.units import MASK32, MASK64
from lapis_engine.vmm import clock, fabric, intercepted, msr, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.cpu.model.record import CpuModel
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

FLAGS: Final = 0x003F_7FD7
"""Bits of RFLAGS that are not reserved, and bit 1, which is always set."""
READABLE: Final = 1 << 9
"""Of a code segment; it is where a data segment is writable."""
PARTS: Final[Mapping[str, int]] = {"base": MASK64, "limit": MASK32, "flags": SEG_FLAGS}
"""Parts of a segment register, and the bits that they have."""
TABLES: Final = ("gdtr", "idtr")
SYSTEM: Final = ("ldtr", "tr")
NAMES: Final = (
    *GPR_NAMES, "rip", "rflags", "cr0", "cr2", "cr3", "cr4", "xcr0",
    *(f"dr{n}" for n in (0, 1, 2, 3, 6, 7)),
    *SEGMENT_NAMES, *SYSTEM,
    *(f"{name}.{part}" for name in (*SEGMENT_NAMES, *SYSTEM) for part in PARTS),
    *(f"{name}.{part}" for name in TABLES for part in ("base", "limit")),
)  # fmt: skip
"""Registers that can be written; MSRs have numbers."""


class RuleError(EngineError):
    """A rule of the processor forbids it."""

    def __init__(self, breach: Breach, values: tuple[int, ...]) -> None:
        """Say which rule it is, and with what it is broken."""
        super().__init__(breach)
        self.breach = breach
        self.values = values


def write_register(vm: Vm, vcpu: Vcpu, name: str, value: int, *, raw: bool) -> None:
    """Set a register; raise `EngineError`, and `RuleError` where a rule forbids it."""
    if name not in NAMES:
        raise EngineError(f"there is no register {name[:20]!r} to be written")
    if not 0 <= value <= MASK64:
        raise EngineError(f"{name} {value:#x}: it has 64 bits")
    if vcpu.vie.status:
        raise EngineError(
            f"vCPU {vcpu.id} is in the middle of an instruction: answer or discard its "
            "request first"
        )
    regs = vcpu.regs
    base, _, part = name.partition(".")
    if part:
        _set_part(regs, base, part, value, raw=raw)
    elif name in GPR_NAMES:
        regs.gpr[GPR_NAMES.index(name)] = value
    elif name in SEGMENT_NAMES:
        _load(vcpu, SEGMENT_NAMES.index(name), value, raw=raw)
    elif name in SYSTEM:
        _load_system(regs, name, value, raw=raw)
    else:
        _set(vm, vcpu, name, value, raw=raw)
    intercepted.see_mode(vm, vcpu)
    if name == "rip":
        vcpu.stopped_at = None


def _set(vm: Vm, vcpu: Vcpu, name: str, value: int, *, raw: bool) -> None:
    """Set RIP, RFLAGS, a control register or a debug register."""
    regs = vcpu.regs
    why = None if raw else _refusal(vm, regs, name, value)
    if why is not None:
        raise EngineError(f"{name} {value:#x}: {why}")
    match name:
        case "dr6":
            regs.dr[6] = value & DR6_MASK | DR6_FIXED
        case "dr7":
            regs.dr[7] = value & DR7_MASK | DR7_FIXED
        case "dr0" | "dr1" | "dr2" | "dr3":
            regs.dr[int(name[2])] = value
        case "rflags":
            regs.rflags = value & FLAGS
        case "cr0":
            regs.cr0 = value & vm.cpu.model.cr0 if not raw else value & MASK32
        case _:
            setattr(regs, name, value)
    if name.startswith("dr"):
        vm.core.arm_guest(regs, vcpu.linear.peek)


def _refusal(vm: Vm, regs: Registers, name: str, value: int) -> str | None:
    """Return why an instruction could not set a register so; raise `RuleError`."""
    broken = _broken(regs, name, value, vm.cpu.model)
    if broken is not None:
        raise RuleError(*broken)
    match name:
        case "rip":
            return _rip_refusal(regs, value)
        case "rflags" if value & ~FLAGS:
            return f"bits {value & ~FLAGS:#x} are reserved"
        case "rflags" if (value ^ regs.rflags) & VM:
            return "VM changes by IRET and task switches alone"
        case "dr0" | "dr1" | "dr2" | "dr3" | "cr2" if value > _widest(regs):
            return "more than 32 bits are for long mode"
        case "dr6" | "dr7" if value >> 32:
            return "bits 63:32 are reserved"
        case _:
            return None


def _broken(
    regs: Registers, name: str, value: int, model: CpuModel
) -> tuple[Breach, tuple[int, ...]] | None:
    """Return the rule of a control register that a value breaks, and what breaks it."""
    breach: Breach | None = None
    values: tuple[int, ...] = (value,)
    match name:
        case "cr0":
            breach, values = control.cr0_breach(regs, value), (value, regs.cr4)
        case "cr3":
            breach = control.cr3_breach(regs, value)
        case "cr4":
            breach = control.cr4_breach(regs, value, model)
            values = (value, value & ~model.cr4)
        case "xcr0" if not value & 1 or value & ~model.xcr0:
            breach, values = Breach.XCR0_BITS, (value, model.xcr0)
        case _:
            pass
    return None if breach is None else (breach, values)


def _rip_refusal(regs: Registers, value: int) -> str | None:
    if regs.code_bits == 64:
        return None if is_canonical(value) else "it is not canonical"
    limit = regs.segment(CS).limit
    return f"it is beyond the limit of CS, {limit:#x}" if value > limit else None


def _widest(regs: Registers) -> int:
    return MASK64 if regs.efer & EFER_LMA else MASK32


def _set_part(
    regs: Registers, base: str, part: str, value: int, *, raw: bool
) -> None:  # fmt: skip
    """Set a hidden part of a segment register, or a part of GDTR or IDTR."""
    is_table = base in TABLES
    most = 0xFFFF if is_table and part == "limit" else PARTS[part]
    if value & ~most:
        raise EngineError(f"{base}.{part} {value:#x}: it has the bits {most:#x}")
    if not raw and not is_table:
        raise EngineError(
            f"{base}.{part} comes from a descriptor, and no instruction sets it alone"
        )
    if not raw and part == "base" and not is_canonical(value):
        raise RuleError(Breach.TABLE_BASE, (value,))
    if base in SEGMENT_NAMES:
        index = SEGMENT_NAMES.index(base)
        regs.set_segment(index, regs.segment(index)._replace(**{part: value}))
        return
    setattr(regs, base, getattr(regs, base)._replace(**{part: value}))


def _load(vcpu: Vcpu, index: int, selector: int, *, raw: bool) -> None:
    """Load a segment register from its descriptor, as MOV to it does."""
    name, regs = SEGMENT_NAMES[index], vcpu.regs
    if selector >> 16:
        raise EngineError(f"{name} {selector:#x}: a selector has 16 bits")
    if index == CS and not raw:
        raise EngineError("cs is loaded by a far transfer alone")
    if regs.mode == "real" or regs.rflags & VM:
        old = regs.segment(index)
        regs.set_segment(index, old._replace(selector=selector, base=selector << 4))
        return
    if descriptors.is_null(selector) and (index != SS or raw):
        regs.set_segment(index, Segment(selector, 0, 0, 0))
        return
    found = descriptors.find(regs, descriptors.OpenBus(vcpu.linear), selector)
    if found is None:
        raise EngineError(f"{name} {selector:#x}: it is beyond the limit of its table")
    why = None if raw else _segment_refusal(regs, index, found)
    if why is not None:
        raise EngineError(f"{name} {selector:#x}: {why}")
    regs.set_segment(index, found.segment)


def _segment_refusal(
    regs: Registers, index: int, it: descriptors.Descriptor
) -> str | None:
    """Return why MOV could not load a segment: SDM Vol. 2A "MOV", Operation."""
    cpl, rpl = regs.cpl, it.selector & 3
    if index == SS:
        if not it.stack:
            return "it is no writable data segment"
        if rpl != cpl or it.dpl != cpl:
            return f"RPL {rpl} and DPL {it.dpl} must be the CPL, {cpl}"
    else:
        is_code = it.high & (SEG_S | SEG_CODE) == SEG_S | SEG_CODE
        if not it.high & SEG_S or (is_code and not it.high & READABLE):
            return "it is neither a data nor a readable code segment"
        if not (is_code and it.conforming) and it.dpl < max(cpl, rpl):
            return f"DPL {it.dpl} is below CPL {cpl} or RPL {rpl}"
    return None if it.present else "it is not present"


def _load_system(regs: Registers, name: str, selector: int, *, raw: bool) -> None:
    if not raw:
        raise EngineError(
            f"{name} is loaded by {'LLDT' if name == 'ldtr' else 'LTR'} alone"
        )
    if selector >> 16:
        raise EngineError(f"{name} {selector:#x}: a selector has 16 bits")
    setattr(regs, name, getattr(regs, name)._replace(selector=selector))


def read_msr(vm: Vm, vcpu: Vcpu, number: int) -> int:
    """Return what RDMSR would, without a trace of it; raise `RuleError`."""
    model = vm.cpu.model
    value = msr.read(vcpu, number, vm.now, clock.tsc(vm), vm.profile, model)
    if isinstance(value, Breach):
        broken = msr.broken_by(vcpu, number, 0, model)
        raise RuleError(value, (number, 0, 0, *broken))
    return value


def write_msr(vm: Vm, vcpu: Vcpu, number: int, value: int) -> None:
    """Write an MSR as WRMSR does, traps aside; raise `EngineError` or `RuleError`."""
    if not 0 <= value <= MASK64:
        raise EngineError(f"MSR {number:#x} {value:#x}: it has 64 bits")
    time, was = msr.Clock(vm.now, clock.tsc(vm), vm.tsc_hz), written.before(vcpu.apic)
    broken = msr.broken_by(vcpu, number, value, vm.cpu.model)
    outcome = msr.write(vcpu, number, value, time, vm.profile, vm.cpu.model)
    if isinstance(outcome, Breach):
        values = number, 1, value, *broken
        raise RuleError(outcome, values)
    vm.note(MsrAccessed(vcpu.id, number, write=True, value=value, fault=False))
    if number in written.MSRS:
        vm.wrote(vcpu, written.timer(vcpu.id), written.MSRS[number], value, was)
    fabric.route(vm, outcome, "outside")
    intercepted.see_mode(vm, vcpu)
