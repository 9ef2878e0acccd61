"""The request protocol: start an instruction, ask the user, take the answer.

The rules of bhyve's `vie_fulfill_mmio`, `vie_fulfill_inout`, `vie_exitinfo` and
`vie_reset`. A wrong answer moves nothing: the request stays pending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.errors import EntryError
from lapis_engine.vie.operands import SIZE_MASK
from lapis_engine.vie.request import InoutRequest, InstEmulRequest, MmioRequest
from lapis_engine.vie.state import (
    VIES_INIT,
    VIES_INOUT,
    VIES_INST_DECODE,
    VIES_INST_FETCH,
    VIES_MMIO,
    VIES_OTHER,
    VIES_PENDING,
    VIES_PENDING_INOUT,
    VIES_PENDING_MMIO,
    VIES_USER_FALLBACK,
    VR_DONE,
    VR_PENDING,
)

if TYPE_CHECKING:
    from lapis_engine.vie.instruction import Instruction, PortInstruction
    from lapis_engine.vie.request import MsrRequest, Request
    from lapis_engine.vie.state import MmioSlot, VieState
    from lapis_engine.vie.world import MmioBus, PortBus

_DECODED: Final = VIES_INIT | VIES_INST_FETCH | VIES_INST_DECODE
_READ: Final = "read"
_WRITE: Final = "write"


# Starting and ending.


def start_mmio(
    state: VieState, code: bytes, instruction: Instruction, gpa: int
) -> None:
    """Begin an instruction that touched `gpa` (bhyve `vie_init_mmio`)."""
    state.reset()
    state.status = _DECODED | VIES_MMIO
    state.code, state.instruction, state.gpa = code, instruction, gpa


def start_native(state: VieState, code: bytes, gpa: int) -> None:
    """Begin an instruction that the processor is to carry out (`native`)."""
    state.reset()
    state.status = _DECODED | VIES_MMIO
    state.code, state.gpa = code, gpa


def start_inout(state: VieState, code: bytes, instruction: PortInstruction) -> None:
    """Begin a port instruction (bhyve `vie_init_inout`)."""
    state.reset()
    state.status = _DECODED | VIES_INOUT
    state.code, state.port = code, instruction


def start_unknown(state: VieState, code: bytes, gpa: int) -> None:
    """Begin an instruction that `decode` does not know: INST_EMUL is owed."""
    state.reset()
    state.status = VIES_INIT | VIES_MMIO | VIES_INST_FETCH | VIES_USER_FALLBACK
    state.code, state.gpa = code, gpa


def fall_back(state: VieState) -> None:
    """Give the instruction up; INST_EMUL is owed (bhyve `vie_fallback_exitinfo`)."""
    state.clear_requests()
    state.status &= ~VIES_PENDING
    state.status |= VIES_USER_FALLBACK


def discard(state: VieState) -> None:
    """Forget the instruction and what it waits for (`VEC_DISCARD_INSTR`)."""
    state.reset()


# The user's side.


def pending(state: VieState) -> Request | None:
    """Return what the user owes an answer to (bhyve `vie_exitinfo`, in its order)."""
    status = state.status
    if not status & VIES_PENDING:
        return state.msr
    if status & VIES_USER_FALLBACK:
        return InstEmulRequest(state.code, state.gpa)
    if status & VIES_PENDING_MMIO:
        slot = state.read
        if slot.state == VR_PENDING:
            return MmioRequest(read=True, gpa=slot.gpa, bytes=slot.bytes)
        slot = state.write
        return MmioRequest(read=False, gpa=slot.gpa, bytes=slot.bytes, data=slot.data)
    port = state.inout
    return InoutRequest(port.port, port.bytes, port.read, port.data)


def fulfill_mmio(state: VieState, answer: MmioRequest) -> None:
    """Take the answer to a memory request (bhyve `vie_fulfill_mmio`).

    Of a read, `data` is cut to the size; of a write it is ignored. Run `emulate`
    again afterwards. Raises `EntryError` EINVAL with the request still pending.
    """
    if not (state.status & VIES_MMIO and state.status & VIES_PENDING_MMIO):
        raise EntryError("EINVAL", "no MMIO request is pending")
    slot = state.read if answer.read else state.write
    if slot.state != VR_PENDING:
        kind, other = (_READ, _WRITE) if answer.read else (_WRITE, _READ)
        raise EntryError("EINVAL", f"the pending request is a {other}, not a {kind}")
    _same("bytes", slot.bytes, answer.bytes, "d")
    _same("gpa", slot.gpa, answer.gpa, "#x")
    if answer.read:
        slot.data = answer.data & SIZE_MASK[slot.bytes]
    slot.state = VR_DONE
    state.status &= ~VIES_PENDING_MMIO


def fulfill_inout(state: VieState, answer: InoutRequest) -> None:
    """Take the answer to a port request (bhyve `vie_fulfill_inout`).

    Of IN, `eax` is cut to the size; of OUT it is ignored. Run `emulate_port` again
    afterwards. Raises `EntryError` EINVAL with the request still pending.
    """
    slot = state.inout
    if not (state.status & VIES_INOUT and state.status & VIES_PENDING_INOUT):
        raise EntryError("EINVAL", "no port request is pending")
    if slot.read != answer.read:
        kind, other = ("IN", "OUT") if answer.read else ("OUT", "IN")
        raise EntryError("EINVAL", f"the pending request is an {other}, not an {kind}")
    _same("bytes", slot.bytes, answer.bytes, "d")
    _same("port", slot.port, answer.port, "#x")
    if answer.read:
        slot.data = answer.eax & SIZE_MASK[slot.bytes]
    slot.state = VR_DONE
    state.status &= ~VIES_PENDING_INOUT


def start_msr(state: VieState, code: bytes, request: MsrRequest) -> None:
    """Begin a RDMSR or WRMSR that waits for the user; no device is asked."""
    state.reset()
    state.status = VIES_INIT | VIES_OTHER | VIES_INST_FETCH
    state.code, state.msr = code, request


def fulfill_msr(state: VieState, answer: MsrRequest) -> None:
    """Take the answer to a request for an MSR; the instruction is then done with.

    Raises `EntryError` EINVAL with the request still pending.
    """
    asked = state.msr
    if asked is None:
        raise EntryError("EINVAL", "no MSR request is pending")
    if asked.read != answer.read:
        kind, other = ("RDMSR", "WRMSR") if answer.read else ("WRMSR", "RDMSR")
        raise EntryError("EINVAL", f"the pending request is a {other}, not a {kind}")
    _same("msr", asked.msr, answer.msr, "#x")
    state.reset()


def _same(what: str, asked: int, answered: int, style: str) -> None:
    if asked != answered:
        raise EntryError(
            "EINVAL",
            f"the pending request has {what} {asked:{style}}, not {answered:{style}}",
        )


# The instruction's side.


def mmio_read(state: VieState, bus: MmioBus, gpa: int, size: int) -> int | None:
    """Read a device once an instruction; None when the user must answer.

    What a device of the engine answered is kept, so that its side effect is not
    repeated when a later access of the same instruction waits (bhyve `vie_mmio_read`).
    """
    slot = state.read
    if slot.state == VR_DONE and slot.gpa == gpa and slot.bytes == size:
        return slot.data
    value = bus.read(gpa, size)
    slot.gpa, slot.bytes = gpa, size
    if value is None:
        _ask(state, slot, 0)
        return None
    slot.data = value = value & SIZE_MASK[size]
    slot.state = VR_DONE
    return value


def mmio_write(state: VieState, bus: MmioBus, gpa: int, size: int, value: int) -> bool:
    """Write a device; False when the user must take it (bhyve `vie_mmio_write`)."""
    slot = state.write
    if slot.state == VR_DONE and slot.gpa == gpa and slot.bytes == size:
        return True
    if bus.write(gpa, size, value):
        return True
    slot.gpa, slot.bytes = gpa, size
    _ask(state, slot, value)
    return False


def ask_read(state: VieState, gpa: int, size: int) -> None:
    """Ask the user for a read of an instruction that the processor carries out."""
    state.read.gpa, state.read.bytes = gpa, size
    _ask(state, state.read, 0)


def ask_write(state: VieState, gpa: int, size: int, value: int) -> None:
    """Ask the user to take a write of such an instruction."""
    state.write.gpa, state.write.bytes = gpa, size
    _ask(state, state.write, value)


def _ask(state: VieState, slot: MmioSlot, data: int) -> None:
    slot.data, slot.state = data, VR_PENDING
    # INS and OUTS may ask for memory as well.
    state.status |= VIES_MMIO | VIES_PENDING_MMIO


def port_in(state: VieState, bus: PortBus, port: int, size: int) -> int | None:
    """Read a port; None when the user must answer."""
    slot = state.inout
    if slot.state == VR_DONE and slot.read and (slot.port, slot.bytes) == (port, size):
        return slot.data
    value = bus.port_in(port, size)
    if value is None:
        _ask_port(state, port, size, None)
        return None
    return value & SIZE_MASK[size]


def port_out(state: VieState, bus: PortBus, port: int, size: int, value: int) -> bool:
    """Write a port; False when the user must take it."""
    slot = state.inout
    done = slot.state == VR_DONE and not slot.read
    if done and (slot.port, slot.bytes) == (port, size):
        return True
    if bus.port_out(port, size, value):
        return True
    _ask_port(state, port, size, value)
    return False


def _ask_port(state: VieState, port: int, size: int, value: int | None) -> None:
    slot = state.inout
    slot.port, slot.bytes, slot.read = port, size, value is None
    slot.data, slot.state = value or 0, VR_PENDING
    state.status |= VIES_PENDING_INOUT
