"""What the processor underneath calls while it runs, and what it says by that.

Each call leaves one record for who has started it. The state is taken over at once:
what goes on until the processor stops is not the guest's any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unicorn.unicorn_const import (
    UC_MEM_FETCH_PROT,
    UC_MEM_FETCH_UNMAPPED,
    UC_MEM_WRITE_PROT,
    UC_MEM_WRITE_UNMAPPED,
)

from lapis_engine.cpu import flags, intercepts
from lapis_engine.cpu.fault import DB, PF_
from lapis_engine.cpu.intercepts import (
    Breakpoint,
    Budget,
    Faulted,
    Hole,
    HwExit,
    Intercepted,
    Marked,
    PortAccess,
    Resumed,
    SoftwareInterrupt,
    Window,
)
from lapis_engine.cpu.registers import DR6_BS, RF
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    import ctypes as c
    import mmap

    from unicorn import Uc

    from lapis_engine.cpu.context import Context
    from lapis_engine.cpu.library import Bare
    from lapis_engine.cpu.marks import Marks
    from lapis_engine.cpu.probe import Control
    from lapis_engine.cpu.stops import Stops

EXCEPTION_EXIT = 0x40
"""SVM exit code of exception 0."""


class Reports:
    """The calls, and what they leave; `Core` sets it up and runs."""

    _uc: Uc
    _bare: Bare
    _vmcb: mmap.mmap
    _counter: c.c_size_t
    _control: Control
    _marks: Marks
    _stops: Stops
    _loaded: Context | None
    _event: HwExit | Resumed | None
    _before: int
    _begun: int
    _budget: int
    _pre: int
    _fetching: bool
    _skip: int | None

    def _save(self) -> Context:
        """Take over the state that the processor is in at this moment."""
        context = self._loaded
        assert context is not None, "an event without a vCPU"
        self._bare.save(context.saved)
        self._begun = self._counter.value  # more may begin before the stop
        return context

    def _join_flags(self, context: Context, *, begun: bool) -> None:
        """Make `eflags` of the parts that RFLAGS is split in while it is in flight.

        `begun`: the hooks of the instruction at RIP are through.
        """
        head, rflags = context.head, self._bare.rflags(context.saved)
        head.eflags = flags.of_begun(head, rflags) if begun else rflags

    def _capture(self) -> Context:
        """Take the state over, and stop."""
        context = self._save()
        self._uc.emu_stop()
        return context

    def _on_event(self, _uc: Uc, number: int, _data: object) -> None:
        if self._event is not None:
            return
        self._control.request.value = 0  # or it would be reported without end
        context = self._capture()
        tail = context.tail
        error = tail.error_code
        tail.old_exception, tail.exception_is_int = -1, 0
        self._pre = 1
        if number < 0x100:
            self._pre = 0
            self._event = SoftwareInterrupt(number)
        elif number - 0x100 == intercepts.VINTR:
            self._pre = 0
            self._event = Window()
        elif number - 0x100 == intercepts.HLT and (
            marked := self._marks.at(context.linear_rip())
        ):
            self._event = self._marked(context, marked)
        elif EXCEPTION_EXIT <= number - 0x100 < EXCEPTION_EXIT + 32:
            self._event = self._exception(context, number - 0x140, error & 0xFFFF_FFFF)
        else:
            self._event = Intercepted(number - 0x100, error)
        self._join_flags(context, begun=bool(self._pre))

    def _marked(self, context: Context, marked: Marked) -> HwExit | Resumed:
        """Return what a stop before a marked instruction is: it was not begun."""
        begun, self._pre = self._begun, 0
        linear = context.linear_rip()
        if begun == self._budget:
            return Budget()
        if linear in self._stops.breakpoints and (begun or linear != self._skip):
            return Breakpoint(linear)
        return Resumed() if context.head.eflags & RF else marked

    def _exception(self, context: Context, vector: int, error: int) -> HwExit | Resumed:
        cr2 = 0
        if vector == PF_:
            cr2 = int.from_bytes(self._vmcb[0x80:0x88], "little")
            # A fetch fails while translating, before the count: no return address.
            self._fetching = not context.tail.retaddr
            self._pre = 0 if self._fetching else 1
            if self._fetching and (marked := self._before_page(context, cr2)):
                self._fetching = False
                return self._marked(context, marked)
        elif vector == DB and context.tail.dr[6] & DR6_BS:
            self._pre = 0  # a single-step trap comes after its instruction
        return Faulted(vector, error, cr2)

    def _before_page(self, context: Context, cr2: int) -> Marked | None:
        """Return the marked instruction at RIP if it is all that is wrong.

        A block that begins with one is empty, and QEMU takes the byte before it for its
        last: where that is in another page, the page must be there.
        """
        linear = context.linear_rip()
        if linear % PAGE or cr2 != linear - PAGE:
            return None
        return self._marks.at(linear)

    def _on_hole(
        self, _uc: Uc, access: int, gpa: int, size: int, _value: int, _data: object
    ) -> bool:
        if self._event is not None:
            return False  # the further bytes of a write that crosses pages
        if access in {UC_MEM_WRITE_UNMAPPED, UC_MEM_WRITE_PROT}:
            kind = "write"
        elif access in {UC_MEM_FETCH_UNMAPPED, UC_MEM_FETCH_PROT}:
            kind = "fetch"
        else:
            kind = "read"
        if kind != "fetch":
            # Now, for an instruction that stores by a helper of QEMU's goes on to its
            # end, and into the next one.
            self._pre = 1
            self._join_flags(self._save(), begun=True)
        self._event = Hole(gpa, size, kind)
        return False

    def _on_in(self, _uc: Uc, port: int, size: int, _data: object) -> int:
        self._on_port(port, size, value=0, write=False)
        return 0

    def _on_out(self, _uc: Uc, port: int, size: int, value: int, _data: object) -> None:
        self._on_port(port, size, value=value, write=True)

    def _on_port(self, port: int, size: int, *, value: int, write: bool) -> None:
        self._pre = 1
        self._join_flags(self._capture(), begun=True)
        mask = (1 << (8 * size)) - 1
        self._event = PortAccess(port & 0xFFFF, size, write, value & mask)

    def _on_breakpoint(self, _uc: Uc, linear: int, _size: int, _data: object) -> None:
        if linear == self._skip and self._before + self._counter.value == 1:
            return
        self._pre = 1
        self._join_flags(self._capture(), begun=False)
        self._event = Breakpoint(linear)
