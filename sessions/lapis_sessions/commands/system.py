"""Commands that show what a processor keeps in memory and MSRs: `info gdt` and kin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_engine.why.mappings import mappings
from lapis_engine.why.msrs import msrs
from lapis_engine.why.mtrr import mtrr
from lapis_engine.why.tables import gdt, idt, ldt
from lapis_engine.why.tss import tss
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.views import system, timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.machine.machine import Machine
    from lapis_sessions.session import Session
    from lapis_sessions.views.timers import TimerRow

VCPU = Argument("vcpu", "vcpu")


def of(ask: Callable[[Machine, int], Any]) -> Callable[[Session, Bound], Any]:
    """Return what asks about the selected vCPU, or one that is named."""

    def perform(session: Session, bound: Bound) -> Any:
        return ask(session.machine, bound.number("vcpu", session.selected))

    return perform


def clock(name: str) -> Callable[[Session, Bound], list[TimerRow]]:
    """Return what shows the timers of one device."""

    def perform(session: Session, _bound: Bound) -> list[TimerRow]:
        rows = [
            row
            for row in timers.of(session.machine)
            if row.name.split(maxsplit=1)[0] == name
        ]
        if not rows:
            raise CommandError(f"info {name}: this machine has no {name}")
        return rows

    return perform


COMMANDS = (
    Command(
        "info gdt",
        "show the GDT of a vCPU: each descriptor in words, as far as GDTR says",
        "read-only", of(gdt), system.table_text, (VCPU,),
    ),
    Command(
        "info ldt", "show the LDT of a vCPU", "read-only",
        of(ldt), system.table_text, (VCPU,),
    ),
    Command(
        "info idt",
        "show the IDT of a vCPU, gate by gate, or the vectors of real mode",
        "read-only", of(idt), system.table_text, (VCPU,), ("info ivt",),
    ),
    Command(
        "info tss",
        "show the TSS of a vCPU: stacks, registers, and ports that it allows",
        "read-only", of(tss), system.tss_text, (VCPU,),
    ),
    Command(
        "info tlb",
        "show what the page tables of a vCPU map: linear addresses, where they go, and "
        "rights; the TLB itself is the processor's own",
        "read-only", of(mappings), system.mappings_text, (VCPU,),
        ("info tab", "info mem"),
    ),
    Command(
        "info mtrr", "show the MTRRs of a vCPU as ranges", "read-only",
        of(mtrr), system.mtrr_text, (VCPU,),
    ),
    Command(
        "info msrs", "show every MSR of a vCPU that RDMSR can read", "read-only",
        of(msrs), system.msrs_text, (VCPU,), ("info msr",),
    ),
    *(
        Command(
            f"info {name}", f"show the timers of the {name}", "read-only",
            clock(name), timers.text,
        )
        for name in ("pit", "hpet", "rtc")
    ),
)  # fmt: skip
