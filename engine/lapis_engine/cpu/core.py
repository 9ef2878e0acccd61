"""One Unicorn instance, multiplexed over all vCPU contexts.

`Core.run` loads a context, runs at most so many instructions and comes back with one
`HwExit`. The hardware virtualisation underneath is QEMU's own SVM: every intercepted
instruction and every exception arrives before it takes effect (APM Vol. 2 "Secure
Virtual Machine"). Of guest behaviour nothing here raises.
"""

from __future__ import annotations

import ctypes as c
import mmap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from unicorn import (
    UC_ARCH_X86,
    UC_MODE_64,
    UC_PROT_ALL,
    Uc,
)

from lapis_engine.cpu import layout, strict
from lapis_engine.cpu.answers import Answers
from lapis_engine.cpu.arming import arm, arm_one
from lapis_engine.cpu.blocks import Blocks, Looker
from lapis_engine.cpu.context import Context
from lapis_engine.cpu.counted import Counted
from lapis_engine.cpu.debug_registers import armed
from lapis_engine.cpu.fault import DB
from lapis_engine.cpu.guest_stops import GuestStops
from lapis_engine.cpu.intercepts import (
    Budget,
    Faulted,
    Hole,
    HwExit,
    Intercepted,
    Outdated,
    Resumed,
    Unknown,
    Watched,
)  # fmt: skip
from lapis_engine.cpu.library import Bare
from lapis_engine.cpu.loan import Loan
from lapis_engine.cpu.mapped import Mapped, address
from lapis_engine.cpu.marks import Marks
from lapis_engine.cpu.probe import CONTROL_PAGE, Control, find_control, find_counter
from lapis_engine.cpu.registers import RF, Registers
from lapis_engine.cpu.report_reader import ReportReader, Stopped
from lapis_engine.cpu.stale import Stale
from lapis_engine.cpu.stops import Place, Reached, Stops
from lapis_engine.errors import ProcessorError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from lapis_engine.cpu.marked import Mark, Offer
    from lapis_engine.cpu.report import Counting
    from lapis_engine.memory.physical import Region

EXIT_INFO_2: Final = 0x80
"""Where the VMCB has the address that an intercepted #PF is about."""
INTERRUPT_VIRQ: Final = 0x100
"""QEMU `CPU_INTERRUPT_VIRQ`: tell when an interrupt could be taken."""
AGAIN: Final = (Resumed, Outdated)
"""What the core goes on from by itself."""


class Core:
    """The processor that every vCPU runs on, one at a time.

    `selfcheck.open_core` makes one that is proved to be as we think it is.
    """

    __deletable__ = ("_uc",)  # by `close`; mypyc wants to know

    def __init__(self, library: c.CDLL | None = None) -> None:
        """Open the processor; raise `ProcessorError` when it is not one we know.

        `library` is the compiled part if it counts by blocks (`blocks.find`).
        """
        self._uc = Uc(UC_ARCH_X86, UC_MODE_64)
        self._flat = Context(self._uc)
        """A processor without paging."""
        self._bare = Bare(self._uc)
        self._pristine = self._flat.state_bytes()
        self._stale = Stale()
        self._vmcb = mmap.mmap(-1, 0x8000)
        vmcb, size = address(self._vmcb), len(self._vmcb)
        self._uc.mem_map_ptr(CONTROL_PAGE, size, UC_PROT_ALL, vmcb)
        self._vmcb[0x48:0x50] = (CONTROL_PAGE + 0x4000).to_bytes(8, "little")
        self._vmcb[0x4000:0x6000] = b"\xff" * 0x2000  # MSR bitmap: intercept them all
        self._counter = find_counter(self._uc)
        self._control: Control = find_control(self._uc)
        looker = Looker(library) if library else None
        self._marks = Marks(self._uc, self._control.state, looker)
        cr2 = c.c_uint64.from_address(vmcb + EXIT_INFO_2)
        self._counted = Counted(self._uc, self._bare, self._counter, self._control, cr2)
        self._blocks = Blocks(library, self._uc, cr2) if library else None
        self._mapped = Mapped(self._uc)
        self._loaded: Context | None = None
        self._before = 0
        """Instructions of the present run that were retired by earlier starts."""
        self._told = 0
        """What of that `answers` knows."""
        where = self._uc, self._counter, self._control.state
        self._stops = Stops(*where)
        self._guest = GuestStops(*where, self._counted.save)
        self._reader = ReportReader(self._bare, self._marks, self._stops, self._guest)
        self._skip: int | None = None
        self.retired = 0
        """Instructions that the last `run` retired, REP iterations included."""
        self._is_closed = self._is_strict = self._is_usual = False
        self._way: Counting = self._counted
        self.answers = Answers() if self._blocks is None else self._blocks.answers
        if self._blocks is not None:
            self._blocks.hooked = self._stops.breakpoints.__contains__
            self._way = self._blocks
        self._way.take_over()

    def close(self) -> None:
        """Give the processor back at once, not when garbage is collected.

        To run on it raises `ProcessorError` from now on. Twice is as good as once.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._stops.close()
        self._guest.close()
        self._bare.close()
        if self._blocks is not None:
            self._blocks.close()
        self.answers = Answers()
        self._mapped.close()
        del self._uc
        self._vmcb.close()

    def try_out(self, gpa: int, code: bytes, trial: Callable[[Core], None]) -> None:
        """Do `trial` with `code` in a page at `gpa` that is gone afterwards.

        For before the guest's memory comes; whatever `trial` raises goes through.
        """
        self._uc.mem_map(gpa, PAGE, UC_PROT_ALL)
        self._uc.mem_write(gpa, code)
        trial(self)
        self._uc.mem_unmap(gpa, PAGE)
        self._loaded = None

    @property
    def offer(self) -> Offer:
        """What of the model's is marked; it is set before code is translated."""
        return self._marks.offer

    @offer.setter
    def offer(self, offer: Offer) -> None:
        self._marks.offer = offer

    # Setting up.

    def map(self, region: Region, *, for_good: bool = True) -> None:
        """Let the processor reach a region of guest-physical memory.

        Where it is not `for_good`, `replace` puts something else there.
        """
        self._mapped.add(region)
        if self._blocks is not None:
            if for_good:
                self._blocks.map(region)
            if self._way is self._blocks:
                self._blocks.look_anew()

    def replace(self, changes: Sequence[tuple[Region | None, Region | None]]) -> None:
        """Have the second of each pair where the first was; None is a hole.

        Drops all translations if that is a change.
        """
        if not changes:
            return
        self._leave_paging()
        self._mapped.replace(changes)
        self._forget_all()

    def hide(self, pages: Iterable[tuple[int, int]]) -> None:
        """Report reads of these (first address, bytes) of ROM, and of no others.

        They are whole pages, each of one region. Drops all translations if that is a
        change.
        """
        wanted = sorted(set(pages))
        if not self._mapped.is_hidden(wanted):
            self._leave_paging()
            self._mapped.hide(wanted)
            self._forget_all()

    def new_registers(self) -> Registers:
        """Return a new vCPU's registers, intercepts armed, everything else zero."""
        context = Context(self._uc)
        context.load_bytes(self._pristine)
        arm(context)
        context.msrs[layout.EFER].value = 0
        return Registers(context)

    def intercept(self, regs: Registers, code: int, *, on: bool) -> None:
        """Report an instruction from now on, or no more: IRET, PAUSE, MOV to CR3."""
        arm_one(regs.context, code, on=on)

    def forget_code(self, gpa: int, size: int) -> None:
        """Drop translations of memory that was written from outside."""
        self._stale.add(gpa, size)

    def _leave_paging(self) -> None:
        """Unload the vCPU, so that linear addresses are guest-physical ones.

        Translations to drop, those of memory that goes away among them, are named by
        linear address: Unicorn finds them through the tables of the vCPU that is
        loaded, and sets A bits on the way.
        """
        self._bare.load(self._flat.saved)
        self._bare.flush_tlb()
        self._loaded = None

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise ProcessorError("the machine is closed: it does not run any more")

    def set_breakpoints(
        self, linears: Iterable[int], physical: Iterable[int] = ()
    ) -> None:
        """Stop before the instruction at each of these addresses, and no other.

        Drops all translations if that is a change. Raises `ProcessorError` when it is
        closed.
        """
        self._refuse_closed()
        is_other = self._stops.put_physical(physical)
        self._marks.offsets = self._stops.offsets
        if self._stops.put(linears, self._on_breakpoint) or is_other:
            self._forget_all()

    def watch(
        self,
        writes: Iterable[Place],
        reads: Iterable[Place],
        tell: Callable[[int, Reached], bool],
    ) -> None:
        """Tell of accesses to these, and no others.

        `tell` gets the number, from 1, of the instruction in the present run, and says
        whether the run is to end behind it.
        """

        def told(access: Reached) -> None:
            if tell(self._before + self._counter.value, access):
                self._stops.cut()

        self._stops.watch(writes, reads, told)
        self._choose()
        self._forget_all()

    def _choose(self) -> None:
        """Count by instruction while any memory is watched, for it is told where."""
        is_watched = self._stops.is_watching or self._guest.is_watching
        way = self._counted if is_watched else self._blocks or self._counted
        if way is not self._way:
            self._way.let_go()
            self._way = way
            way.take_over()
            self._loaded = (
                None  # stores that one way lets by are looked at by the other
            )

    def arm_guest(self, regs: Registers, peek: Callable[[int], int | None]) -> None:
        """Take over what a vCPU's debug registers wait for, if anything has changed.

        Drops all translations if it stops anew for that. `peek` is `GuestStops.arm`'s.
        """
        self._stops.peek = peek
        if self._guest.known or regs.is_armed:
            if self._guest.arm(regs.context, armed(regs), peek):
                self._choose()
                self._forget_all()
            self._marks.armed = self._guest.instructions

    @property
    def hits(self) -> int:
        """What of the guest's watched data the last start hit: bits 3:0 of DR6."""
        return self._guest.hits

    def _forget_all(self) -> None:
        self._bare.forget_all()
        self._way.begin_anew()

    # Running.

    def run(
        self, regs: Registers, budget: int, *, window: bool = False, past: bool = False
    ) -> HwExit:
        """Run `regs` for at most `budget` instructions, at least one.

        `window` asks for `Window` as soon as an interrupt could be taken, `past`
        ignores a breakpoint on the very first instruction.
        """
        self._skip = regs.linear_rip if past and self._stops.has_any else None
        event, met = self._run(regs, budget, window=window), None
        while isinstance(event, AGAIN):
            if type(event) is Resumed:
                event = self._resume(regs, budget, window=window)
            elif met == (place := (self.retired, regs.linear_rip)):
                return Unknown("it stops again and again at what is not marked")
            else:
                # A block has none of the bytes of what is marked behind it, and stays
                # when they are overwritten.
                self._forget_all()
                met = place
                event = self._run(regs, budget, window=window, before=self.retired)
        return event

    def _run(
        self, regs: Registers, budget: int, *, window: bool, before: int = 0
    ) -> HwExit | Resumed | Outdated:
        """Run until `budget` instructions have retired, `before` of them already.

        In several starts if too much is translated, of which nothing shows: a start
        that is broken off ends between two blocks.
        """
        self._before = before
        while True:
            event, retired = self._once(regs, budget - self._before, window=window)
            if self._way.report is not None or not self._way.is_full:
                break
            if self._before + retired >= budget or not isinstance(event, Budget):
                break
            self._before += retired
        self.retired = self._before + retired
        return event

    def _resume(
        self, regs: Registers, budget: int, *, window: bool
    ) -> HwExit | Resumed | Outdated:
        """Go on where RF is set: it is cleared as soon as one instruction has retired.

        SDM Vol. 3B "Instruction-Breakpoint Exception Condition"; the processor itself
        would clear it where the translated block ends. A REP keeps it to its end.
        """
        before, at = self.retired, regs.linear_rip
        regs.rflags &= ~RF
        event = self._run(regs, before + 1, window=window, before=before)
        if self._keeps_rf(regs, at, before):
            regs.rflags |= RF
        if self.retired == before:
            return event
        if isinstance(event, Budget) and self.retired < budget:
            event = self._run(regs, budget, window=window, before=self.retired)
        return event

    def attempt(
        self,
        regs: Registers,
        holes: Mapping[int, bytes],
        roms: Mapping[int, bytes],
        code: tuple[int, int],
        beyond: Callable[[int], int | None],
    ) -> tuple[HwExit, Loan]:
        """Run one instruction, or one iteration, on pages lent to it (`attempt.Loan`).

        Returns what ended it, and the loan with every access that it made. Traps of the
        debugger's kind are not reported: they come after the instruction.
        """
        self._skip = regs.linear_rip if self._stops.has_any else None
        rip = regs.rip
        # Accesses are seen only by code that is translated under the loan's hook.
        self.forget_code(*code)
        with Loan(self._uc, holes, roms, beyond) as loan:
            self._loaded = None  # the TLB has to see the pages
            self._way.on_restart(loan.over)
            try:
                with self._alone(regs):
                    event = self._run(regs, 1, window=False)
                assert not isinstance(event, Resumed | Outdated), "it is alone"
            finally:
                self._way.on_restart(None)
            self._leave_paging()
        self.forget_code(*code)
        trap = isinstance(event, Faulted) and event.vector == DB
        if (
            trap
            or isinstance(event, Watched)
            or (isinstance(event, (Faulted, Hole)) and regs.rip != rip)
        ):
            event = Budget()  # it is done, and the fault is of the next one's fetch
        return event, loan

    def unmarked(self, regs: Registers) -> HwExit:
        """Let the processor itself carry out the marked instruction at RIP."""
        with self._alone(regs):
            return self.run(regs, 1, past=True)

    @property
    def is_strict(self) -> bool:
        """Tell whether what `strict` has is marked, too; it is set before a run."""
        return self._is_strict

    @is_strict.setter
    def is_strict(self, value: bool) -> None:
        self._is_strict = self._marks.is_strict = value

    def mark_usual(self, *, on: bool) -> None:
        """Have marked of that what is seldom met, or not; it is said before a run."""
        self._is_usual = self._marks.is_usual = on

    def mark(self, regs: Registers, code: bytes) -> Mark | None:
        """Return what is marked at the begin of `code`, which is at RIP, or None."""
        hflags = strict.translated_as(regs.context.head)
        return self._marks.find(code, hflags, regs.linear_rip)

    def code_at(self, regs: Registers) -> bytes:
        """Return up to 15 bytes at RIP as a vCPU that has just stopped sees them.

        They are found by its TLB, if it is the one that ran last.
        """
        if self._loaded is not regs.context:
            return b""
        return self._marks.code(regs.linear_rip)

    @contextmanager
    def _alone(self, regs: Registers) -> Iterator[None]:
        """Let the one instruction at RIP through though it is marked, or RF set."""
        flag, at = regs.rflags & RF, regs.linear_rip
        if flag:
            regs.rflags &= ~RF
        self._marks.past = at
        head = regs.context.head
        head.hflags |= layout.HF_ALONE  # translated, and kept, apart from all else
        try:
            yield
        finally:
            self._marks.past = None
            head.hflags &= ~layout.HF_ALONE
        if flag and self._keeps_rf(regs, at, 0):
            regs.rflags |= RF

    def _keeps_rf(self, regs: Registers, at: int, before: int) -> bool:
        """Tell whether the instruction at `at` is not done yet, or was not begun."""
        if self.retired == before:
            return True
        return regs.linear_rip == at and self._marks.is_repeated(at)

    def native(self, regs: Registers, event: Intercepted) -> HwExit:
        """Let the processor itself carry out the instruction that it reported."""
        tail = regs.context.tail
        saved = tail.intercept, tail.intercept_cr_read, tail.intercept_cr_write
        if event.code < 0x10:
            tail.intercept_cr_read &= ~(1 << event.code)
        elif event.code < 0x20:
            tail.intercept_cr_write &= ~(1 << (event.code - 0x10))
        else:
            tail.intercept &= ~(1 << (event.code - 0x60))
        if regs.linear_rip in self._marks.armed:
            self._forget_all()
            with self._alone(regs):
                result = self.run(regs, 1, past=True)
            self._forget_all()
        else:
            result = self.run(regs, 1, past=True)
        tail.intercept, tail.intercept_cr_read, tail.intercept_cr_write = saved
        return result

    def _once(self, regs: Registers, budget: int, *, window: bool) -> Stopped:
        if self._is_closed:
            self._refuse_closed()
        context, guest = regs.context, self._guest
        if self._way.is_full:
            self._forget_all()
        looks = self._is_strict or (self._is_usual and strict.is_narrow(context.head))
        if has_limits := looks and strict.is_limited(context.head):
            context.head.hflags |= layout.HF_LIMITED
        if self._stale.pieces:
            self._leave_paging()
            self._stale.drop(self._bare)
        flush = context.flush or self._loaded is not context
        context.flush, self._loaded = False, context
        if guest.known or guest.hits:
            guest.begin(context)
        if self._before != self._told:
            self._told = self.answers.table.before = self._before
        request = INTERRUPT_VIRQ if window else 0
        self._stops.cut_at = 0
        failed = self._way.start(context, budget, request, flush=flush)
        result = self._reader.ended(self._way, failed, context, budget, self._skip)
        if has_limits:
            context.head.hflags &= ~layout.HF_LIMITED
        return result

    def _on_breakpoint(self, _uc: Uc, linear: int, _size: int, _data: object) -> None:
        if linear == self._skip and not self._before + self._way.done:
            return
        self._way.stop()
