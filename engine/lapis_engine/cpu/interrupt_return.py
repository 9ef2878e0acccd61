"""IRET in protected mode and in long mode, but for the return to another task.

SDM Vol. 2A "IRET/IRETD/IRETQ". A fault leaves the registers as they were. That of
virtual-8086 mode and of real mode is the processor's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import descriptors
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.delivery_long import is_canonical
from lapis_engine.cpu.delivery_protected import NULL
from lapis_engine.cpu.descriptors import OpenBus, fits, stack_mask
from lapis_engine.cpu.fault import AC_, GP, NP, SS_, GuestFault
from lapis_engine.cpu.registers import (
    AC,
    CR0_AM,
    CS,
    DF,
    DS,
    EFER_LMA,
    ES,
    FS,
    GS,
    ID,
    IF,
    IOPL,
    NT,
    RF,
    RSP,
    SEG_ACCESSED,
    SEG_CODE,
    SEG_CONFORMING,
    SEG_DB,
    SEG_L,
    SS,
    STATUS_FLAGS,
    TF,
    VIF,
    VIP,
    VM,
    Segment,
)
from lapis_engine.units import MASK32, MASK64

if TYPE_CHECKING:
    from lapis_engine.cpu.descriptors import Descriptor
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.cpu.registers import Registers

ANY: Final = STATUS_FLAGS | TF | DF | NT
"""What every IRET loads of EFLAGS; with 32 and 64 bits `WIDE`, too."""
WIDE: Final = RF | AC | ID
OF_CPL_0: Final = IOPL | VIF | VIP
TO_V86: Final = ANY | WIDE | IF | OF_CPL_0 | VM
NULL_STACK: Final = Segment(0, 0, MASK32, 0xC0_9300)
"""SS of a null selector in 64-bit code; selector and DPL are those of the CPL."""
DPL: Final = 13


class Frame(NamedTuple):
    """What IRET pops first."""

    rip: int
    cs: int
    flags: int


class Return:
    """One IRET: where it comes from."""

    __slots__ = ("bits", "bus", "cpl", "linear", "long", "regs", "size", "stack")

    def __init__(self, regs: Registers, linear: Linear, size: int) -> None:
        """Start from `regs` as they are; `size` is that of the operand in bytes."""
        self.regs, self.linear, self.size = regs, linear, size
        self.bus = OpenBus(linear)
        self.cpl, self.bits = regs.cpl, regs.code_bits
        self.long = bool(regs.efer & EFER_LMA)
        self.stack = regs.segment(SS)

    @property
    def mask(self) -> int:
        """The bits of RSP that count on the old stack."""
        return MASK64 if self.bits == 64 else stack_mask(self.stack)

    def pop(self, first: int, count: int) -> list[int]:
        """Return so many words from word `first` of the stack on; RSP stays.

        Raises `GuestFault`, and `LinearHole` for a stack that is no memory.
        """
        size, mask = self.size, self.mask
        top = self.regs.gpr[RSP]
        offsets = [top + size * n & mask for n in range(first, first + count)]
        self._check(offsets)
        base = 0 if self.bits == 64 else self.stack.base
        width = MASK64 if self.bits == 64 else MASK32
        user = self.cpl == 3
        if offsets[-1] - offsets[0] == size * (count - 1):
            raw = self.linear.read(base + offsets[0] & width, size * count, user=user)
        else:
            places = [base + offset & width for offset in offsets]
            raw = b"".join(self.linear.read(at, size, user=user) for at in places)
        return [
            int.from_bytes(raw[at : at + size], "little")
            for at in range(0, size * count, size)
        ]

    def _check(self, offsets: list[int]) -> None:
        size = self.size
        if self.bits == 64:
            inside = all(
                is_canonical(each) and is_canonical(each + size - 1) for each in offsets
            )
        else:
            inside = all(fits(self.stack, each, size) for each in offsets)
        if not inside:
            raise GuestFault(
                SS_, 0, rule=self._stack_rule(), values=self._room(offsets)
            )
        aligned = self.regs.rflags & AC and self.regs.cr0 & CR0_AM and self.cpl == 3
        if aligned and offsets[0] & size - 1:
            values = offsets[0], size
            raise GuestFault(AC_, 0, rule=Breach.ALIGNMENT_CHECK, values=values)

    def _stack_rule(self) -> Breach:
        is_flat = self.bits == 64
        return Breach.STACK_CANONICAL if is_flat else Breach.STACK_LIMIT

    def _room(self, offsets: list[int]) -> tuple[int, ...]:
        """Return what did not fit, as the rule of the stack wants it told."""
        stack, size = self.stack, self.size * len(offsets)
        if self.bits == 64:
            return 0, offsets[0]
        return stack.selector, offsets[0], size, stack.limit


def perform(regs: Registers, linear: Linear, size: int) -> None:
    """Do an IRET of so many bytes, all of it but counting.

    Raises `GuestFault`, or `LinearHole` for a stack that is no memory.
    """
    it = Return(regs, linear, size)
    popped = it.pop(0, 5 if it.bits == 64 else 3)
    frame = Frame(*popped[:3])
    if frame.flags & VM and not it.cpl and not it.long and size > 2:
        _to_v86(it, frame)
        return
    code = _code(it, frame.cs & 0xFFFF)
    rpl = frame.cs & 3
    outer = rpl > it.cpl
    if outer or it.bits == 64:
        rsp, selector = popped[3:] or it.pop(3, 2)
        stack = _stack(it, selector & 0xFFFF, code, rpl)
        _check_rip(it, code, frame.rip)
        code.mark_accessed(it.bus)
        regs.set_segment(SS, stack)
        _enter(it, frame, code, rsp, stack)
        if outer:
            _forget_data(regs, rpl)
        return
    _check_rip(it, code, frame.rip)
    code.mark_accessed(it.bus)
    _enter(it, frame, code, regs.gpr[RSP] + 3 * size, it.stack)


def _enter(
    it: Return, frame: Frame, code: Descriptor, rsp: int, stack: Segment
) -> None:
    """Load CS:RIP, RSP and RFLAGS; nothing can fault any more."""
    regs = it.regs
    to_64 = it.long and bool(code.high & SEG_L)
    mask = MASK64 if to_64 else stack_mask(stack)
    if mask == MASK32:
        rsp &= mask
    elif mask != MASK64:
        rsp = regs.gpr[RSP] & ~mask | rsp & mask
    loaded = ANY if it.size == 2 else ANY | WIDE
    if it.cpl <= (regs.rflags & IOPL) >> 12:
        loaded |= IF
    if not it.cpl:
        loaded |= IOPL if it.size == 2 else OF_CPL_0
    rflags = regs.rflags & ~(loaded | RF) | frame.flags & loaded
    regs.enter(_loaded(code), frame.rip, rsp & MASK64, rflags)


def _code(it: Return, selector: int) -> Descriptor:
    """Return the code segment to return to, checked."""
    if descriptors.is_null(selector):
        raise _refused(Breach.RETURN_CODE, selector)
    error, rpl = selector & 0xFFFC, selector & 3
    found = descriptors.find(it.regs, it.bus, selector)
    if found is None or not found.code or rpl < it.cpl:
        raise _refused(Breach.RETURN_CODE, selector)
    if it.long and found.high & (SEG_L | SEG_DB) == SEG_L | SEG_DB:
        raise _refused(Breach.CODE_L_AND_D, selector)
    if found.dpl > rpl if found.conforming else found.dpl != rpl:
        raise _refused(Breach.RETURN_CODE, selector)
    if not found.present:
        rule = Breach.SEGMENT_ABSENT
        raise GuestFault(NP, error, rule=rule, values=(selector,))
    return found


def _stack(it: Return, selector: int, code: Descriptor, rpl: int) -> Segment:
    """Return SS for another stack, checked; a null selector will do in 64-bit code."""
    error = selector & 0xFFFC
    if not error and it.long and code.high & SEG_L and rpl != 3 and selector == rpl:
        flags = NULL_STACK.flags | rpl << DPL
        return NULL_STACK._replace(selector=selector, flags=flags)
    found = descriptors.find(it.regs, it.bus, selector) if error else None
    if found is None or not found.stack or not selector & 3 == rpl == found.dpl:
        raise _refused(Breach.RETURN_STACK, selector)
    if not found.present:
        rule = Breach.SEGMENT_ABSENT
        raise GuestFault(SS_, error, rule=rule, values=(selector,))
    found.mark_accessed(it.bus)
    return _loaded(found)


def _loaded(found: Descriptor) -> Segment:
    """Return a segment register as the processor itself loads it: limit bits and all.

    It carries out the same IRET in long mode, and what is left must be the same.
    """
    return found.segment._replace(flags=found.high | SEG_ACCESSED)


def _check_rip(it: Return, code: Descriptor, rip: int) -> None:
    if it.long and code.high & SEG_L:
        if not is_canonical(rip):
            raise GuestFault(GP, 0, rule=Breach.RETURN_RIP, values=(rip,))
    elif rip > code.segment.limit:
        raise _beyond(code.selector, rip, code.segment.limit)


def _refused(rule: Breach, selector: int) -> GuestFault:
    return GuestFault(GP, selector & 0xFFFC, rule=rule, values=(selector,))


def _beyond(selector: int, rip: int, limit: int) -> GuestFault:
    values = selector, rip, limit
    return GuestFault(GP, 0, rule=Breach.CODE_LIMIT, values=values)


def _forget_data(regs: Registers, cpl: int) -> None:
    """Make null what the outer level may not read."""
    for index in (ES, DS, FS, GS):
        segment = regs.segment(index)
        conforming = segment.flags & (SEG_CODE | SEG_CONFORMING)
        if conforming == SEG_CODE | SEG_CONFORMING or segment.selector < 4:
            continue
        if segment.dpl < cpl:
            regs.set_segment(index, NULL)


def _to_v86(it: Return, frame: Frame) -> None:
    """Return to virtual-8086 mode, whose segments come from the stack."""
    rsp, ss, *others = it.pop(3, 6)
    if frame.rip > 0xFFFF:
        raise _beyond(frame.cs & 0xFFFF, frame.rip, 0xFFFF)
    regs = it.regs
    regs.rflags = regs.rflags & ~TO_V86 | frame.flags & TO_V86
    chosen = zip((CS, SS, ES, DS, FS, GS), (frame.cs, ss, *others), strict=True)
    for index, word in chosen:
        selector = word & 0xFFFF
        segment = Segment(selector, selector << 4, 0xFFFF, 0xF300)
        regs.set_segment(index, segment)
    regs.rip, regs.gpr[RSP] = frame.rip, rsp
