"""The processor counted by instruction, as Unicorn itself does (`emu_start(count=)`).

It goes without anything of ours that is compiled, at a part of the speed of `blocks`;
and it tells at any access to memory how many instructions have begun, so that it is the
way to run while memory is watched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from unicorn import UC_HOOK_INSN, UC_HOOK_INTR, UC_HOOK_MEM_UNMAPPED
from unicorn.unicorn_const import (
    UC_HOOK_MEM_PROT,
    UC_MEM_FETCH_PROT,
    UC_MEM_FETCH_UNMAPPED,
    UC_MEM_WRITE_PROT,
    UC_MEM_WRITE_UNMAPPED,
)
from unicorn.x86_const import UC_X86_INS_IN, UC_X86_INS_OUT

from lapis_engine.cpu import intercepts, layout
from lapis_engine.cpu.report import Access, Kind, Report
from lapis_engine.cpu.restart import Restarts

if TYPE_CHECKING:
    import ctypes as c
    from collections.abc import Callable

    from unicorn import Uc

    from lapis_engine.cpu.context import Context
    from lapis_engine.cpu.library import Bare
    from lapis_engine.cpu.probe import Control
    from lapis_engine.memory.physical import Region

WRITES: Final = frozenset({UC_MEM_WRITE_UNMAPPED, UC_MEM_WRITE_PROT})
FETCHES: Final = frozenset({UC_MEM_FETCH_UNMAPPED, UC_MEM_FETCH_PROT})


def access_of(kind: int) -> Access:
    """Return what a `uc_mem_type` of a hole is."""
    if kind in WRITES:
        return "write"
    return "fetch" if kind in FETCHES else "read"


class Counted:
    """What Unicorn calls while it runs, and what it says by that.

    Each call leaves one report. The state is taken over at once: what goes on until the
    processor stops is not the guest's any more.
    """

    __slots__ = (
        "_bare", "_budget", "_context", "_control", "_cr2", "_hooks", "_restarts",
        "_uc", "begun", "counter", "report",
    )  # fmt: skip

    def __init__(
        self,
        uc: Uc,
        bare: Bare,
        counter: c.c_size_t,
        control: Control,
        cr2: c.c_uint64,
    ) -> None:
        """Report nothing yet.

        `counter` is Unicorn's own, `cr2` what the last #PF was about.
        """
        self._cr2 = cr2
        self._uc, self._bare, self._control = uc, bare, control
        self.counter = counter
        """Instructions that have begun in the present start."""
        self._restarts = Restarts(uc, bare, counter, control)
        self._context: Context | None = None
        self._budget = 0
        self._hooks: list[int] = []
        self.report: Report | None = None
        self.begun = 0

    @property
    def is_full(self) -> bool:
        """Tell whether all translations have to be dropped."""
        return self._restarts.is_full

    def begin_anew(self) -> None:
        """Take note that all translations are dropped."""
        self._restarts.begin_anew()

    def take_over(self) -> None:
        """Have the processor report here."""
        add = self._uc.hook_add
        self._hooks = [
            add(UC_HOOK_INTR, self._on_interrupt),
            add(UC_HOOK_MEM_UNMAPPED | UC_HOOK_MEM_PROT, self._on_hole),
            add(UC_HOOK_INSN, self._on_in, None, 1, 0, UC_X86_INS_IN),
            add(UC_HOOK_INSN, self._on_out, None, 1, 0, UC_X86_INS_OUT),
        ]
        self._restarts.watch()

    def let_go(self) -> None:
        """Have it report no more."""
        for hook in self._hooks:
            self._uc.hook_del(hook)
        self._hooks.clear()
        self._restarts.ignore()

    def map(self, region: Region) -> None:
        """Take note of nothing: a hole is where the processor finds one."""

    def on_restart(self, call: Callable[[], None] | None) -> None:
        """Have `call` called when an instruction is started anew."""
        self._restarts.on_restart = call

    def start(
        self, context: Context, budget: int, request: int, *, flush: bool
    ) -> str | None:
        """Run a context for `budget` instructions (`report.Counting`)."""
        bare = self._bare
        bare.load(context.saved)
        if flush:
            bare.flush_tlb()
        self._context, self.report, self._budget = context, None, budget
        self._control.request.value = request
        failed = bare.start(context.head.eip, budget)
        self._control.request.value = 0
        # A second start that was asked for is not wanted any more: INS to its own code.
        self._control.wanted.value = layout.ANY_BLOCK
        self._end(context)
        return failed

    def _end(self, context: Context) -> None:
        """Take the state over, unless what stopped the start has done it."""
        report = self.report
        if report is not None and report.access != "fetch":
            return
        self._bare.save(context.saved)
        self.begun = self.counter.value
        if report is not None:
            report.between = self.begun

    @property
    def done(self) -> int:
        """Instructions of this start before the one at RIP."""
        return self.counter.value - 1

    def stop(self) -> None:
        """End the run before the instruction at RIP."""
        self.report = self._taken("breakpoint")
        self._uc.emu_stop()

    def save(self) -> Context:
        """Take over the state that the processor is in at this moment."""
        context = self._context
        assert context is not None, "a stop without a vCPU"
        self._bare.save(context.saved)
        return context

    def _taken(self, kind: Kind) -> Report:
        self.save()
        begun = self.counter.value  # more may begin before the stop
        return Report(kind, begun - 1, begun, begun)

    def _on_interrupt(self, _uc: Uc, number: int, _data: object) -> None:
        self._control.request.value = 0  # or it would be reported without end
        if self.report is not None:
            self._uc.emu_stop()
            return
        report = self.report = self._taken("interrupt")
        report.number, report.cr2 = number, self._cr2.value
        if number == 0x100 + intercepts.VINTR:
            self.counter.value = self._budget  # the next is fetched first (`ahead`)
        else:
            self._uc.emu_stop()

    def _on_hole(
        self, _uc: Uc, access: int, gpa: int, size: int, _value: int, _data: object
    ) -> bool:
        if self.report is not None:
            return False  # the further bytes of a write that crosses pages
        # Now, for an instruction that stores by a helper of QEMU's goes on to its
        # end, and into the next one.
        how = access_of(access)
        if how == "fetch":
            begun = self.counter.value
            report = Report("hole", begun, begun, begun)
        else:
            report = self._taken("hole")
        report.gpa, report.size, report.access = gpa, size, how
        self.report = report
        return False

    def _on_in(self, _uc: Uc, port: int, size: int, _data: object) -> int:
        self._on_port(port, size, value=0, write=False)
        return 0

    def _on_out(self, _uc: Uc, port: int, size: int, value: int, _data: object) -> None:
        self._on_port(port, size, value=value, write=True)

    def _on_port(self, port: int, size: int, *, value: int, write: bool) -> None:
        report = self.report = self._taken("port")
        report.gpa, report.size, report.value = port, size, value
        report.access = "write" if write else "read"
        self._uc.emu_stop()
