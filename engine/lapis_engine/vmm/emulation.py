"""From an access that memory does not serve to the emulated instruction and back.

Every instruction that the engine carries out itself counts as one retired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.cpu.fault import DB, GuestFault
from lapis_engine.cpu.intercepts import PortAccess
from lapis_engine.cpu.registers import RDX, TF
from lapis_engine.events import Answered
from lapis_engine.vie import (
    bhyve_table,
    context,
    decode,
    execute,
    fetch,
    native,
    ports,
)
from lapis_engine.vie.protocols import HandlerRefused
from lapis_engine.vie.repeat import Result
from lapis_engine.vie.request import InoutRequest, MmioRequest
from lapis_engine.vmm import exits, permission
from lapis_engine.vmm.entry import (
    Default,
    DiscardInstr,
    Entry,
    FulfillInout,
    FulfillMmio,
)
from lapis_engine.vmm.lending import Lending

if TYPE_CHECKING:
    from lapis_engine.cpu.intercepts import Hole
    from lapis_engine.vie.repeat import Outcome
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
PROT_EXEC = 4
PORTS_MASK = 0xFFFF
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
        verdict = bhyve_table.judge(code, bits)
        if verdict == "unhandled":
            return exits.Errno("EINVAL", f"the operation of [{code.hex(' ')}]")
        if verdict == "unknown":
            context.start_unknown(vcpu.vie, code, hw.gpa)
            return pending(vm, vcpu)
    instruction = decode.decode(code, bits)
    if instruction is None or _crosses(hw):
        context.start_native(vcpu.vie, code, hw.gpa)
        native.start(vcpu.vie, hw.gpa, hw.size, read=hw.access == "read")
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
    if instruction is None:
        context.start_unknown(vcpu.vie, code, hw.port)
        return pending(vm, vcpu)
    context.start_inout(vcpu.vie, code, instruction)
    return go_on(vm, vcpu)


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
                state, regs, vcpu.linear, bus, limit=limit,
                keeps_upper_rax=vm.profile.in_keeps_upper_rax,
                devices=vm.profile.vie_table == "all",
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
        regs.shadow = False
        vm.account(vcpu, out.iterations or 1)
    elif out.iterations:
        vm.account(vcpu, out.iterations)
    if single and out.result in {Result.DONE, Result.REPEAT}:
        regs.dr[6] |= DR6_BS
        vm.raise_fault(vcpu, GuestFault(DB))
    return pending(vm, vcpu)


def _memory(vm: Vm, vcpu: Vcpu, limit: int) -> Outcome:
    """Carry out an instruction on a device: moves ourselves, the rest natively."""
    state, regs, bus = vcpu.vie, vcpu.regs, vm.buses[vcpu.id]
    if state.instruction is not None:
        out = execute.emulate(state, regs, vcpu.linear, bus, limit, vm.is_interrupted)
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
    return exits.InstEmul(request.code, request.gpa)


def enter(vm: Vm, vcpu: Vcpu, entry: Entry) -> exits.Exit | None:
    """Carry out an entry command (`vm_entry_actions`).

    Raises `EntryError` when it does not fit; nothing has moved then.
    """
    match entry:
        case Default():
            return None
        case DiscardInstr():
            context.discard(vcpu.vie)
            vm.note(Answered(vcpu.id, "DISCARD_INSTR", "instruction forgotten"))
            return None
        case FulfillMmio():
            answer = MmioRequest(entry.read, entry.gpa, entry.bytes, entry.data)
            context.fulfill_mmio(vcpu.vie, answer)
            text = f"{entry.bytes} bytes at {entry.gpa:#x} = {entry.data:#x}"
            vm.note(Answered(vcpu.id, "FULFILL_MMIO", text))
        case FulfillInout():
            reply = InoutRequest(entry.port, entry.bytes, entry.read, entry.eax)
            context.fulfill_inout(vcpu.vie, reply)
            text = f"{entry.bytes} bytes at port {entry.port:#x} = {entry.eax:#x}"
            vm.note(Answered(vcpu.id, "FULFILL_INOUT", text))
    return go_on(vm, vcpu)


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
    code = _fetch(vm, vcpu)
    at = _opcode_at(code, regs.code_bits)
    if code[at] != 0x0F:
        length = at + 1
    elif code[at + 1] in {0x01, 0x20, 0x22, 0x23}:
        length = at + THREE_BYTES
    else:
        length = at + TWO_BYTES
    mask = (1 << regs.code_bits) - 1
    regs.rip = (regs.rip + length) & mask
    regs.shadow = False
    vm.account(vcpu, 1)
