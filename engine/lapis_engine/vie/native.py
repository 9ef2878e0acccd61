"""Any instruction on a device, carried out by the processor itself.

The processor is given a page of memory in the device's place (`cpu.attempt`) and tells
what it read and wrote there. Reads are then got from the device or from the user, and
the instruction is done over with them, until nothing is missing; writes go out last.
What it does to registers and flags is therefore what the processor does.

Why not our own execution unit for everything: this one covers what the processor
knows, locks, SSE and x87 among them, in a tenth of the code, and cannot disagree with
it. It costs 0.1 ms, five times a move of `execute`, which the moves keep. That it is
the same as on memory is tested at random (`tests/fuzz`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import HAS_ERROR_CODE, GuestFault
from lapis_engine.cpu.intercepts import Budget, Faulted, Hole
from lapis_engine.cpu.loan import SIZES
from lapis_engine.cpu.registers import CR0_PE, VM
from lapis_engine.units import PAGE
from lapis_engine.vie.checks import Operand, check, is_aligned_mode, is_writable
from lapis_engine.vie.pending import fall_back
from lapis_engine.vie.pieces import (
    Missing,
    absorb,
    read_device,
    write_devices,
)
from lapis_engine.vie.prefixes import read_prefixes
from lapis_engine.vie.reach import exact_vector
from lapis_engine.vie.repeat import Progress, Result
from lapis_engine.vie.state import Kept
from lapis_engine.vie.updates import exact_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.loan import Touch
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.state import VieState
    from lapis_engine.vie.world import Lender, MmioBus

    Operands = Sequence[tuple[Operand, int]]

FAR_RETURNS: Final = frozenset({0xCA, 0xCB})
LARGEST: Final = 512
"""Bytes of the largest operand that is made of more than one access, FXSAVE's."""
MOST_PAGES: Final = 8
"""Pages of devices that one instruction may touch; no instruction touches more."""
_PENDING: Final = Progress(Result.PENDING, 0)


def perform(
    state: VieState, regs: Registers, bus: MmioBus, processor: Lender
) -> Progress:
    """Carry out the instruction at RIP, or one iteration of it.

    The state's `gpa` is in a page of a device. Raises `GuestFault`, with the state
    reset, when the processor faults.
    """
    if _is_lost(regs, state.code):
        fall_back(state)
        return Progress(Result.UNHANDLED, 0)
    absorb(state)
    before = regs.context.state_bytes()
    rip = regs.rip
    try:
        if state.kept is not None and state.kept.before == before:
            write_devices(state, bus, state.kept.writes)
            regs.context.load_bytes(state.kept.after)
            done = True
        else:
            operands = _operands(regs, processor, state)
            _first_read(state, regs, bus, operands)
            done = _attempt(state, regs, bus, processor, operands)
    except Missing:
        return _PENDING
    except GuestFault:
        state.reset()
        raise
    if not done:
        fall_back(state)
        return Progress(Result.UNHANDLED, 0)
    state.reset()
    return Progress(Result.REPEAT if regs.rip == rip else Result.DONE, 1)


def _is_lost(regs: Registers, code: bytes) -> bool:
    """Tell whether the processor underneath would lose its place.

    # Not modelled: RETF in real and virtual-8086 mode from a stack that is a device. It
    sets RIP and then reads the new CS, and a read that is watched puts RIP back.
    """
    if regs.cr0 & CR0_PE and not regs.rflags & VM:
        return False
    try:
        at = read_prefixes(code, regs.code_bits)
    except IndexError:
        return False
    return code[at.pos] in FAR_RETURNS


def _attempt(
    state: VieState,
    regs: Registers,
    bus: MmioBus,
    processor: Lender,
    operands: Operands,
) -> bool:
    """Try until nothing is missing; tell whether it is done, or INST_EMUL is owed.

    Whatever an attempt has done is undone unless it is the last one.
    """
    before = regs.context.state_bytes()
    done = None
    while done is None:
        done = _once(state, regs, bus, processor, operands, before)
    return done


def _once(
    state: VieState,
    regs: Registers,
    bus: MmioBus,
    processor: Lender,
    operands: Operands,
    before: bytes,
) -> bool | None:
    """Try once; tell as `_attempt` does, or None when more is known than before."""
    event, loan = processor.attempt(regs, _contents(state), state.code)
    done = False
    try:
        if operands:
            after = regs.context.state_bytes()
            regs.context.load_bytes(before)  # it may have loaded a segment
            _check_all(regs, operands, loan.accesses)
            regs.context.load_bytes(after)
        if _read_missing(state, bus, loan.touches):
            return None  # before a fault too, which what was read may decide
        if isinstance(event, Hole) and _grow(state, event):
            return None
        if not isinstance(event, Budget):
            _give_up(regs, state.code, event)
            return False
        writes = [(t.gpa, t.size, t.value) for t in loan.touches if t.write]
        if not loan.elsewhere:
            state.kept = Kept(before, regs.context.state_bytes(), writes)
        write_devices(state, bus, writes)
        done = True
        return True
    finally:
        if not done:
            regs.context.load_bytes(before)
            processor.undo(loan.before)


def _operands(regs: Registers, processor: Lender, state: VieState) -> Operands:
    """Return the operands to check; the processor itself sees to canonical ones."""
    if regs.code_bits == 64 and not is_aligned_mode(regs):
        return ()
    return processor.operands(regs, state.code)


def _check_all(
    regs: Registers, operands: Operands, accesses: Iterable[tuple[int, int, bool]]
) -> None:
    """Raise the fault of the first access that its segment forbids."""
    for gpa, size, write in accesses:
        operand = _operand_at(operands, gpa)
        if operand is not None:
            check(regs, operand, size, write=write)


def _operand_at(operands: Operands, gpa: int) -> Operand | None:
    for (segment, offset), begin in operands:
        if 0 <= gpa - begin < LARGEST:
            return Operand(segment, offset + gpa - begin)
    return None


def _first_read(
    state: VieState, regs: Registers, bus: MmioBus, operands: Operands
) -> None:
    """Get what the processor reported first.

    An instruction that also stores in memory, as PUSH does, must not run with
    anything else in its place.
    """
    if state.reported is None:
        return
    gpa, size = state.reported
    operand = _operand_at(operands, gpa)
    if operand is not None:
        check(regs, operand, size, write=False)
        if not is_writable(regs, operand):
            return  # a write that follows would fault before anything is read
    read_device(state, bus, gpa, size)


def _contents(state: VieState) -> dict[int, bytes]:
    """Return the pages to lend, with what is known of them."""
    pages = {page: bytearray(PAGE) for page in state.pages}
    for (gpa, size), value in state.reads.items():
        at = gpa % PAGE
        pages[gpa - at][at : at + size] = value.to_bytes(size, "little")
    return {page: bytes(content) for page, content in pages.items()}


def _grow(state: VieState, hole: Hole) -> bool:
    """Lend one more page; tell whether that is possible."""
    page = hole.gpa - hole.gpa % PAGE
    if hole.access == "fetch" or page in state.pages or len(state.pages) >= MOST_PAGES:
        return False
    state.pages = (*state.pages, page)
    return True


def _give_up(regs: Registers, code: bytes, event: HwExit) -> None:
    """Raise the processor's fault; anything else it reports is INST_EMUL."""
    if not isinstance(event, Faulted):
        return
    error = None
    if event.vector in HAS_ERROR_CODE:
        error = exact_error(regs, code, event.vector, event.error, event.cr2)
    vector = exact_vector(regs, code, event.vector, error)
    raise GuestFault(vector, error, event.cr2)


def _read_missing(state: VieState, bus: MmioBus, touches: Iterable[Touch]) -> bool:
    """Get the first read that is not known yet; tell whether there was one."""
    for touch in touches:
        if not touch.write and (touch.gpa, touch.size) not in state.reads:
            read_device(state, bus, touch.gpa, touch.size)
            return True
    return False


def start(state: VieState, gpa: int, size: int, *, read: bool) -> None:
    """Prepare `state` for an instruction whose first access to a device is known."""
    page = gpa - gpa % PAGE
    state.pages = (page,)
    fits = size in SIZES and gpa + size <= page + PAGE
    state.reported = (gpa, size) if read and fits else None
