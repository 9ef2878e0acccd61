"""What the processor underneath does not check when segments and tables are loaded.

Not here is what it does check: it carries the instruction out afterwards. A source that
cannot be read is left to it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.breaches.segments import LTR
from lapis_engine.cpu import descriptors
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.descriptors import OpenBus
from lapis_engine.cpu.fault import GP, GuestFault
from lapis_engine.cpu.marked import REGISTERS, TWO_BYTE
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.paging import LinearHole
from lapis_engine.cpu.registers import CR0_PE, EFER_LMA, VM
from lapis_engine.cpu.strict import LSS
from lapis_engine.cpu.tasks import LDT
from lapis_engine.units import MASK32
from lapis_engine.vie import reach
from lapis_engine.vie.operands import linear_address
from lapis_engine.vie.prefixes import read_prefixes
from lapis_engine.vmm import intercepted

if TYPE_CHECKING:
    from lapis_engine.cpu.descriptors import Descriptor
    from lapis_engine.cpu.marked import Mark
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vmm.vm import Run

TSS_16: Final = 1
TSS_32: Final = 9
"""Types of descriptors; 9 is that of a 64-bit TSS in long mode."""


def check_null_ss(run: Run, mark: Mark) -> None:
    """Raise #GP for a null selector with an RPL that is not the CPL.

    SDM Vol. 2A "MOV": in 64-bit code SS takes a null selector below CPL 3.
    """
    is_lss = mark.code[mark.opcode_at + 1] == LSS
    offset = read_prefixes(mark.code, 64).opsize if is_lss else 0
    selector = _source(run, mark, offset, 2)
    if selector is None or selector & 0xFFFC:
        return
    cpl = run.vcpu.regs.cpl
    if cpl == 3:
        values = selector, cpl, 64
        raise GuestFault(GP, 0, rule=Breach.NULL_SS, values=values)
    if selector & 3 != cpl:
        raise GuestFault(GP, 0, rule=Breach.NULL_SS_RPL, values=(selector, cpl))


def check_task_or_ldt(run: Run, mark: Mark) -> None:
    """Raise what LLDT or LTR shall for its selector and the descriptor.

    SDM Vol. 2A "LLDT", "LTR". That it is for CPL 0 in protected mode, and whether
    the descriptor is present, is the processor's to say.
    """
    regs = run.vcpu.regs
    if not regs.cr0 & CR0_PE or regs.rflags & VM or regs.cpl:
        return
    selector = _source(run, mark, 0, 2)
    is_ltr = mark.code[mark.opcode_at + 2] >> 3 & 7 == LTR
    if selector is None:
        return
    if descriptors.is_null(selector):
        if is_ltr:
            raise GuestFault(GP, 0, rule=Breach.NULL_TR, values=(selector,))
        return
    if selector & descriptors.TABLE_LDT:
        rule = Breach.LOCAL_SELECTOR
        raise GuestFault(GP, selector & 0xFFFC, rule=rule, values=(selector,))
    bus = OpenBus(run.vcpu.linear)
    _check_descriptor(regs, bus, selector, is_ltr=is_ltr)


def check_table_base(run: Run, mark: Mark) -> None:
    """Raise #GP(0) for a base of LGDT or LIDT that is not canonical."""
    if run.vcpu.regs.cpl:
        return
    base = _source(run, mark, 2, 8)
    if base is not None and not is_canonical(base):
        raise GuestFault(GP, 0, rule=Breach.TABLE_BASE, values=(base,))


def store_cr0(run: Run, mark: Mark) -> None:
    """SMSW to a register: as much of CR0 as the operand size takes.

    SDM Vol. 2B "SMSW": bits 31:16 of a 32-bit one are not defined there, and every
    processor has CR0 in them.
    """
    regs = run.vcpu.regs
    at = read_prefixes(mark.code, regs.code_bits)
    register = mark.code[mark.opcode_at + 2] & 7 | (at.rex & 1) << 3
    if at.opsize == 2:
        regs.gpr[register] = regs.gpr[register] & ~0xFFFF | regs.cr0 & 0xFFFF
    else:
        regs.gpr[register] = regs.cr0 & MASK32
    intercepted.retire(run, mark.opcode_at + 3)


def _check_descriptor(
    regs: Registers, bus: OpenBus, selector: int, *, is_ltr: bool
) -> None:
    error = selector & 0xFFFC
    found = descriptors.find(regs, bus, selector)
    wide = bool(regs.efer & EFER_LMA)
    beyond = wide and (selector & descriptors.INDEX) + 15 > regs.gdtr.limit
    if found is None or beyond:
        values: tuple[int, ...] = selector, regs.gdtr.limit
        raise GuestFault(GP, error, rule=Breach.TABLE_LIMIT, values=values)
    wanted = {LDT} if not is_ltr else {TSS_32} if wide else {TSS_16, TSS_32}
    kind = found.high >> 8 & 0x1F
    if kind not in wanted:
        values = selector, kind
        raise GuestFault(GP, error, rule=Breach.DESCRIPTOR_TYPE, values=values)
    if wide and found.present:
        _check_wide(bus, found, selector)


def _check_wide(bus: OpenBus, found: Descriptor, selector: int) -> None:
    """Check the second half of a 16-byte descriptor."""
    above, error = bus.read(found.at + 8, 8), selector & 0xFFFC
    if above >> 40 & 0x1F:
        values = selector, above >> 32
        raise GuestFault(GP, error, rule=Breach.DESCRIPTOR_TOP, values=values)
    base = (above & MASK32) << 32 | found.segment.base
    if not is_canonical(base):
        values = selector, base
        raise GuestFault(GP, error, rule=Breach.DESCRIPTOR_BASE, values=values)


def _source(run: Run, mark: Mark, skipped: int, size: int) -> int | None:
    """Return what the ModRM operand holds behind `skipped` bytes, or None."""
    regs, code = run.vcpu.regs, mark.code
    at = mark.opcode_at + (2 if code[mark.opcode_at] == TWO_BYTE else 1)
    if code[at] >= REGISTERS:
        rex_b = read_prefixes(code, regs.code_bits).rex & 1
        return int(regs.gpr[code[at] & 7 | rex_b << 3]) & ((1 << 8 * size) - 1)
    operand = next(reach.operands(regs, code), None)
    if operand is None:
        return None
    place = linear_address(regs, regs.code_bits, *operand) + skipped
    try:
        return OpenBus(run.vcpu.linear).read(place, size)
    except (GuestFault, LinearHole):
        return None
