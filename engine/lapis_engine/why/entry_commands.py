"""Which entry commands a vCPU would take now, and why not the others.

Each is tried on a copy of the instruction in the making; nothing moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.copies import clone
from lapis_engine.errors import EntryError
from lapis_engine.vie import pending
from lapis_engine.vie.request import InoutRequest, MmioRequest, MsrRequest
from lapis_engine.vmm import emulation
from lapis_engine.vmm.entry import (
    VEC_DEFAULT,
    VEC_DISCARD_INSTR,
    VEC_FLAG_EXIT_CONSISTENT,
    VEC_FULFILL_INOUT,
    VEC_FULFILL_MMIO,
)

if TYPE_CHECKING:
    from lapis_engine.vie.request import Request
    from lapis_engine.vie.state import VieState
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm


class Tried(NamedTuple):
    """What would become of one entry command."""

    command: str
    value: int | None
    """Its number in bhyve; None for one that only this engine has."""
    accepted: bool
    why: str


def try_all(vm: Vm, vcpu: Vcpu) -> list[Tried]:
    """Return a verdict for every entry command."""
    asked = pending.pending(vcpu.vie)
    shut = _shut(vm, vcpu)
    verdicts = [
        Tried("VEC_DEFAULT", VEC_DEFAULT, vcpu.active, _default(vm, vcpu)),
        Tried("VEC_DISCARD_INSTR", VEC_DISCARD_INSTR, shut is None,
                shut or _discard(vcpu, asked)),
        _fulfil("VEC_FULFILL_MMIO", VEC_FULFILL_MMIO, vcpu.vie, shut),
        _fulfil("VEC_FULFILL_INOUT", VEC_FULFILL_INOUT, vcpu.vie, shut),
        _fulfil("FULFILL_MSR", None, vcpu.vie, shut),
        Tried("INJECT_FAULT", None, shut is None and asked is not None,
                shut or _inject(asked)),
    ]  # fmt: skip
    consistent = Tried(
        "VEC_FLAG_EXIT_CONSISTENT", VEC_FLAG_EXIT_CONSISTENT, vcpu.active,
        "with any command that is accepted: BOGUS before the guest is entered, but "
        "what still waits for an answer comes first",
    )  # fmt: skip
    return [*verdicts, consistent]


def _shut(vm: Vm, vcpu: Vcpu) -> str | None:
    """Say why every command but VEC_DEFAULT is refused; None if it is not."""
    if not vcpu.active:
        return _inactive(vcpu)
    if vm.suspended is not None:
        return f"EINVAL: the machine is suspended ({vm.suspended.how})"
    return None


def _inactive(vcpu: Vcpu) -> str:
    return f"EINVAL: vCPU {vcpu.id} is not active"


def _default(vm: Vm, vcpu: Vcpu) -> str:
    if not vcpu.active:
        return _inactive(vcpu)
    if vm.panic is not None:
        return f"the panic again: {vm.panic.text}"
    again = emulation.pending(vcpu, vm.profile)
    if again is not None:
        return f"the same exit again: {again.code}, {again.text}"
    return "runs the guest"


def _discard(vcpu: Vcpu, asked: Request | None) -> str:
    if asked is None:
        return "nothing is pending to be forgotten; runs the guest"
    return f"forgets the request; the instruction at RIP {vcpu.regs.rip:#x} runs again"


def _inject(asked: Request | None) -> str:
    if asked is None:
        return "EINVAL: no instruction is pending"
    return "a fault in place of the instruction, with RIP on it"


Fulfilment = MmioRequest | InoutRequest | MsrRequest
SOME: Final[dict[str, Fulfilment]] = {
    "VEC_FULFILL_MMIO": MmioRequest(read=True, gpa=0, bytes=1),
    "VEC_FULFILL_INOUT": InoutRequest(port=0, bytes=1, read=True),
    "FULFILL_MSR": MsrRequest(msr=0, read=True),
}
"""An answer to try where no request of the kind is there to be answered."""


def _fulfil(
    command: str, value: int | None, state: VieState, shut: str | None
) -> Tried:
    """Try the answer that fits best."""
    if shut is not None:
        return Tried(command, value, accepted=False, why=shut)
    asked, answer = pending.pending(state), SOME[command]
    if type(asked) is type(answer):
        answer = asked
    copy = clone(state)
    try:
        match answer:
            case MmioRequest():
                pending.fulfill_mmio(copy, answer)
            case InoutRequest():
                pending.fulfill_inout(copy, answer)
            case MsrRequest():
                pending.fulfill_msr(copy, answer)
    except EntryError as error:
        return Tried(command, value, accepted=False, why=str(error))
    return Tried(command, value, accepted=True, why=_terms(answer))


def _terms(answer: Fulfilment) -> str:
    """Say what the answer must be."""
    match answer:
        case MmioRequest():
            words = f"read={int(answer.read)} bytes={answer.bytes} gpa={answer.gpa:#x}"
            size = answer.bytes
        case InoutRequest():
            words = f"in={int(answer.read)} bytes={answer.bytes} port={answer.port:#x}"
            size = answer.bytes
        case _:
            words = f"read={int(answer.read)} msr={answer.msr:#x}"
            size = 8
    if answer.read:
        return f"with {words} and a value of {size} bytes"
    return f"with {words}; the value is not looked at"
