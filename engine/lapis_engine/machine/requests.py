"""Requests that wait for the user, and the ways in which each can be settled.

Whatever is refused leaves the request pending, and says which one it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import PF_U, PF_W
from lapis_engine.cpu.registers import RAX, RDX
from lapis_engine.errors import EntryError
from lapis_engine.units import PAGE
from lapis_engine.vie import pending as context
from lapis_engine.vie import reach
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import emulation, handlers
from lapis_engine.vmm.bus import untrapped
from lapis_engine.vmm.entry import (
    DiscardInstr,
    Entry,
    FulfillInout,
    FulfillMmio,
    FulfillMsr,
    InjectFault,
    answered,
    request_parts,
)
from lapis_engine.vmm.run import run
from lapis_engine.vmm.vm import Run

if TYPE_CHECKING:
    from lapis_engine.vmm.bus import Bus
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

FAULTS: Final = {
    "de": 0, "db": 1, "br": 5, "ud": 6, "nm": 7, "df": 8, "ts": 10, "np": 11,
    "ss": 12, "gp": 13, "pf": 14, "mf": 16, "ac": 17, "mc": 18, "xm": 19,
}  # fmt: skip
"""Exceptions that are reported with RIP on the instruction, by mnemonic."""
HAS_ERROR: Final = frozenset({8, 10, 11, 12, 13, 14, 17})
"""Those of them with an error code (SDM Vol. 3A "Exceptions and Interrupts")."""
PF: Final = 14
MOST_ERROR: Final = 0xFFFF_FFFF
MOST_ADDRESS: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request that waits for an answer."""

    vcpu: int
    kind: str
    """mmio, inout, msr, or inst-emul, which has no value to be answered with."""
    read: bool
    address: int
    """Guest-physical address, port, or number of the MSR."""
    bytes: int
    data: int
    """What is written; 0 for a read."""

    @property
    def text(self) -> str:
        """The request in words."""
        what = "" if self.read else f" = {self.data:#x}"
        match self.kind:
            case "mmio":
                verb = "read" if self.read else "write"
                return f"{verb} of {self.bytes} bytes at {self.address:#x}{what}"
            case "inout":
                verb = "IN from" if self.read else "OUT to"
                return f"{verb} port {self.address:#x}, {self.bytes} bytes{what}"
            case "msr":
                verb = "RDMSR" if self.read else "WRMSR"
                return f"{verb} {self.address:#x}{what}"
            case _:
                return f"instruction without emulation on {self.address:#x}"


def pending(vm: Vm) -> list[PendingRequest]:
    """Return what waits for an answer, by vCPU."""
    found = []
    for vcpu in vm.vcpus:
        request = context.pending(vcpu.vie)
        if request is not None:
            found.append(PendingRequest(vcpu.id, *request_parts(request)))
    return found


def pending_on(vcpu: Vcpu) -> PendingRequest:
    """Return the request of a vCPU; raise `EntryError` when it has none."""
    request = context.pending(vcpu.vie)
    if request is None:
        raise EntryError("EINVAL", f"vCPU {vcpu.id} has no pending request")
    return PendingRequest(vcpu.id, *request_parts(request))


def _enter(vm: Vm, vcpu: Vcpu, entry: Entry, by: str) -> None:
    run(vm, vcpu, entry, 0, by=by)


def answer(vm: Vm, vcpu: Vcpu, value: int, by: str) -> None:
    """Fulfil a request; for a write `value` is not used.

    Raises `EntryError` when there is none, or `value` does not fit in it.
    """
    request = pending_on(vcpu)
    if not 0 <= value < 1 << (8 * request.bytes):
        raise EntryError(
            "EINVAL",
            f"{value:#x} does not fit in {request.bytes} bytes: {_waits(request)}",
        )
    _enter(vm, vcpu, _fulfilment(request, value), by)


def _waits(request: PendingRequest) -> str:
    return f"vCPU {request.vcpu} waits in a {request.text}"


def _fulfilment(request: PendingRequest, value: int) -> Entry:
    where = request.address, request.bytes, request.read, value
    match request.kind:
        case "mmio":
            return FulfillMmio(*where)
        case "inout":
            return FulfillInout(*where)
        case "msr":
            return FulfillMsr(request.address, request.read, value)
        case _:
            raise EntryError(
                "EINVAL",
                f"there is no value to answer with, only discard or a fault: "
                f"{_waits(request)}",
            )


def discard(vm: Vm, vcpu: Vcpu, by: str) -> None:
    """Forget the instruction that waits; it runs again from RIP."""
    pending_on(vcpu)
    _enter(vm, vcpu, DiscardInstr(), by)


# A fault for an answer.


def fault(
    vm: Vm, vcpu: Vcpu, name: str, error: int | None, address: int | None, by: str
) -> None:
    """Raise an exception in the instruction that waits, with RIP on it.

    `name` is one of `FAULTS`; `address` is CR2 of a #PF. Without an error code it is 0,
    and of a #PF that of a page that is not present. Raises `EntryError`.
    """
    request = pending_on(vcpu)
    vector = FAULTS.get(name)
    if vector is None:
        known = ", ".join(FAULTS)
        raise EntryError("EINVAL", f"there is no fault {name[:20]!r}: {known}")
    if error is not None and (vector not in HAS_ERROR or not 0 <= error <= MOST_ERROR):
        why = "32 bits" if vector in HAS_ERROR else "none"
        raise EntryError(
            "EINVAL", f"error code {error:#x}: that of #{name.upper()} is {why}"
        )
    if address is not None and (vector != PF or not 0 <= address <= MOST_ADDRESS):
        raise EntryError(
            "EINVAL", f"address {address:#x}: only #PF has one, of 64 bits"
        )
    code = _error(vcpu, request, vector) if error is None else error
    cr2 = _cr2(vcpu, request, address) if vector == PF else 0
    _enter(vm, vcpu, InjectFault(vector, code, cr2), by)


def _error(vcpu: Vcpu, request: PendingRequest, vector: int) -> int | None:
    if vector not in HAS_ERROR:
        return None
    if vector != PF:
        return 0
    writes = request.kind == "mmio" and not request.read
    return (PF_W if writes else 0) | (PF_U if vcpu.regs.cpl == 3 else 0)


def _cr2(vcpu: Vcpu, request: PendingRequest, address: int | None) -> int:
    """Return the linear address given, or the one that leads to the request's."""
    if address is not None:
        return address
    if request.kind == "mmio":
        wanted = request.address - request.address % PAGE
        for linear in reach.addresses(vcpu.regs, vcpu.vie.code):
            gpa = vcpu.linear.peek(linear)
            if gpa is not None and gpa - gpa % PAGE == wanted:
                return linear - linear % PAGE + request.address % PAGE
    raise EntryError(
        "EINVAL", f"a #PF needs the linear address for CR2: {_waits(request)}"
    )


# The engine's own device for an answer.


def by_device(vm: Vm, vcpu: Vcpu, by: str) -> int:
    """Let the device that the engine has there answer, past all traps.

    Returns what was read, or written; 0 for a RDMSR that came to #GP.
    Raises `EntryError` when there is no such device, or it refuses.
    """
    request = pending_on(vcpu)
    if vm.suspended is not None:
        raise EntryError("EINVAL", f"the machine is suspended ({vm.suspended.how})")
    vm.attention.forget_stop()
    vm.entered = vcpu.id
    try:
        # Not by `run.run`: the device may have suspended the machine by now. And with
        # a budget of nothing, as an answer of the user's has: one REP iteration.
        return _by_device(Run(vm, vcpu), request, by)
    finally:
        vm.entered = None


def _by_device(run: Run, request: PendingRequest, by: str) -> int:
    if request.kind == "msr":
        return _msr_by_engine(run, request, by)
    value = _at_device(run.vm, run.vcpu, request)
    emulation.enter(run, _fulfilment(request, value), by)
    return value


def _at_device(vm: Vm, vcpu: Vcpu, request: PendingRequest) -> int:
    """Make the access past all traps, which hold again for what comes after it."""
    try:
        value = _access(untrapped(vm, vcpu, "normal"), request)
    except HandlerRefused as refused:
        raise EntryError(
            "EINVAL", f"the device refused ({refused}): {_waits(request)}"
        ) from None
    if value is None:
        raise EntryError("EINVAL", f"the engine has no device there: {_waits(request)}")
    return value & ((1 << (8 * request.bytes)) - 1)


def _access(bus: Bus, request: PendingRequest) -> int | None:
    """Return what was read or written, or None when nobody is there."""
    at, size, data = request.address, request.bytes, request.data
    match request.kind:
        case "mmio" if request.read:
            return bus.read(at, size)
        case "mmio":
            return data if bus.write(at, size, data) else None
        case "inout" if request.read:
            return bus.port_in(at, size)
        case "inout":
            return data if bus.port_out(at, size, data) else None
        case _:
            return None


def _msr_by_engine(run: Run, request: PendingRequest, by: str) -> int:
    vcpu = run.vcpu
    asked, at, value = context.pending(vcpu.vie), request.address, request.data
    context.discard(vcpu.vie)
    handlers.serve_msr(run, at, None if request.read else value)
    fault = vcpu.event
    if request.read and fault is None:
        gpr = vcpu.regs.gpr
        value = gpr[RDX] << 32 | gpr[RAX]
    told: FulfillMsr | InjectFault = FulfillMsr(at, request.read, value)
    if fault is not None:
        told = InjectFault(fault.vector, fault.error)
    run.vm.note(answered(vcpu.id, asked, told, by))
    return value
