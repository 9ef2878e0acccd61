"""From an access that memory does not serve to the emulated instruction and back.

Every instruction that the engine carries out itself counts as one retired.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.intercepts import PortAccess
from lapis_engine.cpu.registers import RAX, RDX, TF
from lapis_engine.errors import EntryError
from lapis_engine.events import EngineFault
from lapis_engine.units import MASK32, PAGE
from lapis_engine.vie import (
    bhyve,
    decode,
    execute,
    native,
    ports,
    reach,
)
from lapis_engine.vie import pending as context
from lapis_engine.vie.repeat import Result
from lapis_engine.vie.request import InoutRequest, MmioRequest, MsrRequest
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import clock, debug, exits, intercepted, permission, watched
from lapis_engine.vmm.entry import (
    Default,
    DiscardInstr,
    Entry,
    FulfillInout,
    FulfillMmio,
    FulfillMsr,
    InjectFault,
    answered,
)
from lapis_engine.vmm.processor import LentProcessor
from lapis_engine.vmm.watched import PORTS_MASK

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import Hole
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.profiles.switches import Profile
    from lapis_engine.vie.repeat import Progress
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Run, Vm

PROT_EXEC: Final = 4


def hole(run: Run, hw: Hole) -> exits.Exit | None:
    """Emulate the instruction at RIP, which touched a hole."""
    if hw.access == "fetch":
        return exits.Paging(hw.gpa, PROT_EXEC)
    vm, vcpu = run.vm, run.vcpu
    code, bits = intercepted.code_at(vm, vcpu), vcpu.regs.code_bits
    in_out = decode.decode_port(code, bits)
    if in_out is not None:  # the memory side of INS or OUTS comes first
        number = vcpu.regs.gpr[RDX] & PORTS_MASK
        return port(run, PortAccess(number, in_out.opsize, not in_out.read, 0))
    if vm.profile.vie_table == "bhyve":
        verdict = bhyve.judge(code, bits)
        if verdict == "unhandled":
            return exits.Errno("EINVAL", f"the operation of [{code.hex(' ')}]")
        if verdict == "unknown":
            context.start_unknown(vcpu.vie, code, hw.gpa)
            return pending(vcpu, vm.profile)
    instruction = decode.decode(code, bits)
    if instruction is None or _crosses(hw):
        context.start_native(vcpu.vie, code, hw.gpa)
        known = hw.gpa % PAGE or reach.begins_at(vcpu.regs, code, vcpu.linear, hw.gpa)
        read = hw.access == "read" and bool(known)
        native.start(vcpu.vie, hw.gpa, hw.size, read=read)
    else:
        context.start_mmio(vcpu.vie, code, instruction, hw.gpa)
    return go_on(run)


def port(run: Run, hw: PortAccess) -> exits.Exit | None:
    """Emulate IN, OUT, or INS and OUTS, if the guest may use the port at all."""
    vm, vcpu = run.vm, run.vcpu
    try:
        permission.check_port(vcpu, hw.port, hw.size)
    except GuestFault as fault:
        vm.raise_fault(vcpu, fault)
        return None
    code = intercepted.code_at(vm, vcpu)
    instruction = decode.decode_port(code, vcpu.regs.code_bits)
    if instruction is not None and vm.profile.inout_sizes == "doubled":
        size = 2 * instruction.addrsize
        instruction = bhyve.doubled(instruction)
        if instruction is None:
            text = f"assertion failed: address size {size} of a string IN or OUT"
            vm.fault(EngineFault(vcpu.id, text))
            return None
    if instruction is None:
        context.start_unknown(vcpu.vie, code, hw.port)
        return pending(vcpu, vm.profile)
    context.start_inout(vcpu.vie, code, instruction)
    return go_on(run)


def go_on(run: Run) -> exits.Exit | None:
    """Run, or run again after an answer, the instruction that `vie` holds."""
    vm, vcpu = run.vm, run.vcpu
    state, regs, bus = vcpu.vie, vcpu.regs, vm.buses[vcpu.id]
    single, hits = bool(regs.rflags & TF), watched.hits(vcpu)
    loads_ss = intercepted.loads_ss(state.code, regs.code_bits)
    alone = single or hits or vm.costs.port or vm.costs.mmio
    limit = 1 if alone else clock.left(run)
    try:
        if state.port is not None:
            out = ports.emulate_port(
                state, regs, _linear(vm, vcpu), bus, limit=limit,
                keeps_upper_rax=vm.profile.in_keeps_upper_rax,
                devices=vm.profile.vie_table == "all",
                stopped=partial(clock.between, run),
            )  # fmt: skip
        else:
            out = _memory(run, limit)
    except GuestFault as fault:
        vm.raise_fault(vcpu, fault)
        _pay(run)
        return None
    except HandlerRefused:
        context.fall_back(state)
        if state.port is not None:
            state.code = b""  # never fetched by bhyve, and so not in its exit
        _pay(run)
        return pending(vcpu, vm.profile)
    finally:
        if run.ahead:
            clock.back(run)
    if out.result is Result.DONE:
        clock.account(run, out.iterations or 1)
        vcpu.in_ss_shadow = loads_ss
    elif out.iterations:
        clock.account(run, out.iterations)
    if vm.owed:
        _pay(run)
    if (single or hits) and out.result in {Result.DONE, Result.REPEAT}:
        hits = vm.core.hits if hits == watched.BY_PROCESSOR else hits
        debug.after(run, hits=hits, single=single)
    return pending(vcpu, vm.profile) if state.status else None


def _pay(run: Run) -> None:
    """Let the accesses that were made take their time, also if they were not all."""
    vm = run.vm
    owed, vm.owed = vm.owed, 0
    if owed:
        clock.charge(run, owed)


def _linear(vm: Vm, vcpu: Vcpu) -> Linear:
    """Return the emulator's own view of memory."""
    return (
        bhyve.LaxWalk(vcpu.regs, vm.memory) if vm.profile.vie_walk_lax else vcpu.linear
    )


def _memory(run: Run, limit: int) -> Progress:
    """Carry out an instruction on a device: moves ourselves, the rest natively."""
    vm, vcpu = run.vm, run.vcpu
    state, regs, bus = vcpu.vie, vcpu.regs, vm.buses[vcpu.id]
    if state.instruction is not None:
        out = execute.emulate(
            state, regs, _linear(vm, vcpu), bus, limit, partial(clock.between, run)
        )
        unhandled = out.result is Result.UNHANDLED
        if not unhandled or out.iterations or vm.profile.vie_table != "all":
            return out
        context.start_native(state, state.code, state.gpa)
        native.start(state, state.gpa, 0, read=False)
    return native.perform(
        state, regs, bus, LentProcessor(vm.core, vm.memory, vcpu.linear)
    )


def _crosses(hw: Hole) -> bool:
    """Tell whether the access goes on in another page."""
    return hw.gpa % PAGE + hw.size > PAGE


def pending(vcpu: Vcpu, profile: Profile) -> exits.Exit | None:
    """Return the exit for what `vie` is waiting for, or None (`vie_exitinfo`).

    # As bhyve: before illumos 12989, and in FreeBSD, a memory access is INST_EMUL, and
    the user's side carries the instruction out (profile switch user_emulates).
    """
    request = context.pending(vcpu.vie)
    if request is None:
        return None
    if isinstance(request, MmioRequest):
        if profile.user_emulates:
            return exits.InstEmul(vcpu.vie.code, request.gpa, by_user=True)
        return exits.Mmio(request.gpa, request.bytes, request.read, request.data)
    if isinstance(request, InoutRequest):
        return exits.Inout(request.port, request.bytes, request.read, request.eax)
    if isinstance(request, MsrRequest):
        if request.read:
            return exits.Rdmsr(request.msr)
        return exits.Wrmsr(request.msr, request.value, waits=True)
    return exits.InstEmul(request.code, request.gpa)


def enter(run: Run, entry: Entry, by: str) -> exits.Exit | None:
    """Carry out an entry command that `by` gives (`vm_entry_actions`).

    Raises `EntryError` when it does not fit; nothing has moved then.
    """
    if isinstance(entry, Default):
        return None
    vm, vcpu = run.vm, run.vcpu
    asked = context.pending(vcpu.vie)
    match entry:
        case DiscardInstr():
            context.discard(vcpu.vie)
        case InjectFault():
            if asked is None:
                raise EntryError("EINVAL", "no instruction is pending")
            context.discard(vcpu.vie)
            fault = GuestFault(
                entry.vector, entry.error, entry.cr2, rule=Breach.INJECTED
            )
            vm.raise_fault(vcpu, fault)
        case FulfillMmio():
            answer = MmioRequest(entry.read, entry.gpa, entry.bytes, entry.data)
            context.fulfill_mmio(vcpu.vie, answer)
            vm.owed += vm.costs.mmio
        case FulfillInout():
            reply = InoutRequest(entry.port, entry.bytes, entry.read, entry.eax)
            context.fulfill_inout(vcpu.vie, reply)
            vm.owed += vm.costs.port
        case FulfillMsr():
            given = MsrRequest(entry.msr, entry.read, entry.value)
            context.fulfill_msr(vcpu.vie, given)
    vm.note(answered(vcpu.id, asked, entry, by))
    if isinstance(entry, (FulfillMmio, FulfillInout)):
        return go_on(run)
    if isinstance(entry, FulfillMsr):
        _finish_msr(run, entry)
    return None


def _finish_msr(run: Run, entry: FulfillMsr) -> None:
    """Retire a RDMSR or WRMSR that the user has served."""
    if entry.read:
        gpr = run.vcpu.regs.gpr
        gpr[RAX], gpr[RDX] = entry.value & MASK32, entry.value >> 32 & MASK32
    intercepted.skip(run, run.vm.costs.msr)
