"""Why an access became a request, and waits for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.apic import state as apic_state
from lapis_engine.units import PAGE
from lapis_engine.vie import pending as context
from lapis_engine.vmm import address_map, naming
from lapis_engine.vmm.traps import hits
from lapis_engine.why.reason import Reason, allows, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

SPACES: Final = {"mmio": "mmio", "inout": "port", "msr": "msr"}
"""Kind of a request -> the space that traps name."""


@dataclass(frozen=True, slots=True)
class AskingAnswer:
    """Why a vCPU waits for an answer, or that it does not."""

    vcpu: int
    request: PendingRequest | None
    text: str
    """One sentence."""
    reasons: tuple[Reason, ...]
    """trap, unclaimed, refused, no-emulation or unknown-msr; then what lies beside it,
    what the machine does with such accesses (policy), and the instruction."""


class _Neighbour(NamedTuple):
    first: int
    last: int
    """Inclusive."""
    name: str


def asking(machine: Machine, number: int) -> AskingAnswer:
    """Answer for vCPU `number`; raise `EngineError` when there is none."""
    vcpu = machine.vcpu(number)
    found = [each for each in machine.pending() if each.vcpu == number]
    if not found:
        text = f"vCPU {number} waits for no answer"
        return AskingAnswer(number, None, text, ())
    request = found[0]
    reasons = (*_reasons(machine, vcpu, request), _instruction(machine, request))
    text = f"vCPU {number} waits in a {request.text}: {reasons[0].text}"
    return AskingAnswer(number, request, text, reasons)


def _reasons(machine: Machine, vcpu: Vcpu, request: PendingRequest) -> Iterator[Reason]:
    vm = machine.vm
    trap = _trap(vm, request)
    if trap is not None:
        yield trap
        return
    if request.kind == "inst-emul":
        yield _without_emulation(vm, vcpu, request)
        return
    if request.kind == "msr":
        yield blocks(
            "unknown-msr",
            f"the engine has no MSR {request.address:#x}, and profile "
            f"{vm.profile.name} asks the user for those (switch unknown_msr_exits)",
            msr=request.address,
        )
        return
    there = naming.name(vm, vcpu, request.kind, request.address, read=request.read)
    if there.device is not None:
        verb = "read" if request.read else "write"
        yield blocks(
            "refused",
            f"the {there.device} is there, and takes no {verb} of {request.bytes} "
            f"bytes at {request.address:#x}",
            there.device,
            address=request.address, bytes=request.bytes,
        )  # fmt: skip
        return
    space = SPACES[request.kind]
    what = f"port {request.address:#x}"
    if space == "mmio":
        what = f"physical address {request.address:#x}"
    yield blocks("unclaimed", f"nobody is at {what}", address=request.address)
    yield from _beside(vm, vcpu, space, request.address)
    option = "--ports" if space == "port" else "--mmio"
    yield allows(
        "policy",
        f"what nobody claims is asked of the user; with {option} float a read gives "
        f"all ones and a write is lost",
    )


def _trap(vm: Vm, request: PendingRequest) -> Reason | None:
    space = SPACES.get(request.kind)
    if space is None:
        return None
    size = 1 if space == "msr" else request.bytes
    for trap in getattr(vm.traps, space):
        if hits([trap], request.address, size):
            text = f"the user asked for it ({trap.text}), whoever would serve it"
            return blocks("trap", text, number=trap.number, address=request.address)
    return None


def _without_emulation(vm: Vm, vcpu: Vcpu, request: PendingRequest) -> Reason:
    code = vcpu.vie.code.hex(" ") or "not fetched"
    asked = context.pending(vcpu.vie)
    assert asked is not None
    if vm.profile.vie_table == "bhyve":
        text = (
            f"[{code}] touches {request.address:#x}, and vie of profile "
            f"{vm.profile.name} has no such instruction (switch vie_table)"
        )
    else:
        text = (
            f"[{code}] touches {request.address:#x}, who is there refused it, and it "
            f"has no value that could be answered"
        )
    return blocks("no-emulation", text, address=request.address)


def _beside(vm: Vm, vcpu: Vcpu, space: str, address: int) -> Iterator[Reason]:
    """Yield what is nearest below and above."""
    there = sorted(_neighbours(vm, vcpu, space))
    below = [each for each in there if each.last < address]
    above = [each for each in there if each.first > address]
    for word, found in (("below", below[-1:]), ("above", above[:1])):
        for each in found:
            text = f"next {word} is the {each.name}, {each.first:#x} to {each.last:#x}"
            yield allows(word, text, each.name, first=each.first, last=each.last)


def _neighbours(vm: Vm, vcpu: Vcpu, space: str) -> Iterator[_Neighbour]:
    claims = vm.ports.claims() if space == "port" else vm.mmio.claims()
    for where, device in claims:
        yield _Neighbour(where.first, where.first + where.size - 1, device.name)
    if space == "mmio":
        for region in vm.memory.regions:
            yield _Neighbour(region.gpa, region.end - 1, region.name)
        page = apic_state.base(vcpu.apic)
        if apic_state.mode(vcpu.apic) == "xapic":
            yield _Neighbour(page, page + PAGE - 1, address_map.APIC)


def _instruction(machine: Machine, request: PendingRequest) -> Reason:
    rip = machine.vcpu(request.vcpu).regs.linear_rip
    lines = machine.disassemble(request.vcpu, count=1)
    what = "what is there cannot be read"
    if lines:
        what = f"{lines[0].mnemonic} {lines[0].operands}".strip()
    return allows("instruction", f"it is asked by {rip:#x}: {what}", rip=rip)
