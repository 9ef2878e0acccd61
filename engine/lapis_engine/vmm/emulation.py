"""From an access that memory does not serve to the emulated instruction and back.

Every instruction that the engine carries out itself counts as one retired.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lapis_engine.cpu.fault import DB, GP, GuestFault
from lapis_engine.cpu.intercepts import PortAccess
from lapis_engine.cpu.registers import RAX, RDX, TF
from lapis_engine.errors import EntryError
from lapis_engine.events import EngineFault
from lapis_engine.vie import (
    bhyve,
    decode,
    execute,
    fetch,
    native,
    ports,
    reach,
)
from lapis_engine.vie import pending as context
from lapis_engine.vie.repeat import Result
from lapis_engine.vie.request import InoutRequest, MmioRequest, MsrRequest
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import exits, permission
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
from lapis_engine.vmm.processor import Lending

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import Hole
    from lapis_engine.cpu.paging import Linear
    from lapis_engine.vie.repeat import Outcome
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
PROT_EXEC = 4
PORTS_MASK = 0xFFFF
MASK32 = 0xFFFF_FFFF
DR6_BS = 1 << 14
"""Single step, in DR6."""
TWO_BYTES, THREE_BYTES = 2, 3


def hole(vm: Vm, vcpu: Vcpu, hw: Hole) -> exits.Exit | None:
    """Emulate the instruction at RIP, which touched a hole."""
    if hw.access == "fetch":
        return exits.Paging(hw.gpa, PROT_EXEC)
    code, bits = _fetch(vm, vcpu), vcpu.regs.code_bits
    in_out = ports.decode_port(code, bits)
    if in_out is not None:  # the memory side of INS or OUTS comes first
        number = vcpu.regs.gpr[RDX] & PORTS_MASK
        return port(vm, vcpu, PortAccess(number, in_out.opsize, not in_out.read, 0))
    if vm.profile.vie_table == "bhyve":
        verdict = bhyve.judge(code, bits)
        if verdict == "unhandled":
            return exits.Errno("EINVAL", f"the operation of [{code.hex(' ')}]")
        if verdict == "unknown":
            context.start_unknown(vcpu.vie, code, hw.gpa)
            return pending(vm, vcpu)
    instruction = decode.decode(code, bits)
    if instruction is None or _crosses(hw):
        context.start_native(vcpu.vie, code, hw.gpa)
        known = hw.gpa % fetch.PAGE or reach.begins_at(
            vcpu.regs, code, vcpu.linear, hw.gpa
        )
        read = hw.access == "read" and bool(known)
        native.start(vcpu.vie, hw.gpa, hw.size, read=read)
    else:
        context.start_mmio(vcpu.vie, code, instruction, hw.gpa)
    return go_on(vm, vcpu)


def port(vm: Vm, vcpu: Vcpu, hw: PortAccess) -> exits.Exit | None:
    """Emulate IN, OUT, or INS and OUTS, if the guest may use the port at all."""
    try:
        permission.check_port(vcpu, hw.port, hw.size)
    except GuestFault as fault:
        vm.raise_fault(vcpu, fault)
        return None
    code = _fetch(vm, vcpu)
    instruction = ports.decode_port(code, vcpu.regs.code_bits)
    if instruction is not None and vm.profile.inout_sizes == "doubled":
        size = 2 * instruction.addrsize
        instruction = bhyve.doubled(instruction)
        if instruction is None:
            text = f"assertion failed: address size {size} of a string IN or OUT"
            vm.fault(EngineFault(vcpu.id, text))
            return None
    if instruction is None:
        context.start_unknown(vcpu.vie, code, hw.port)
        return pending(vm, vcpu)
    context.start_inout(vcpu.vie, code, instruction)
    return go_on(vm, vcpu)


def code_at(vm: Vm, vcpu: Vcpu) -> bytes:
    """Return up to 15 bytes from RIP."""
    return _fetch(vm, vcpu)


def exact_vector(vm: Vm, vcpu: Vcpu, vector: int, error: int | None) -> int:
    """Return the vector of a fault that the processor underneath reported as `vector`.

    Only of #GP it may be another.
    """
    if vector != GP:
        return vector
    return reach.exact_vector(vcpu.regs, _fetch(vm, vcpu), vector, error)


def _fetch(vm: Vm, vcpu: Vcpu) -> bytes:
    return fetch.fetch(vcpu.regs, vcpu.linear, vm.memory)


def go_on(vm: Vm, vcpu: Vcpu) -> exits.Exit | None:
    """Run, or run again after an answer, the instruction that `vie` holds."""
    state, regs, bus = vcpu.vie, vcpu.regs, vm.buses[vcpu.id]
    single = regs.rflags & TF
    limit = 1 if single else vm.left()
    try:
        if state.port is not None:
            out = ports.emulate_port(
                state, regs, _linear(vm, vcpu), bus, limit=limit,
                keeps_upper_rax=vm.profile.in_keeps_upper_rax,
                devices=vm.profile.vie_table == "all", stopped=vm.is_interrupted,
            )  # fmt: skip
        else:
            out = _memory(vm, vcpu, limit)
    except GuestFault as fault:
        vm.raise_fault(vcpu, fault)
        return None
    except HandlerRefused:
        context.fall_back(state)
        if state.port is not None:
            state.code = b""  # never fetched by bhyve, and so not in its exit
        return pending(vm, vcpu)
    if out.result is Result.DONE:
        vm.account(vcpu, out.iterations or 1)
    elif out.iterations:
        vm.account(vcpu, out.iterations)
    # POP SS and MOV to SS hold the trap off, as they do interrupts.
    if single and out.result in {Result.DONE, Result.REPEAT} and not regs.shadow:
        regs.dr[6] |= DR6_BS
        vm.raise_fault(vcpu, GuestFault(DB))
    return pending(vm, vcpu)


def _linear(vm: Vm, vcpu: Vcpu) -> Linear:
    """Return the emulator's own view of memory."""
    return (
        bhyve.LaxWalk(vcpu.regs, vm.memory) if vm.profile.vie_walk_lax else vcpu.linear
    )


def _memory(vm: Vm, vcpu: Vcpu, limit: int) -> Outcome:
    """Carry out an instruction on a device: moves ourselves, the rest natively."""
    state, regs, bus = vcpu.vie, vcpu.regs, vm.buses[vcpu.id]
    if state.instruction is not None:
        out = execute.emulate(
            state, regs, _linear(vm, vcpu), bus, limit, vm.is_interrupted
        )
        unhandled = out.result is Result.UNHANDLED
        if not unhandled or out.iterations or vm.profile.vie_table != "all":
            return out
        context.start_native(state, state.code, state.gpa)
        native.start(state, state.gpa, 0, read=False)
    return native.perform(state, regs, bus, Lending(vm, vcpu))


def _crosses(hw: Hole) -> bool:
    """Tell whether the access goes on in another page."""
    return hw.gpa % fetch.PAGE + hw.size > fetch.PAGE


def pending(vm: Vm, vcpu: Vcpu) -> exits.Exit | None:
    """Return the exit for what `vie` is waiting for, or None (`vie_exitinfo`).

    # As bhyve: before illumos 12989, and in FreeBSD, a memory access is INST_EMUL, and
    the user's side carries the instruction out (profile switch user_emulates).
    """
    request = context.pending(vcpu.vie)
    if request is None:
        return None
    if isinstance(request, MmioRequest):
        if vm.profile.user_emulates:
            return exits.InstEmul(vcpu.vie.code, request.gpa, by_user=True)
        return exits.Mmio(request.gpa, request.bytes, request.read, request.data)
    if isinstance(request, InoutRequest):
        return exits.Inout(request.port, request.bytes, request.read, request.eax)
    if isinstance(request, MsrRequest):
        if request.read:
            return exits.Rdmsr(request.msr)
        return exits.Wrmsr(request.msr, request.value, waits=True)
    return exits.InstEmul(request.code, request.gpa)


def enter(vm: Vm, vcpu: Vcpu, entry: Entry) -> exits.Exit | None:
    """Carry out an entry command (`vm_entry_actions`).

    Raises `EntryError` when it does not fit; nothing has moved then.
    """
    if isinstance(entry, Default):
        return None
    asked = context.pending(vcpu.vie)
    match entry:
        case DiscardInstr():
            context.discard(vcpu.vie)
        case InjectFault():
            if asked is None:
                raise EntryError("EINVAL", "no instruction is pending")
            context.discard(vcpu.vie)
            vm.raise_fault(vcpu, GuestFault(entry.vector, entry.error, entry.cr2))
        case FulfillMmio():
            answer = MmioRequest(entry.read, entry.gpa, entry.bytes, entry.data)
            context.fulfill_mmio(vcpu.vie, answer)
        case FulfillInout():
            reply = InoutRequest(entry.port, entry.bytes, entry.read, entry.eax)
            context.fulfill_inout(vcpu.vie, reply)
        case FulfillMsr():
            given = MsrRequest(entry.msr, entry.read, entry.value)
            context.fulfill_msr(vcpu.vie, given)
    vm.note(answered(vcpu.id, asked, entry, vm.answerer))
    if isinstance(entry, (FulfillMmio, FulfillInout)):
        return go_on(vm, vcpu)
    if isinstance(entry, FulfillMsr):
        _finish_msr(vm, vcpu, entry)
    return None


def _finish_msr(vm: Vm, vcpu: Vcpu, entry: FulfillMsr) -> None:
    """Retire a RDMSR or WRMSR that the user has served."""
    if entry.read:
        gpr = vcpu.regs.gpr
        gpr[RAX], gpr[RDX] = entry.value & MASK32, entry.value >> 32 & MASK32
    skip(vm, vcpu)


def _opcode_at(code: bytes, bits: int) -> int:
    at = 0
    while at < len(code) and code[at] in PREFIXES:
        at += 1
    if bits == 64 and at < len(code) and code[at] & 0xF0 == 0x40:
        at += 1
    return at


def modrm_rm(vm: Vm, vcpu: Vcpu) -> int:
    """Return the register in ModRM.rm of a two-byte opcode, with REX.B."""
    regs = vcpu.regs
    code = _fetch(vm, vcpu)
    at = _opcode_at(code, regs.code_bits)
    rex_b = regs.code_bits == 64 and at > 0 and code[at - 1] & 0xF1 == 0x41
    return (code[at + 2] & 7) | (8 if rex_b else 0)


def skip(vm: Vm, vcpu: Vcpu) -> None:
    """Retire the intercepted instruction at RIP: HLT, CPUID, RDMSR, MOV CR8 ...

    One byte for HLT, three with a ModRM or for RDTSCP, else two; prefixes beside.
    """
    regs = vcpu.regs
    bits = regs.code_bits
    length = _intercepted_length(_fetch(vm, vcpu), bits)
    regs.rip = (regs.rip + length) & ((1 << bits) - 1)
    regs.shadow = False
    vm.account(vcpu, 1)


@lru_cache(maxsize=256)
def _intercepted_length(code: bytes, bits: int) -> int:
    at = _opcode_at(code, bits)
    if code[at] != 0x0F:
        return at + 1
    has_modrm = code[at + 1] in {0x01, 0x20, 0x22, 0x23}
    return at + (THREE_BYTES if has_modrm else TWO_BYTES)
