"""Switching from one task to another: by an event, a far CALL or JMP, or IRET.

SDM Vol. 3A "Task Switching" and its table of exceptions; Vol. 2A "INT n/INTO/INT3/INT1"
from TASK-GATE on, "CALL" and "JMP" from TASK-GATE and TASK-STATE-SEGMENT on, "IRET"
from TASK-RETURN on. Up to the point where the new task's registers are loaded a fault
leaves everything as it was; from there on it is one of the new task.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import delivery_protected, descriptors, gates
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.debug_registers import DR6_BT, LOCAL
from lapis_engine.cpu.delivery_protected import NULL, TSS_32BIT, Stack
from lapis_engine.cpu.fault import GP, NP, SS_, TS, GuestFault
from lapis_engine.cpu.registers import (
    CR0_TS,
    CS,
    DS,
    ES,
    FS,
    GS,
    NT,
    RSP,
    SEG_FLAGS,
    SEG_S,
    SEG_WRITABLE,
    SS,
    VM,
    Segment,
)

if TYPE_CHECKING:
    from lapis_engine.cpu.descriptors import Descriptor
    from lapis_engine.cpu.gates import Delivery

BUSY: Final = 1 << 9
"""Type bit 1 of a TSS."""
AVAILABLE: Final = frozenset({1, 9})
"""Types of a TSS that is not busy: 16-bit and 32-bit."""
NESTING: Final = frozenset({3, 0xB})
"""Types of one that is busy."""
LDT: Final = 2
FLAGS: Final = 0x003F_7FD5
"""Bits of EFLAGS that are taken from a TSS."""
IN_TSS: Final = (ES, CS, SS, DS, FS, GS)
"""Segment registers in the order of a TSS; one of 16 bits ends with DS."""
READABLE: Final = SEG_WRITABLE
"""The same bit in a code segment."""


class Way(Enum):
    """How a task is entered."""

    EVENT = auto()
    CALL = auto()
    JMP = auto()
    IRET = auto()

    @property
    def nests(self) -> bool:
        """The new task returns to the old one."""
        return self in {Way.EVENT, Way.CALL}


class TssForm(NamedTuple):
    """Where a TSS has what (SDM Vol. 3A "Task-State Segment (TSS)")."""

    word: int
    """Bytes of a register."""
    rip: int
    """EIP, EFLAGS, eight registers and the selectors follow each other from here."""
    segments: int
    """How many selectors there are."""
    least: int
    """Limit of the smallest."""

    @property
    def size(self) -> int:
        """Bytes from `rip` to the last selector."""
        return self.word * (10 + self.segments)


WIDE: Final = TssForm(4, 0x20, 6, 0x67)
NARROW: Final = TssForm(2, 0x0E, 4, 0x2B)
CR3_AT: Final = 0x1C
TRAP_AT: Final = 0x64


class State(NamedTuple):
    """What a TSS holds."""

    rip: int
    rflags: int
    gpr: tuple[int, ...]
    selectors: tuple[int, ...]
    ldt: int
    cr3: int
    trap: bool


def enter(d: Delivery, selector: int, way: Way = Way.EVENT) -> bool:
    """Switch to the task of a TSS; tell whether its T bit asks for a #DB.

    Of `d` there are the registers, memory, where the old task goes on, and the error
    code of an event. Raises `GuestFault`, with the registers of the old task or of the
    new one.
    """
    new = _find(d, selector, way)
    form = WIDE if new.high & TSS_32BIT else NARROW
    target = new.segment._replace(flags=(new.high | BUSY) & SEG_FLAGS)
    if target.limit < form.least:
        raise d.fault(TS, selector, Breach.TASK_LIMIT)
    state = _read(d, target.base, form)
    old_at = d.regs.gdtr.base + (d.regs.tr.selector & descriptors.INDEX) + 4
    if way.nests:
        d.bus.check_write(target.base, 2)
    else:
        d.bus.check_write(old_at, 4)
    d.bus.check_write(new.at + 4, 4)
    _save(d, way)
    if way.nests:
        d.bus.write(target.base, 2, d.regs.tr.selector)
    else:
        d.bus.write(old_at, 4, d.bus.read(old_at, 4) & ~BUSY)
    if way is not Way.IRET:
        d.bus.write(new.at + 4, 4, new.high | BUSY)
    _load(d, state, form, target, way)
    _qualify(d, state)
    _push_error(d, form)
    gates.finish(d)
    if state.trap:
        d.regs.dr[6] |= DR6_BT
    return state.trap


def named_by_gate(d: Delivery, found: Descriptor, selector: int) -> int:
    """Return the selector of the TSS for far CALL and JMP to a TSS or a task gate.

    `found` is what `selector` names. Raises `GuestFault` for who may not, and for a
    gate that is not there.
    """
    if found.dpl < max(d.cpl, selector & 3):
        raise d.fault(GP, selector, Breach.TASK_PRIVILEGE)
    if found.high >> 8 & 0x1F != gates.TASK_GATE:
        return selector
    if not found.present:
        raise d.fault(NP, selector, Breach.SEGMENT_ABSENT)
    return found.low >> 16


def link(d: Delivery) -> int:
    """Return the selector of the task to which IRET with NT returns."""
    return d.bus.read(d.regs.tr.base, 2)


def _find(d: Delivery, selector: int, way: Way) -> Descriptor:
    """Return the descriptor of the TSS that a selector names, checked."""
    returns = way is Way.IRET
    wrong, wanted = (TS, NESTING) if returns else (GP, AVAILABLE)
    if selector & descriptors.TABLE_LDT or descriptors.is_null(selector):
        raise d.fault(wrong, selector, Breach.TASK_SELECTOR)
    found = descriptors.find(d.regs, d.bus, selector)
    if found is None or found.high >> 8 & 0x1F not in wanted:
        rule = Breach.TASK_LINK if returns else Breach.TASK_BUSY
        raise d.fault(wrong, selector, rule)
    if not found.present:
        raise d.fault(NP, selector, Breach.SEGMENT_ABSENT)
    return found


def _read(d: Delivery, base: int, form: TssForm) -> State:
    raw = d.bus.read(base + form.rip, form.size)
    mask = (1 << 8 * form.word) - 1
    words = [raw >> 8 * form.word * n & mask for n in range(10 + form.segments)]
    gpr, selectors = words[2:10], [each & 0xFFFF for each in words[10:]]
    if form is NARROW:
        gpr = [each | 0xFFFF_0000 for each in gpr]  # the high halves are not defined
    ldt = d.bus.read(base + form.rip + form.size, 2)
    cr3 = d.bus.read(base + CR3_AT, 4) if form is WIDE else 0
    trap = form is WIDE and bool(d.bus.read(base + TRAP_AT, 2) & 1)
    padding = (0,) * (len(IN_TSS) - form.segments)
    return State(words[0], words[1], tuple(gpr), (*selectors, *padding), ldt, cr3, trap)


def _save(d: Delivery, way: Way) -> None:
    """Store the present task in its TSS; one that returns by IRET is nested no more."""
    regs = d.regs
    form = WIDE if regs.tr.flags & TSS_32BIT else NARROW
    flags = d.image & ~NT if way is Way.IRET else d.image
    words = [d.return_rip, flags, *regs.gpr[:8]]
    words += [regs.selector(index) for index in IN_TSS[: form.segments]]
    raw, mask = 0, (1 << 8 * form.word) - 1
    for word in reversed(words):
        raw = raw << 8 * form.word | word & mask
    if form.least > regs.tr.limit:
        raise d.fault(TS, regs.tr.selector, Breach.TASK_LIMIT)
    d.bus.write(regs.tr.base + form.rip, form.size, raw)


def _load(d: Delivery, state: State, form: TssForm, target: Segment, way: Way) -> None:
    """Load all registers; the hidden parts of segments are still empty."""
    regs = d.regs
    regs.tr = target
    regs.cr0 |= CR0_TS
    regs.dr[7] &= ~LOCAL
    if form is WIDE and regs.paging:
        regs.cr3 = state.cr3
    flags = state.rflags & FLAGS | (NT if way.nests else 0)
    if form is NARROW:
        flags |= regs.rflags & ~0xFFFF & FLAGS
    regs.rip, regs.rflags = state.rip, flags
    for index, value in enumerate(state.gpr):
        regs.gpr[index] = value
    cpl = 3 if flags & VM else state.selectors[1] & 3
    d.cpl, d.flags = cpl, flags
    for index, selector in zip(IN_TSS, state.selectors, strict=True):
        empty = NULL._replace(selector=selector)
        if flags & VM:
            empty = Segment(selector, selector << 4, 0xFFFF, 0xF300)
        elif index == SS:
            empty = empty._replace(flags=cpl << 13)  # where the CPL is kept
        regs.set_segment(index, empty)
    regs.ldtr = NULL._replace(selector=state.ldt)


def _qualify(d: Delivery, state: State) -> None:
    """Load the hidden parts, or raise: it is the new task that faults."""
    regs = d.regs
    if not descriptors.is_null(state.ldt):
        found = None
        if not state.ldt & descriptors.TABLE_LDT:
            found = descriptors.find(regs, d.bus, state.ldt)
        kind = 0 if found is None else found.high >> 8 & 0x1F
        if found is None or kind != LDT or not found.present:
            raise d.fault(TS, state.ldt, Breach.TASK_LDT)
        regs.ldtr = found.segment._replace(flags=found.high & SEG_FLAGS)
    if d.flags & VM:
        return
    selectors = dict(zip(IN_TSS, state.selectors, strict=True))
    _code(d, selectors[CS])
    _stack(d, selectors[SS])
    for index in (ES, DS, FS, GS):
        _data(d, index, selectors[index])


def _code(d: Delivery, selector: int) -> None:
    found = _named(d, selector, Breach.TASK_CODE)
    if not found.code:
        raise d.fault(TS, selector, Breach.TASK_CODE)
    if found.dpl > d.cpl if found.conforming else found.dpl != d.cpl:
        raise d.fault(TS, selector, Breach.TASK_CODE)
    _take(d, CS, found, NP)


def _stack(d: Delivery, selector: int) -> None:
    found = _named(d, selector, Breach.TASK_STACK)
    if not found.stack or found.dpl != d.cpl or selector & 3 != d.cpl:
        raise d.fault(TS, selector, Breach.TASK_STACK)
    _take(d, SS, found, SS_)


def _data(d: Delivery, index: int, selector: int) -> None:
    if descriptors.is_null(selector):
        return
    found = _named(d, selector, Breach.TASK_DATA)
    readable = found.high & SEG_S and (not found.code or found.high & READABLE)
    conforming = found.code and found.conforming
    if not readable or (not conforming and found.dpl < max(d.cpl, selector & 3)):
        raise d.fault(TS, selector, Breach.TASK_DATA)
    _take(d, index, found, NP)


def _named(d: Delivery, selector: int, rule: Breach) -> Descriptor:
    if descriptors.is_null(selector):
        raise d.fault(TS, selector, rule)
    found = descriptors.find(d.regs, d.bus, selector)
    if found is None:
        raise d.fault(TS, selector, rule)
    return found


def _take(d: Delivery, index: int, found: Descriptor, absent: int) -> None:
    if not found.present:
        raise d.fault(absent, found.selector, Breach.SEGMENT_ABSENT)
    found.mark_accessed(d.bus)
    d.regs.set_segment(index, found.segment)


def _push_error(d: Delivery, form: TssForm) -> None:
    """Push the error code on the new task's stack, and check where it begins."""
    regs = d.regs
    if d.event.error is not None:
        stack = Stack(regs.segment(SS), regs.gpr[RSP], user=d.cpl == 3, error=0)
        regs.gpr[RSP] = delivery_protected.push(d, stack, [d.event.error], form.word)
    cs = regs.segment(CS)
    if regs.rip > cs.limit:
        values = cs.selector, regs.rip, cs.limit
        raise GuestFault(GP, d.ext, rule=Breach.CODE_LIMIT, values=values)
