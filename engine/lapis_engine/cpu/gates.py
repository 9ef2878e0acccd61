"""The part of event delivery that all protected modes share: gate, target, commit.

SDM Vol. 2A "INT n/INTO/INT3/INT1" and Vol. 3A "Exception and Interrupt Handling".
Nothing here changes a register before `commit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lapis_engine.cpu import descriptors
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.debug_registers import DR7_GD
from lapis_engine.cpu.descriptors import Descriptor, OpenBus
from lapis_engine.cpu.fault import DB, GP, NP, PF_, GuestFault
from lapis_engine.cpu.registers import (
    IF,
    NT,
    RF,
    SEG_ACCESSED,
    SEG_P,
    SS,
    TF,
    VM,
    Registers,
)
from lapis_engine.frozen import record
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.cpu.paging import Linear
    from lapis_engine.cpu.registers import Segment

Kind = Literal["external", "nmi", "exception", "software"]

ERROR_EXT: Final = 1
"""Bit 0 of an error code: the event came from outside the program."""
ERROR_IDT: Final = 2
"""Bit 1 of an error code: it names a gate of the IDT (SDM Vol. 3A "Error Code")."""

TASK_GATE: Final = 5
GATES_PROTECTED: Final = frozenset((TASK_GATE, 0x6, 0x7, 0xE, 0xF))
GATES_LONG: Final = frozenset((0xE, 0xF))
"""Gate types, bits 11:8: 6 and 7 are 16-bit, E and F are 32-bit or 64-bit."""

FAULTS: Final = frozenset((0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19, 20, 21))
"""Exceptions that are always of the fault class (SDM Vol. 3A "Exceptions and
Interrupts", table of vectors); #DB may be either and is not among them."""


@record
class Pending:
    """An event on its way to its handler.

    Whether INT n is allowed in virtual-8086 mode (IOPL) was decided by the processor
    before it reported the instruction.
    """

    # Not modelled: CR4.VME, by which INT n stays within virtual-8086 mode, and IRET
    # there changes VIF. In long mode IRET loads VIF and VIP if the machine is strict.

    vector: int
    kind: Kind
    """`software` is INT n, INT3 and INTO."""
    error: int | None
    """Error code to push."""
    cr2: int = 0
    """For #PF."""
    return_rip: int | None = None
    """RIP to push where it is not RIP itself: after a software interrupt."""
    rule: str | None = None
    """Code of the rule that an instruction broke (`cpu.breach`), if it is known."""
    values: tuple[int, ...] = ()
    """What broke it: numbers for the sentence of that rule."""

    @property
    def ext(self) -> int:
        """EXT, bit 0 of the error code of a fault during its delivery."""
        return 0 if self.kind == "software" else ERROR_EXT


class TaskGate(Exception):  # noqa: N818 - the guest asks for it; no error of ours
    """The gate is a task gate. Nothing has changed yet; `tasks` goes on from here."""

    def __init__(self, selector: int) -> None:
        """Carry the selector of the TSS that the gate names."""
        super().__init__(selector)
        self.selector = selector


class Gate(NamedTuple):
    """A gate of the IDT."""

    selector: int
    offset: int
    kind: int
    """Type, bits 11:8."""
    ist: int

    @property
    def interrupt(self) -> bool:
        """An interrupt gate, which clears IF; a trap gate does not."""
        return not self.kind & 1

    @property
    def wide(self) -> bool:
        """Not a 16-bit gate."""
        return bool(self.kind & 8)


class Delivery:
    """One attempt to deliver one event: what it starts from."""

    __slots__ = ("bus", "cpl", "event", "ext", "flags", "regs")

    def __init__(self, regs: Registers, linear: Linear, event: Pending) -> None:
        """Start from `regs` as they are."""
        self.regs = regs
        self.bus = OpenBus(linear)
        self.event = event
        self.ext = event.ext
        self.flags = regs.rflags
        self.cpl = 3 if self.flags & VM else regs.cpl

    def fault(
        self, vector: int, selector: int, rule: Breach, *values: int
    ) -> GuestFault:
        """Return a fault that names a selector, or 0, and the rule that it broke.

        The selector is the first value of the rule, before `values`.
        """
        error = (selector & 0xFFFC) | self.ext
        return GuestFault(vector, error, rule=rule, values=(selector, *values))

    def gate_fault(self, vector: int, rule: Breach, *values: int) -> GuestFault:
        """Return a fault that names the gate; its vector is the first value."""
        number = self.event.vector
        error = (number << 3) | ERROR_IDT | self.ext
        return GuestFault(vector, error, rule=rule, values=(number, *values))

    @property
    def return_rip(self) -> int:
        """RIP to push."""
        given = self.event.return_rip
        return self.regs.rip if given is None else given

    @property
    def image(self) -> int:
        """RFLAGS to push (SDM Vol. 3B "Instruction-Breakpoint Exception Condition")."""
        # Not modelled: RF in the image when REP is interrupted between iterations.
        fault = self.event.kind == "exception" and self.event.vector in FAULTS
        return self.flags | (RF if fault else 0)


@dataclass(slots=True)
class GateEntry:
    """Where an event goes: what `commit` loads."""

    gate: Gate
    cs: Segment
    rip: int
    rsp: int
    ss: Segment | None
    """None leaves SS as it is."""


def read_gate(d: Delivery, *, long: bool) -> Gate:
    """Return the gate of the event after every check that is about the gate."""
    regs, bus, size = d.regs, d.bus, 16 if long else 8
    idtr, offset = regs.idtr, d.event.vector * size
    if offset + size - 1 > idtr.limit:
        raise d.gate_fault(GP, Breach.GATE_LIMIT, idtr.limit)
    at = idtr.base + offset
    raw = bus.read(at, 8)
    low, high = raw & 0xFFFF_FFFF, raw >> 32
    kind = (high >> 8) & 0x1F  # S, bit 12, is 0 in a gate
    if kind not in (GATES_LONG if long else GATES_PROTECTED):
        raise d.gate_fault(GP, Breach.GATE_TYPE, kind)
    if d.event.kind == "software" and (high >> 13) & 3 < d.cpl:
        raise d.gate_fault(GP, Breach.GATE_DPL, (high >> 13) & 3, d.cpl)
    if not high & SEG_P:
        raise d.gate_fault(NP, Breach.GATE_ABSENT)
    if kind == TASK_GATE:
        raise TaskGate(low >> 16)
    return _gate(low, high, bus.read(at + 8, 4) if long else None)


@lru_cache(maxsize=512)
def _gate(low: int, high: int, top: int | None) -> Gate:
    """Return the gate in two dwords; of a 64-bit one `top` is bits 63:32 of the RIP."""
    kind, target = (high >> 8) & 0x1F, (low & 0xFFFF) | (high & 0xFFFF_0000)
    if top is not None:
        return Gate(low >> 16, target | top << 32, kind, high & 7)
    return Gate(low >> 16, target if kind & 8 else target & 0xFFFF, kind, 0)


def find_code(d: Delivery, selector: int) -> Descriptor:
    """Return the code segment that a gate names, checked."""
    if descriptors.is_null(selector):
        raise d.fault(GP, 0, Breach.HANDLER_NULL, d.event.vector)
    code = descriptors.find(d.regs, d.bus, selector)
    if code is None:
        raise d.fault(GP, selector, *descriptors.missing(d.regs, selector))
    if not code.code:
        raise d.fault(GP, selector, Breach.HANDLER_TYPE, code.kind)
    if code.dpl > d.cpl:
        raise d.fault(GP, selector, Breach.HANDLER_DPL, code.dpl, d.cpl)
    if not code.high & SEG_P:
        raise d.fault(NP, selector, Breach.SEGMENT_ABSENT)
    return code


def load_code(d: Delivery, code: Descriptor, cpl: int) -> Segment:
    """Return CS for a handler at `cpl`; set A of its descriptor in memory."""
    if not code.high & SEG_ACCESSED:
        code.mark_accessed(d.bus)
    return code.segment._replace(selector=(code.selector & 0xFFFC) | cpl)


def push(
    d: Delivery,
    at: Sequence[int],
    words: Sequence[int],
    size: int,
    *,
    user: bool,
) -> None:
    """Store `words` of `size` bytes at the linear addresses `at`, descending.

    What lies together in one page is one write; a fault is that of the first word
    that has one, and so they are tried one by one then.
    """
    low, mask = at[-1], (1 << (8 * size)) - 1
    if at[0] - low == size * (len(at) - 1) and (at[0] + size - 1) ^ low < PAGE:
        whole = 0
        for word in words:
            whole = whole << (8 * size) | word & mask
        try:
            d.bus.write(low, size * len(at), whole, user=user)
        except GuestFault:
            pass
        else:
            return
    for linear, word in zip(at, words, strict=True):
        d.bus.write(linear, size, word, user=user)


def commit(d: Delivery, entry: GateEntry) -> None:
    """Load the registers; nothing can fault any more."""
    if entry.ss is not None:
        d.regs.set_segment(SS, entry.ss)
    cleared = TF | NT | VM | RF | (IF if entry.gate.interrupt else 0)
    d.regs.enter(entry.cs, entry.rip, entry.rsp, d.flags & ~cleared)
    finish(d)


def finish(d: Delivery) -> None:
    """Do what every delivery ends with, in real mode too."""
    d.regs.shadow = False
    if d.event.kind == "exception":
        if d.event.vector == PF_:
            d.regs.cr2 = d.event.cr2
        elif d.event.vector == DB:  # its handler may use the debug registers
            d.regs.dr[7] &= ~DR7_GD
