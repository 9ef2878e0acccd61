"""Event delivery in long mode, from 64-bit and compatibility mode alike.

SDM Vol. 3A "Exception and Interrupt Handling in 64-bit Mode". Shadow stacks do not
exist here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import gates
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GP, SS_, TS
from lapis_engine.cpu.registers import CS, RSP, SEG_DB, SEG_L, SS, Segment
from lapis_engine.units import MASK64

if TYPE_CHECKING:
    from lapis_engine.cpu.gates import Delivery, Gate

ALIGN: Final = ~0xF & MASK64


def deliver(d: Delivery) -> None:
    """Deliver through a 64-bit gate; the old SS:RSP is pushed whatever happens."""
    gate = gates.read_gate(d, long=True)
    code = gates.find_code(d, gate.selector)
    if code.high & (SEG_L | SEG_DB) != SEG_L:
        raise d.fault(GP, gate.selector, Breach.HANDLER_64)
    inner = not code.conforming and code.dpl < d.cpl
    cpl = code.dpl if inner else d.cpl
    pointer = _push(d, _stack_pointer(d, gate, cpl, inner=inner), user=cpl == 3)
    if not is_canonical(gate.offset):
        raise d.fault(GP, 0, Breach.HANDLER_RIP, d.event.vector, gate.offset)
    cs = gates.load_code(d, code, cpl)
    # A null selector with RPL = CPL; the hidden DPL is the processor's CPL.
    ss = Segment(cpl, 0, 0, cpl << 13) if inner else None
    gates.commit(d, gates.GateEntry(gate, cs, gate.offset, pointer, ss))


def is_canonical(linear: int) -> bool:
    """Whether bits 63:47 are all alike."""
    return linear >> 47 in {0, 0x1_FFFF}


def _stack_pointer(d: Delivery, gate: Gate, cpl: int, *, inner: bool) -> int:
    """Return RSP before alignment: from the IST, from RSPn, or as it is."""
    if not inner and not gate.ist:
        return d.regs.gpr[RSP]
    tr = d.regs.tr
    at = gate.ist * 8 + 28 if gate.ist else cpl * 8 + 4
    if at + 7 > tr.limit:
        raise d.fault(TS, tr.selector, Breach.TSS_LIMIT, at, 8, tr.limit)
    return d.bus.read(tr.base + at, 8)


def _push(d: Delivery, pointer: int, *, user: bool) -> int:
    """Push the frame on an aligned stack and return RSP."""
    regs, event = d.regs, d.event
    frame = [
        regs.segment(SS).selector,
        regs.gpr[RSP],
        d.image,
        regs.segment(CS).selector,
        d.return_rip,
    ]
    if event.error is not None:
        frame.append(event.error)
    top = pointer & ALIGN
    slots = [(top - 8 * (n + 1)) & MASK64 for n in range(len(frame))]
    if not all(is_canonical(slot) for slot in slots):
        raise d.fault(SS_, 0, Breach.STACK_CANONICAL, pointer)
    gates.push(d, slots, frame, 8, user=user)
    return slots[-1]
