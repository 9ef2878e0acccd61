"""What is done in place of an instruction that the processor must not carry out.

Which those are is in `cpu.marked`, and how the processor comes to stop before them in
`cpu.marks`. One that turns out to be no matter of ours is the processor's after all.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from lapis_engine.cpu import fault as faults
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.descriptors import OpenBus
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.intercepts import Budget, Marked
from lapis_engine.cpu.marked import LONGEST, THREE_BYTE, TWO_BYTE, Kind, Mark
from lapis_engine.cpu.registers import RSP, SS, VM
from lapis_engine.vmm import (
    bit_fields,
    clock,
    counted,
    debug,
    far_transfers,
    intercepted,
    interrupt_returns,
    mxcsr,
    operand_checks,
    preconditions,
    repaired,
    segment_loads,
    system_calls,
    x87,
    x87_images,
    x87_integers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.vmm.vm import Run


CONTROL: Final = frozenset({0x20, 0x22})
"""MOV from and to control registers, behind 0F."""
Handler: TypeAlias = "Callable[[Run, Mark], HwExit | None]"
"""Does a marked instruction; returns what the processor says, if it does it."""


def carry_out(run: Run, hw: Marked) -> HwExit | None:
    """Do the marked instruction at RIP; return what the processor says, if it does it.

    An instruction of which not even the telling bytes can be fetched faults there.
    """
    if debug.is_broken_at(run):
        return None
    vcpu, mark = run.vcpu, hw.mark
    if mark is None or len(mark.code) < LONGEST:
        code = intercepted.code_at(run.vm, vcpu)
        mark = run.vm.core.mark(vcpu.regs, code)
    handler = None if mark is None else HANDLERS.get(mark.kind)
    if mark is None or handler is None:
        return by_processor(run)
    return handler(run, mark)


def by_processor(run: Run) -> HwExit:
    """Let the processor itself do the marked instruction, and count it.

    It may have been met behind another one that was let through alone, and still be
    known as a marked one there: then that is dropped.
    """
    core, vcpu = run.vm.core, run.vcpu
    result = core.unmarked(vcpu.regs)
    if isinstance(result, Marked) and not core.retired:
        gpa = vcpu.linear.peek(vcpu.regs.linear_rip) or 0
        core.forget_code(gpa, LONGEST)
        result = core.unmarked(vcpu.regs)
    clock.account(run, core.retired)
    return result


def _pushf_v86(run: Run, _mark: Mark) -> HwExit:
    """PUSHFD stores VM as 0 (SDM Vol. 2B "PUSHF"), and the processor as 1."""
    result, regs = by_processor(run), run.vcpu.regs
    if isinstance(result, Budget):
        bus = OpenBus(run.vcpu.linear)
        at = regs.base(SS) + (regs.gpr[RSP] & 0xFFFF) + 2  # bits 23:16
        bus.write(at, 1, bus.read(at, 1) & ~(VM >> 16))
    return result


def _undefined(run: Run, _mark: Mark) -> None:
    """LOCK before what cannot be locked (SDM Vol. 2A "LOCK")."""
    run.vm.raise_fault(run.vcpu, GuestFault(faults.UD))


def _not_offered(run: Run, mark: Mark) -> None:
    """What CPUID does not offer is #UD, and told up to its ModRM."""
    code, at = mark.code, mark.opcode_at
    if code[at] == TWO_BYTE and code[at + 1] in CONTROL:
        run.vm.raise_fault(run.vcpu, GuestFault(faults.UD))  # no CPUID has CR1
        return
    is_short = code[at] == TWO_BYTE and code[at + 1] not in THREE_BYTE
    shown = int.from_bytes(code[: at + (3 if is_short else 4)], "big")
    fault = GuestFault(faults.UD, rule=Breach.NOT_OFFERED, values=(shown,))
    run.vm.raise_fault(run.vcpu, fault)


def _debug_trap(run: Run, mark: Mark) -> None:
    """INT1, once ICEBP: a #DB that is a trap (SDM Vol. 2A "INT n/INTO/INT3/INT1")."""
    intercepted.retire(run, mark.opcode_at + 1)
    run.vm.raise_fault(run.vcpu, GuestFault(faults.DB))


def _mov_ss(run: Run, mark: Mark) -> HwExit | None:
    """MOV SS and POP SS hold #DB off behind them, which STI does not.

    SDM Vol. 3A "Masking Exceptions and Interrupts When Switching Stacks".
    """
    vcpu = run.vcpu
    result = _null_ss(run, mark) if vcpu.regs.code_bits == 64 else by_processor(run)
    vcpu.in_ss_shadow = result is not None and run.vm.core.retired == 1
    return result


def _pause(run: Run, mark: Mark) -> None:
    """PAUSE: a spinning vCPU gives the rest of its quantum away."""
    intercepted.retire(run, mark.opcode_at + 1)
    run.yielded = run.pause_yields


def _checked(
    check: Callable[[Run, Mark], None],
) -> Callable[[Run, Mark], HwExit | None]:
    """Return a handler: the processor does it, if `check` raises no `GuestFault`."""

    def handle(run: Run, mark: Mark) -> HwExit | None:
        try:
            check(run, mark)
        except GuestFault as fault:
            run.vm.raise_fault(run.vcpu, fault)
            return None
        return by_processor(run)

    return handle


def _strictly(handler: Handler) -> Handler:
    """Return a handler that has a strict machine check the memory operand first."""

    def handle(run: Run, mark: Mark) -> HwExit | None:
        if run.vm.core.is_strict:
            try:
                operand_checks.check(run, mark)
            except GuestFault as fault:
                run.vm.raise_fault(run.vcpu, fault)
                return None
        return handler(run, mark)

    return handle


def _or_processor(
    perform: Callable[[Run, Mark], bool],
) -> Handler:
    """Return a handler: the processor does what `perform` says is not its own."""

    def handle(run: Run, mark: Mark) -> HwExit | None:
        return None if perform(run, mark) else by_processor(run)

    return handle


def _scan(run: Run, mark: Mark) -> HwExit | None:
    """Do BSF or BSR for F3 0F BC and BD (SDM Vol. 2 "TZCNT", "LZCNT").

    The processor underneath counts; what is found is reckoned from that.
    """
    before = counted.before_scan(run, mark)
    result = by_processor(run)
    counted.after_scan(run, mark, before)
    return result


_null_ss: Final[Handler] = _checked(segment_loads.check_null_ss)


HANDLERS: Final[dict[Kind, Handler]] = {
    Kind.LOCK: _undefined,
    Kind.ICEBP: _debug_trap,
    Kind.SYSTEM_CALL: system_calls.carry_out,
    Kind.MOV_SS: _mov_ss,
    Kind.NULL_SS: _null_ss,
    Kind.TASK_OR_LDT: _checked(segment_loads.check_task_or_ldt),
    Kind.TABLE_BASE: _checked(segment_loads.check_table_base),
    Kind.PUSHF_V86: _pushf_v86,
    Kind.PAUSE: _pause,
    Kind.IRET: _or_processor(interrupt_returns.perform),
    Kind.FAR: _strictly(_or_processor(far_transfers.perform)),
    Kind.STRICT: _checked(operand_checks.check),
    Kind.NOT_OFFERED: _not_offered,
    Kind.RDPMC: counted.rdpmc,
    Kind.XSETBV: _or_processor(counted.xsetbv),
    Kind.SCAN: _scan,
    Kind.SMSW: segment_loads.store_cr0,
    Kind.LOOP: lambda run, _mark: by_processor(run),  # alone it does no harm
    Kind.LOCKED_NEG: partial(repaired.put_flags_of_neg, by_processor),
    Kind.EXPLICIT_LENGTH: partial(repaired.saturate_lengths, by_processor),
    Kind.LOADS_MXCSR: _strictly(
        partial(x87_images.load, partial(mxcsr.load, by_processor))
    ),
    Kind.STORES_MXCSR: _strictly(
        partial(x87_images.store, partial(mxcsr.store, by_processor))
    ),
    Kind.X87: _or_processor(x87.perform),
    Kind.HINT: preconditions.hint,
    Kind.FRAME: _strictly(_checked(preconditions.check_frame)),
    Kind.EXCHANGE: partial(bit_fields.keep_high_half, by_processor),
    Kind.BMI: partial(bit_fields.repair, by_processor),
    Kind.TO_INTEGER: partial(x87_integers.store, by_processor),
    Kind.TWICE: partial(repaired.repeat_low_half, by_processor),
}
"""Why it is marked -> what is done; None when the engine has done it."""
