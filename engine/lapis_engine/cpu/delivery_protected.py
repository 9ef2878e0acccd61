"""Event delivery in protected mode outside long mode, virtual-8086 mode included.

SDM Vol. 2A "INT n/INTO/INT3/INT1", from INTERRUPT-OR-TRAP-GATE on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import descriptors, gates
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.descriptors import fits, is_expand_down, stack_mask
from lapis_engine.cpu.fault import GP, SS_, TS, GuestFault
from lapis_engine.cpu.registers import CS, DS, ES, FS, GS, RSP, SS, VM, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.cpu.gates import Delivery

TSS_32BIT: Final = 1 << 11
"""Type bit 3, of TR: a 32-bit TSS (SDM Vol. 3A "TSS Descriptor")."""
NULL: Final = Segment(0, 0, 0, 0)


class Stack(NamedTuple):
    """A stack to push on, and whose it is."""

    segment: Segment
    pointer: int
    user: bool
    """CPL 3 pushes, not a supervisor."""
    error: int
    """Selector for the error code of #SS; 0 for a stack that was in use already."""


def deliver(d: Delivery) -> None:
    """Deliver through a 16-bit or 32-bit gate."""
    regs, gate = d.regs, gates.read_gate(d, long=False)
    code = gates.find_code(d, gate.selector)
    inner = not code.conforming and code.dpl < d.cpl
    v86 = bool(d.flags & VM)
    if v86 and (not inner or code.dpl != 0):
        raise d.fault(GP, gate.selector, Breach.HANDLER_V86, code.dpl)
    cpl = code.dpl if inner else d.cpl
    if inner:
        stack = _inner_stack(d, cpl)
    else:
        stack = Stack(regs.segment(SS), regs.gpr[RSP], user=cpl == 3, error=0)
    pointer = push(d, stack, _frame(d, inner=inner, v86=v86), 4 if gate.wide else 2)
    if gate.offset > code.segment.limit:
        values = gate.selector, gate.offset, code.segment.limit
        raise GuestFault(GP, d.ext, rule=Breach.CODE_LIMIT, values=values)
    cs = gates.load_code(d, code, cpl)
    ss = stack.segment if inner else None
    gates.commit(d, gates.GateEntry(gate, cs, gate.offset, pointer, ss))
    if v86:
        for index in (ES, DS, FS, GS):
            regs.set_segment(index, NULL)


def push(d: Delivery, stack: Stack, words: Sequence[int], size: int) -> int:
    """Push `words` and return the stack pointer; all limits come before all writes."""
    segment, mask = stack.segment, stack_mask(stack.segment)
    offsets = [(stack.pointer - size * (n + 1)) & mask for n in range(len(words))]
    flat = segment.limit == mask and not is_expand_down(segment)
    inside = flat and stack.pointer & mask >= size * len(words)  # nearly always
    if not inside and not all(fits(segment, offset, size) for offset in offsets):
        room = segment.selector, stack.pointer & mask, size * len(words), segment.limit
        error = (stack.error & 0xFFFC) | d.ext
        raise GuestFault(SS_, error, rule=Breach.STACK_LIMIT, values=room)
    base = segment.base & 0xFFFF_FFFF
    linear = [(base + offset) & 0xFFFF_FFFF for offset in offsets]
    gates.push(d, linear, words, size, user=stack.user)
    return (stack.pointer & ~mask & 0xFFFF_FFFF) | offsets[-1]


def _frame(d: Delivery, *, inner: bool, v86: bool) -> list[int]:
    """Return what is pushed, first pushed first."""
    regs, frame = d.regs, []
    if v86:
        frame += [regs.selector(index) for index in (GS, FS, DS, ES)]
    if inner:
        frame += [regs.selector(SS), regs.gpr[RSP]]
    frame += [d.image, regs.selector(CS), d.return_rip]
    return frame if d.event.error is None else [*frame, d.event.error]


def _inner_stack(d: Delivery, cpl: int) -> Stack:
    """Return the stack for `cpl` that the TSS names, checked."""
    selector, pointer = _from_tss(d, cpl)
    if descriptors.is_null(selector):
        raise d.fault(TS, 0, Breach.RING_STACK_NULL, cpl)
    found = descriptors.find(d.regs, d.bus, selector)
    if found is None:
        raise d.fault(TS, selector, *descriptors.missing(d.regs, selector))
    if selector & 3 != cpl or found.dpl != cpl:
        raise d.fault(TS, selector, Breach.RING_STACK_PRIVILEGE, found.dpl, cpl)
    if not found.stack:
        raise d.fault(TS, selector, Breach.RING_STACK_TYPE, found.kind)
    if not found.present:
        raise d.fault(SS_, selector, Breach.SEGMENT_ABSENT)
    found.mark_accessed(d.bus)
    return Stack(found.segment, pointer, user=False, error=selector)


def _from_tss(d: Delivery, cpl: int) -> tuple[int, int]:
    """Return SS and ESP for `cpl` (SDM Vol. 3A "Task-State Segment (TSS)")."""
    tr, bus = d.regs.tr, d.bus
    if tr.flags & TSS_32BIT:
        at = cpl * 8 + 4
        if at + 5 > tr.limit:
            raise d.fault(TS, tr.selector, Breach.TSS_LIMIT, at, 6, tr.limit)
        return bus.read(tr.base + at + 4, 2), bus.read(tr.base + at, 4)
    at = cpl * 4 + 2
    if at + 3 > tr.limit:
        raise d.fault(TS, tr.selector, Breach.TSS_LIMIT, at, 4, tr.limit)
    return bus.read(tr.base + at + 2, 2), bus.read(tr.base + at, 2)
