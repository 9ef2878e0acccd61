"""What a report of the processor's means for the vCPU that ran: exit and count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu import flags, intercepts
from lapis_engine.cpu.fault import DB, GP, PF_, UD
from lapis_engine.cpu.intercepts import (
    Breakpoint,
    Budget,
    Faulted,
    Hole,
    HwExit,
    Intercepted,
    Marked,
    Outdated,
    PortAccess,
    Resumed,
    SoftwareInterrupt,
    Unknown,
    Watched,
    Window,
)
from lapis_engine.cpu.model.contents import is_canonical
from lapis_engine.cpu.registers import DR6_BS, RF
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from lapis_engine.cpu.context import Context
    from lapis_engine.cpu.guest_stops import GuestStops
    from lapis_engine.cpu.library import Bare
    from lapis_engine.cpu.marks import Marks
    from lapis_engine.cpu.report import Counting, Report
    from lapis_engine.cpu.stops import Stops

SPENT: Final = Budget()
EXCEPTION_EXIT: Final = 0x40
"""SVM exit code of exception 0."""


class Stopped(NamedTuple):
    """How one start ended."""

    event: HwExit | Resumed | Outdated
    retired: int
    """Instructions, of this start."""


class ReportReader:
    """Reads reports, of which the context is saved and the processor stands."""

    __slots__ = ("_bare", "_guest", "_marks", "_stops")

    def __init__(
        self, bare: Bare, marks: Marks, stops: Stops, guest: GuestStops
    ) -> None:
        """Take the parts that a report is read with."""
        self._bare, self._marks = bare, marks
        self._stops, self._guest = stops, guest

    def ended(
        self,
        way: Counting,
        failed: str | None,
        context: Context,
        budget: int,
        skip: int | None,
    ) -> Stopped:
        """Return what ended a start: a report, a watch, or that all was done.

        `failed` is why the processor gave up, if it did; others are as of `read`.
        """
        guest = self._guest
        stopped = self._stopped(way, failed, context, budget, skip)
        if guest.hits and stopped.retired >= guest.at:
            # It is done: whatever else was found is of the next instruction.
            event = stopped.event
            stepped = isinstance(event, Faulted) and event.vector == DB
            return Stopped(Watched(guest.hits, stepped), stopped.retired)
        return stopped

    def _stopped(
        self,
        way: Counting,
        failed: str | None,
        context: Context,
        budget: int,
        skip: int | None,
    ) -> Stopped:
        if way.report is not None:
            return self.read(way.report, context, budget, skip)
        if failed is None:
            at = self._guest.at if self._guest.hits else self._stops.cut_at
            most = at or budget
            return Stopped(SPENT, min(way.begun, most))
        if context.tail.exception_is_int:
            return self.int_6(context, way.begun)
        return Stopped(Unknown(failed), max(way.begun - 1, 0))

    def read(
        self, report: Report, context: Context, budget: int, skip: int | None
    ) -> Stopped:
        """Return what a report means for a start of `budget` instructions.

        `skip` is the linear address at which a breakpoint on the first instruction is
        passed over. The flags of the context are put together.
        """
        if report.kind == "interrupt":
            return self._interrupt(report, context, budget, skip)
        if report.kind == "breakpoint":
            self._join_flags(context, None)
            return Stopped(Breakpoint(context.linear_rip()), report.before)
        if report.kind == "hole":
            hole = Hole(report.gpa, report.size, report.access)
            if report.access == "fetch":
                self._join_flags(context, None)
                return Stopped(hole, report.between)
            self._join_flags(context, report)
            return Stopped(hole, report.before)
        self._join_flags(context, report)
        write, mask = report.access == "write", (1 << (8 * report.size)) - 1
        access = PortAccess(
            report.gpa & 0xFFFF, report.size, write, report.value & mask
        )
        return Stopped(access, report.before)

    def int_6(self, context: Context, begun: int) -> Stopped:
        """Return what INT 6 is, which Unicorn does not report but complains of.

        It takes the vector for an instruction that is not valid ("stop_interrupt"), and
        so early that RIP is still on the INT.
        """
        tail = context.tail
        context.head.eip = tail.exception_next_eip
        tail.old_exception, tail.exception_is_int = -1, 0
        self._join_flags(context, None)
        return Stopped(SoftwareInterrupt(UD), begun)

    def _join_flags(self, context: Context, begun: Report | None) -> None:
        """Make `eflags` of the parts that RFLAGS is split in while it is in flight.

        `begun`: what came of the instruction at RIP, of which the hooks are through.
        """
        head, rflags = context.head, self._bare.rflags(context.saved)
        if begun is not None and begun.has_hooks:
            rflags = flags.of_begun(head, rflags)
        elif begun is not None and begun.is_early:
            rflags = flags.of_source(head, rflags)
        head.eflags = rflags

    def _interrupt(
        self, report: Report, context: Context, budget: int, skip: int | None
    ) -> Stopped:
        number, tail = report.number - 0x100, context.tail
        error = tail.error_code
        tail.old_exception, tail.exception_is_int = -1, 0
        if number < 0:
            self._join_flags(context, None)
            return Stopped(SoftwareInterrupt(report.number), report.after)
        if number == intercepts.VINTR:
            self._join_flags(context, None)
            return Stopped(Window(), report.between)
        if number == intercepts.HLT:
            self._join_flags(context, None)
            found = self._halted(context, error)
            return self._marked(found, context, report.after, budget, skip)
        if EXCEPTION_EXIT <= number < EXCEPTION_EXIT + 32:
            vector, code = number - EXCEPTION_EXIT, error & 0xFFFF_FFFF
            return self._exception(report, context, budget, skip, vector, code)
        self._join_flags(context, report)
        return Stopped(Intercepted(number, error), report.before)

    def _halted(self, context: Context, error: int) -> Intercepted | Marked | Outdated:
        linear = context.linear_rip()
        met = self._marks.met(linear)
        if met == "HLT":
            return Intercepted(intercepts.HLT, error)
        return met or Outdated()

    def _marked(
        self,
        found: Intercepted | Marked | Outdated,
        context: Context,
        retired: int,
        budget: int,
        skip: int | None,
    ) -> Stopped:
        """Return what a stop before a marked instruction is: it was not begun."""
        linear = context.linear_rip()
        if retired == budget:
            return Stopped(Budget(), retired)
        stops = self._stops
        is_at = linear in stops.breakpoints or (stops.physical and stops.is_at(linear))
        if is_at and (retired or linear != skip):
            return Stopped(Breakpoint(linear), retired)
        if context.head.eflags & RF:
            return Stopped(Resumed(), retired)
        return Stopped(found, retired)

    def _exception(
        self,
        report: Report,
        context: Context,
        budget: int,
        skip: int | None,
        vector: int,
        error: int,
    ) -> Stopped:
        cr2 = report.cr2 if vector == PF_ else 0
        if vector == PF_:
            # A fetch fails while translating, before the count: no return address.
            if not context.tail.retaddr:
                self._join_flags(context, None)
                if marked := self._before_page(context, cr2):
                    return self._marked(marked, context, report.between, budget, skip)
                return Stopped(Faulted(vector, error, cr2), report.between)
        elif vector == DB and context.tail.dr[6] & DR6_BS:
            # A single-step trap comes after its instruction.
            self._join_flags(context, None)
            return Stopped(Faulted(vector, error, cr2), report.between)
        elif vector == GP and not is_canonical(context.linear_rip()):
            # Differs from the SDM: a near branch to where no address is canonical is
            # done, and the fetch there faults; of the branch, which ought to fault
            # itself (Vol. 2A "CALL", "JMP", Vol. 2B "RET"), nothing is known any more.
            self._join_flags(context, None)
            return Stopped(Faulted(vector, error, cr2), report.between)
        self._join_flags(context, report)
        return Stopped(Faulted(vector, error, cr2), report.before)

    def _before_page(self, context: Context, cr2: int) -> Marked | None:
        """Return the marked instruction at RIP if it is all that is wrong.

        A block that begins with one is empty, and QEMU takes the byte before it for its
        last: where that is in another page, the page must be there.
        """
        linear = context.linear_rip()
        if linear % PAGE or cr2 != linear - PAGE:
            return None
        return self._marks.at(linear)
