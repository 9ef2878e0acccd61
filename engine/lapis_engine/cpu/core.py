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
from typing import TYPE_CHECKING

from unicorn import (
    UC_ARCH_X86,
    UC_HOOK_INSN,
    UC_HOOK_INTR,
    UC_HOOK_MEM_UNMAPPED,
    UC_MODE_64,
    UC_PROT_ALL,
    UC_PROT_EXEC,
    UC_PROT_READ,
    Uc,
    UcError,
)
from unicorn.unicorn_const import (
    UC_HOOK_MEM_PROT,
)
from unicorn.x86_const import UC_X86_INS_IN, UC_X86_INS_OUT

from lapis_engine.cpu import layout, strict
from lapis_engine.cpu.arming import arm, arm_one
from lapis_engine.cpu.context import Context
from lapis_engine.cpu.debug_registers import armed
from lapis_engine.cpu.fault import DB
from lapis_engine.cpu.guest_stops import GuestStops
from lapis_engine.cpu.intercepts import (
    Budget,
    Faulted,
    Hole,
    HwExit,
    Intercepted,
    Resumed,
    Unknown,
    Watched,
)
from lapis_engine.cpu.library import Bare
from lapis_engine.cpu.loan import Loan
from lapis_engine.cpu.marks import Marks
from lapis_engine.cpu.probe import CONTROL_PAGE, Control, find_control, find_counter
from lapis_engine.cpu.registers import RF, TF, Registers
from lapis_engine.cpu.reports import Reports
from lapis_engine.cpu.restart import Restarts
from lapis_engine.cpu.stale import Stale
from lapis_engine.cpu.stops import Stops
from lapis_engine.errors import ProcessorError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lapis_engine.cpu.marked import Mark, Offer
    from lapis_engine.memory.physical import Region

INTERRUPT_VIRQ = 0x100
"""QEMU `CPU_INTERRUPT_VIRQ`: tell when an interrupt could be taken."""


class Core(Reports):
    """The processor that every vCPU runs on, one at a time.

    `selfcheck.open_core` makes one that is proved to be as we think it is.
    """

    def __init__(self) -> None:
        """Open the processor; raise `ProcessorError` when it is not one we know."""
        self._uc = Uc(UC_ARCH_X86, UC_MODE_64)
        self._flat = Context(self._uc)
        """A processor without paging."""
        self._bare = Bare(self._uc)
        self._pristine = self._flat.state_bytes()
        self._stale = Stale()
        self._vmcb = mmap.mmap(-1, 0x8000)
        self._map(CONTROL_PAGE, self._vmcb, UC_PROT_ALL)
        self._vmcb[0x48:0x50] = (CONTROL_PAGE + 0x4000).to_bytes(8, "little")
        self._vmcb[0x4000:0x6000] = b"\xff" * 0x2000  # MSR bitmap: intercept them all
        self._counter = find_counter(self._uc)
        self._control: Control = find_control(self._uc)
        self._marks = Marks(self._uc, self._control.state)
        self._restarts = Restarts(
            self._uc, self._bare, self._counter, self._control, self._marks
        )
        self._loaded: Context | None = None
        self._event: HwExit | Resumed | None = None
        self._before = 0
        """Instructions of the present run that were retired by earlier starts."""
        self._begun = self._budget = 0
        self._pre = 1
        """Instructions counted and not retired when the event came: one, or none."""
        self._fetching = False
        self._stops = Stops(self._uc)
        self._guest = GuestStops(self._uc, self._counter, self._save)
        self._skip: int | None = None
        self.retired = 0
        """Instructions that the last `run` retired, REP iterations included."""
        self._is_closed = False
        self._add_hooks()

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

    def _add_hooks(self) -> None:
        uc = self._uc
        uc.hook_add(UC_HOOK_INTR, self._on_event)
        uc.hook_add(UC_HOOK_MEM_UNMAPPED | UC_HOOK_MEM_PROT, self._on_hole)
        uc.hook_add(UC_HOOK_INSN, self._on_in, None, 1, 0, UC_X86_INS_IN)
        uc.hook_add(UC_HOOK_INSN, self._on_out, None, 1, 0, UC_X86_INS_OUT)

    def _map(self, gpa: int, host: mmap.mmap, prot: int) -> None:
        pointer = c.addressof(c.c_char.from_buffer(host))
        self._uc.mem_map_ptr(gpa, len(host), prot, pointer)

    # Setting up.

    def map(self, region: Region) -> None:
        """Let the processor reach a region of guest-physical memory."""
        prot = UC_PROT_READ | UC_PROT_EXEC if region.rom else UC_PROT_ALL
        try:
            self._map(region.gpa, region.host, prot)
        except UcError as error:
            raise ProcessorError(f"cannot map {region.name}: {error}") from error

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

    def set_breakpoints(self, linears: Iterable[int]) -> None:
        """Stop before the instruction at each of these linear addresses, and no other.

        Drops all translations if that is a change. Raises `ProcessorError` when it is
        closed.
        """
        self._refuse_closed()
        if self._stops.put(linears, self._on_breakpoint):
            self._forget_all()

    def watch(
        self, places: Iterable[tuple[int, int]], tell: Callable[[int], None]
    ) -> None:
        """Tell of every write to these (guest-physical address, bytes), and no others.

        `tell` gets the number, from 1, of the writing instruction in the present run.
        """
        self._stops.watch(places, lambda: tell(self._before + self._counter.value))
        self._forget_all()

    def arm_guest(self, regs: Registers, peek: Callable[[int], int | None]) -> None:
        """Take over what a vCPU's debug registers wait for, if anything has changed.

        Drops all translations if it stops anew for that. `peek` is `GuestStops.arm`'s.
        """
        if self._guest.known or regs.is_armed:
            if self._guest.arm(regs.context, armed(regs), peek):
                self._forget_all()
            self._marks.armed = self._guest.instructions

    @property
    def hits(self) -> int:
        """What of the guest's watched data the last start hit: bits 3:0 of DR6."""
        return self._guest.hits

    def _forget_all(self) -> None:
        self._bare.forget_all()
        self._restarts.begin_anew()

    # Running.

    def run(
        self, regs: Registers, budget: int, *, window: bool = False, past: bool = False
    ) -> HwExit:
        """Run `regs` for at most `budget` instructions, at least one.

        `window` asks for `Window` as soon as an interrupt could be taken, `past`
        ignores a breakpoint on the very first instruction.
        """
        self._skip = regs.linear_rip if past and self._stops.breakpoints else None
        event = self._run(regs, budget, window=window)
        while isinstance(event, Resumed):
            event = self._resume(regs, budget, window=window)
        return event

    def _run(
        self, regs: Registers, budget: int, *, window: bool, before: int = 0
    ) -> HwExit | Resumed:
        """Run until `budget` instructions have retired, `before` of them already."""
        event = self._start(regs, budget, window=window, before=before)
        if self._fetching:
            # The processor translates ahead: the fetch that failed may be of a later
            # instruction than the one at RIP. In a shadow it takes one at a time.
            before = self.retired
            shadow, regs.shadow = regs.shadow, True
            event = self._start(regs, before + 1, window=window, before=before)
            if self._fetching:
                regs.shadow = shadow
        return event

    def _resume(
        self, regs: Registers, budget: int, *, window: bool
    ) -> HwExit | Resumed:
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
        self._skip = regs.linear_rip if self._stops.breakpoints else None
        rip = regs.rip
        # Accesses are seen only by code that is translated under the loan's hook.
        self.forget_code(*code)
        with Loan(self._uc, holes, roms, beyond) as loan:
            self._loaded = None  # the TLB has to see the pages
            self._restarts.on_restart = loan.over
            try:
                with self._alone(regs):
                    event = self._start(regs, 1, window=False)
                assert not isinstance(event, Resumed), "it is alone"
            finally:
                self._restarts.on_restart = None
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
        return self._marks.is_strict

    @is_strict.setter
    def is_strict(self, value: bool) -> None:
        self._marks.is_strict = value

    def mark(self, regs: Registers, code: bytes) -> Mark | None:
        """Return what is marked at the begin of `code`, which is at RIP, or None."""
        head = regs.context.head
        limited = layout.HF_LIMITED if strict.is_limited(head) else 0
        return self._marks.find(code, head.hflags | head.eflags & TF | limited)

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

    def _start(
        self, regs: Registers, budget: int, *, window: bool, before: int = 0
    ) -> HwExit | Resumed:
        """Run for `budget` instructions, in several starts if too much is translated.

        Nothing of that shows: a start that is broken off ends between two blocks. Those
        that have retired `before` count, in the budget and in `retired`.
        """
        self._before = before
        while True:
            event = self._once(regs, budget - self._before, window=window)
            if self._event is not None or not self._restarts.is_full:
                break
            self._before += self.retired
            self.retired = 0
            if self._before >= budget or not isinstance(event, Budget):
                break
        self.retired += self._before
        return event

    def _once(self, regs: Registers, budget: int, *, window: bool) -> HwExit | Resumed:
        if self._is_closed:
            self._refuse_closed()
        context, stale, guest = regs.context, self._stale, self._guest
        if self._restarts.is_full:
            self._forget_all()
        if self._marks.is_strict and strict.is_limited(context.head):
            context.head.hflags |= layout.HF_LIMITED
        if stale.pieces and regs.paging:
            self._leave_paging()
            stale.drop(self._bare)
        self._bare.load(context.saved)
        if context.flush or self._loaded is not context:
            self._bare.flush_tlb()
            context.flush = False
            self._loaded = context
        if stale.pieces:
            stale.drop(self._bare)
        self._event, self._fetching, self._budget = None, False, budget
        if guest.known or guest.hits:
            guest.begin(context)
        self._control.request.value = INTERRUPT_VIRQ if window else 0
        failed = self._bare.start(context.head.eip, budget)
        self._control.request.value = 0
        # A second start that was asked for is not wanted any more: INS to its own code.
        self._control.wanted.value = layout.ANY_BLOCK
        result = self._finish(context, budget, failed)
        if self._marks.is_strict:
            context.head.hflags &= ~layout.HF_LIMITED
        return result

    def _finish(
        self, context: Context, budget: int, failed: str | None
    ) -> HwExit | Resumed:
        """Sort out what ended a start, and how many instructions it retired."""
        event = self._ended(context, budget, failed)
        if self._guest.hits and self.retired >= self._guest.at:
            # It is done: whatever else was found is of the next instruction.
            stepped = isinstance(event, Faulted) and event.vector == DB
            self._event = event = Watched(self._guest.hits, stepped)
            self._fetching = False
        return event

    def _ended(
        self, context: Context, budget: int, failed: str | None
    ) -> HwExit | Resumed:
        event = self._event
        if event is None:
            self._bare.save(context.saved)
            if failed is None:
                most = self._guest.at if self._guest.hits else budget
                self.retired = min(self._counter.value, most)
                return Budget()
            self.retired = max(self._counter.value - 1, 0)
            return Unknown(failed)
        if isinstance(event, Hole) and event.access == "fetch":
            self._bare.save(context.saved)
            self._fetching, self._pre = True, 0
            self._join_flags(context, begun=False)
            self._begun = self._counter.value
        self.retired = self._begun - self._pre
        return event
