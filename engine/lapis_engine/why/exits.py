"""Why a vCPU came out of `vm_run` last, and what that asks of its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.events import Answered, Exited
from lapis_engine.explain.events import describe
from lapis_engine.machine.log import KEPT
from lapis_engine.why import asking, entry_commands
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_engine.events import Logged
    from lapis_engine.machine.machine import Machine

MEANINGS: Final[Mapping[str, str]] = {
    "BOGUS": "nothing is asked: vm_run was told to come back, or its budget is used up",
    "INOUT": "a port access is for userspace, which fulfils it or injects a fault",
    "MMIO": "a memory access is for userspace, which fulfils it or injects a fault",
    "INST_EMUL": "an instruction is for userspace to emulate, or to end in a fault",
    "RDMSR": "a RDMSR is for userspace",
    "WRMSR": "a WRMSR is for userspace",
    "HLT": "the vCPU sleeps; userspace may wait until something wakes it",
    "RUN_STATE": "the vCPU was not started; userspace waits for INIT and SIPI",
    "PAGING": "code was to be fetched from where there is no memory",
    "TASK_SWITCH": "a task switch is for userspace",
    "SUSPENDED": "the whole machine has stopped for good",
    "DEBUG": "a breakpoint of the user's was reached; the instruction is yet to come",
    "SVM": "the processor underneath gave up",
    "LIVELOCK": "the vCPU raises exceptions and gets no further",
    "SPINUP_AP": "userspace is to start another vCPU by itself (bhyve `spinup_ap`)",
    "IPI": "userspace is to carry out an INIT or a SIPI (FreeBSD)",
    "ERRNO": "vm_run failed, and says why",
    "PANIC": "bhyve would have brought down its host here; nothing goes on",
}
"""What an exit is for, by its code (bhyve `enum vm_exitcode`)."""


@dataclass(frozen=True, slots=True)
class ExitAnswer:
    """The last exit of a vCPU, as far as the history goes back."""

    vcpu: int
    code: str | None
    """As bhyve names it; None where there was none."""
    seq: int | None
    """The event."""
    at: int | None
    """ns of virtual time."""
    rip: int | None
    """Of the instruction that it is about."""
    text: str
    """One sentence."""
    reasons: tuple[Reason, ...]


def last_exit(machine: Machine, number: int) -> ExitAnswer:
    """Answer for vCPU `number`; raise `EngineError` when there is none."""
    machine.vcpu(number)
    events = machine.log.last(KEPT)
    found = next((e for e in reversed(events) if _is_exit(e, number)), None)
    if found is None or not isinstance(found.event, Exited):
        text = f"vCPU {number} has not come out of vm_run, as far as is remembered"
        return ExitAnswer(number, None, None, None, None, text, ())
    it = found.event
    means = MEANINGS.get(it.code)
    head = f"vCPU {number} came out of vm_run with {it.code} at RIP {it.rip:#x}"
    text = f"{head}: {it.text}"
    reasons = [] if means is None else [allows("means", means)]
    reasons += _since(machine, number, found)
    return ExitAnswer(number, it.code, found.seq, found.at, it.rip, text, (*reasons,))


def _is_exit(logged: Logged, number: int) -> bool:
    return isinstance(logged.event, Exited) and logged.event.vcpu == number


def _since(machine: Machine, number: int, exit_: Logged) -> Iterator[Reason]:
    """Yield whether it still waits and why it does, or what settled it."""
    answer = asking.asking(machine, number)
    if answer.request is not None:
        yield from answer.reasons
        for each in entry_commands.try_all(machine.vm, machine.vcpu(number)):
            if each.accepted:
                yield allows("accepted", f"{each.command}: {each.why}")
        return
    for logged in machine.log.last(KEPT):
        settled = isinstance(logged.event, Answered) and logged.event.vcpu == number
        if logged.seq > exit_.seq and settled:
            text = f"it was settled: {describe(logged.event)}"
            yield allows("settled", text, seq=logged.seq)
            return
    suspended = machine.vm.suspended
    if suspended is not None:
        yield blocks("suspended", f"the machine is suspended: {suspended.how}")
