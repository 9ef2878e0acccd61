"""What the engine does about each thing that the processor reports.

A handler returns the exit that the user must see, or None to go on. Faults that it
finds are delivered to the guest, never raised to the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from lapis_engine.breaches.privilege import RDTSCP
from lapis_engine.cpu import fault as faults
from lapis_engine.cpu import intercepts
from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.delivery import Pending
from lapis_engine.cpu.fault import HAS_ERROR_CODE, GuestFault
from lapis_engine.cpu.intercepts import (
    Breakpoint,
    Budget,
    Faulted,
    Hole,
    HwExit,
    Intercepted,
    Marked,
    PortAccess,
    SoftwareInterrupt,
    Unknown,
    Watched,
    Window,
)
from lapis_engine.cpu.registers import RAX, RBX, RCX, RDX
from lapis_engine.events import Halted, MsrAccessed
from lapis_engine.units import MASK32
from lapis_engine.vie import pending
from lapis_engine.vie.request import MsrRequest
from lapis_engine.vmm import (
    clock,
    control,
    cpuid,
    debug,
    emulation,
    exits,
    fabric,
    intercepted,
    marked,
    mov_dr,
    msr,
    traps,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.vmm.vm import Run

SHORT_BREAKPOINTS: Final = frozenset({3, 4})
"""INT3 and INTO have one-byte forms."""


def handle(run: Run, hw: HwExit) -> exits.Exit | None:
    """Deal with one report of the processor."""
    vcpu = run.vcpu
    match hw:
        case Budget() | Window():
            return None
        case Hole():
            return emulation.hole(run, hw)
        case PortAccess():
            return emulation.port(run, hw)
        case Intercepted():
            return _intercepted(run, hw)
        case Faulted() | Watched():
            _exception(run, hw)
            return None
        case Marked():
            result = marked.carry_out(run, hw)
            return None if result is None else handle(run, result)
        case SoftwareInterrupt():
            return _software_interrupt(run, hw)
        case Breakpoint():
            vcpu.stopped_at = hw.linear
            return exits.Debug(hw.linear)
        case Unknown():
            return exits.Processor(hw.text)
        case _:
            assert_never(hw)


def _exception(run: Run, hw: Faulted | Watched) -> None:
    """Raise it; the only #DB of the processor's own is the single step."""
    vm, vcpu = run.vm, run.vcpu
    if isinstance(hw, Watched):
        debug.after(run, hits=hw.hits, single=hw.stepped)
        return
    if hw.vector == faults.DB:
        debug.after(run, hits=0, single=True)
        return
    error = None
    if hw.vector in HAS_ERROR_CODE:
        error = intercepted.exact_error(vm, vcpu, hw.vector, hw.error, hw.cr2)
    vector = intercepted.exact_vector(vm, vcpu, hw.vector, error)
    if vector == faults.GP and mov_dr.is_undefined(run):
        vector, error = faults.UD, None
    vm.raise_fault(vcpu, GuestFault(vector, error, hw.cr2))


def _software_interrupt(run: Run, hw: SoftwareInterrupt) -> exits.Exit | None:
    """INT n: RIP is on the next instruction, and goes back should delivery fault."""
    vcpu = run.vcpu
    regs = vcpu.regs
    after = regs.rip
    before = vcpu.linear.peek(regs.linear_rip - 2)
    code = run.vm.memory.peek(before, 2) if before is not None else b""
    one_byte = hw.vector in SHORT_BREAKPOINTS and code != bytes((0xCD, hw.vector))
    regs.rip = after - (1 if one_byte else 2)
    vcpu.event = Pending(hw.vector, "software", None, return_rip=after)
    return None


def _intercepted(run: Run, hw: Intercepted) -> exits.Exit | None:
    handler = INTERCEPTED.get(hw.code)
    if handler is None:
        return exits.Processor(f"intercept {hw.code:#x} that was not asked for")
    return handler(run, hw)


def _hlt(run: Run, _hw: Intercepted) -> None:
    vm, vcpu = run.vm, run.vcpu
    intercepted.skip(run)
    vcpu.halted = True
    vm.note(Halted(vcpu.id, vcpu.regs.interrupts))


def _cpuid(run: Run, _hw: Intercepted) -> None:
    gpr = run.vcpu.regs.gpr
    found = cpuid.answer(run.vm, run.vcpu, gpr[RAX] & MASK32, gpr[RCX] & MASK32)
    gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX] = found
    intercepted.skip(run, run.vm.costs.cpuid)


def _rdtsc(run: Run, _hw: Intercepted) -> None:
    vm, vcpu = run.vm, run.vcpu
    gpr = vcpu.regs.gpr
    value = (clock.tsc(vm) + vcpu.tsc_offset) & 0xFFFF_FFFF_FFFF_FFFF
    gpr[RAX], gpr[RDX] = value & MASK32, value >> 32
    # QEMU reports RDTSCP under the code of RDTSC.
    if intercepted.modrm(vm, vcpu) == RDTSCP:
        gpr[RCX] = vcpu.regs.context.msrs[0xC000_0103].value & MASK32
    intercepted.skip(run, vm.costs.rdtsc)


def _msr(run: Run, hw: Intercepted) -> exits.Exit | None:
    vm, vcpu = run.vm, run.vcpu
    gpr = vcpu.regs.gpr
    number = gpr[RCX] & MASK32
    value = None
    if hw.error:
        value = (gpr[RDX] & MASK32) << 32 | gpr[RAX] & MASK32
    if (vm.traps.msr and traps.hits(vm.traps.msr, number, 1)) or (
        vm.profile.unknown_msr_exits
        and not msr.is_known(number, vm.profile, vm.cpu.model)
    ):
        request = MsrRequest(number, value is None, value or 0)
        pending.start_msr(vcpu.vie, intercepted.code_at(vm, vcpu), request)
        return emulation.pending(vcpu, vm.profile)
    return serve_msr(run, number, value)


def serve_msr(run: Run, number: int, value: int | None) -> exits.Exit | None:
    """Do a RDMSR, or a WRMSR of `value`, as the engine does, past all traps."""
    if run.vm.on_msr is not None:
        run.vm.on_msr(run.vcpu, number)
    if value is not None:
        return _wrmsr(run, number, value)
    _rdmsr(run, number)
    return None


def _rdmsr(run: Run, number: int) -> None:
    vm, vcpu = run.vm, run.vcpu
    gpr = vcpu.regs.gpr
    model = vm.cpu.model
    value = msr.read(vcpu, number, vm.now, clock.tsc(vm), vm.profile, model)
    if isinstance(value, Breach):
        vm.note(MsrAccessed(vcpu.id, number, write=False, value=0, fault=True))
        values = number, 0, 0, *msr.broken_by(vcpu, number, 0, model)
        vm.raise_fault(vcpu, GuestFault(faults.GP, 0, rule=value, values=values))
        return
    vm.note(MsrAccessed(vcpu.id, number, write=False, value=value, fault=False))
    gpr[RAX], gpr[RDX] = value & MASK32, value >> 32
    intercepted.skip(run, vm.costs.msr)


def _wrmsr(run: Run, number: int, value: int) -> exits.Exit | None:
    """WRMSR: bhyve serves it inside the critical section around the guest."""
    vm, vcpu = run.vm, run.vcpu
    if _is_users(run, number, value):
        intercepted.skip(run, vm.costs.msr)
        return exits.Wrmsr(number, value)
    time = msr.Clock(vm.now, clock.tsc(vm), vm.tsc_hz)
    name = written.MSRS.get(number)
    was = None if name is None else written.before(vcpu.apic)
    outcome = msr.write(vcpu, number, value, time, vm.profile, vm.cpu.model)
    failed = isinstance(outcome, Breach)
    vm.note(MsrAccessed(vcpu.id, number, write=True, value=value, fault=failed))
    if isinstance(outcome, Breach):
        values = number, 1, value, *msr.broken_by(vcpu, number, value, vm.cpu.model)
        vm.raise_fault(vcpu, GuestFault(faults.GP, 0, rule=outcome, values=values))
        return None
    if name is not None and was is not None:
        vm.wrote(vcpu, written.timer(vcpu.id), name, value, was)
    intercepted.skip(run)
    refused = fabric.route(vm, outcome, "critical")
    if number == msr.TSC_DEADLINE:
        clock.pass_time(vm, vm.now)  # one that has passed fires now
    if vm.costs.msr:
        clock.charge(run, vm.costs.msr)
    return None if refused is None else exits.Wrmsr(number, value)


def _is_users(run: Run, number: int, value: int) -> bool:
    """Tell whether a WRMSR is userspace's (profile switch apicbase_exits)."""
    vm, vcpu = run.vm, run.vcpu
    changes = number == msr.APICBASE and value != vcpu.apic.apicbase
    return changes and vm.profile.apicbase_exits


def _control(
    write: Callable[[Run, Intercepted], HwExit | None],
) -> Callable[[Run, Intercepted], exits.Exit | None]:
    """Return a handler: what the processor says of a MOV is dealt with as ever."""

    def handler(run: Run, hw: Intercepted) -> exits.Exit | None:
        result = write(run, hw)
        return None if result is None else handle(run, result)

    return handler


def _iret(run: Run, hw: Intercepted) -> exits.Exit | None:
    """IRET ends NMI blocking, even if it faults (SDM "Handling Multiple NMIs")."""
    vm, vcpu = run.vm, run.vcpu
    vcpu.nmi_blocked = False
    vm.core.intercept(vcpu.regs, intercepts.IRET, on=False)
    return handle(run, intercepted.native(run, hw))


def _pause(run: Run, _hw: Intercepted) -> None:
    """PAUSE: a spinning vCPU gives the rest of its quantum away."""
    intercepted.skip(run)
    run.yielded = run.pause_yields


def _undefined(run: Run, _hw: Intercepted) -> None:
    """MONITOR and MWAIT, which CPUID does not offer."""
    vm, vcpu = run.vm, run.vcpu
    vm.raise_fault(vcpu, GuestFault(faults.UD))


def _shutdown(run: Run, _hw: Intercepted) -> None:
    vm, vcpu = run.vm, run.vcpu
    vm.triple_fault(vcpu)


INTERCEPTED: Final[dict[int, Callable[[Run, Intercepted], exits.Exit | None]]] = {
    intercepts.HLT: _hlt,
    intercepts.CPUID: _cpuid,
    intercepts.RDTSC: _rdtsc,
    intercepts.RDTSCP: _rdtsc,
    intercepts.MSR: _msr,
    intercepts.CR8_READ: _control(control.cr8),
    intercepts.CR8_WRITE: _control(control.cr8),
    intercepts.CR0_WRITE: _control(control.cr0),
    intercepts.CR3_WRITE: _control(control.cr3),
    intercepts.CR4_WRITE: _control(control.cr4),
    intercepts.IRET: _iret,
    intercepts.PAUSE: _pause,
    intercepts.MONITOR: _undefined,
    intercepts.MWAIT: _undefined,
    intercepts.SHUTDOWN: _shutdown,
    **{intercepts.DR_READ + n: mov_dr.carry_out for n in range(8)},
    **{intercepts.DR_WRITE + n: mov_dr.carry_out for n in range(8)},
}
"""SVM exit code -> handler."""
