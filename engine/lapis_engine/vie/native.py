"""Any instruction on a device, carried out by the processor itself.

The processor is given a page of memory in the device's place (`cpu.attempt`) and tells
what it read and wrote there. Reads are then got from the device or from the user, and
the instruction is done over with them, until nothing is missing; writes go out last.
What it does to registers and flags is therefore what the processor does.

Why not our own execution unit for everything: this one covers what the processor
knows, locks, SSE and x87 among them, in a tenth of the code, and cannot disagree with
it. It costs about five times a move of `execute`, which the moves keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.intercepts import Budget, Faulted, Hole
from lapis_engine.vie.context import fall_back
from lapis_engine.vie.fetch import PAGE
from lapis_engine.vie.pieces import (
    SIZES,
    Missing,
    absorb,
    read_device,
    write_devices,
)
from lapis_engine.vie.repeat import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_engine.cpu.attempt import Touch
    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.protocols import Bus, Processor
    from lapis_engine.vie.state import VieState

HAS_ERROR_CODE: Final = frozenset({8, 10, 11, 12, 13, 14, 17, 21})
MOST_PAGES: Final = 8
"""Pages of devices that one instruction may touch; no instruction touches more."""
_PENDING: Final = Outcome(Result.PENDING, 0)


def perform(
    state: VieState, regs: Registers, bus: Bus, processor: Processor
) -> Outcome:
    """Carry out the instruction at RIP, or one iteration of it.

    The state's `gpa` is in a page of a device. Raises `GuestFault`, with the state
    reset, when the processor faults.
    """
    absorb(state)
    before = regs.context.state_bytes()
    rip = regs.rip
    try:
        _first_read(state, bus)
        done = _attempt(state, regs, bus, processor, before)
    except Missing:
        return _PENDING
    if not done:
        fall_back(state)
        return Outcome(Result.UNHANDLED, 0)
    state.reset()
    return Outcome(Result.REPEAT if regs.rip == rip else Result.DONE, 1)


def _attempt(
    state: VieState, regs: Registers, bus: Bus, processor: Processor, before: bytes
) -> bool:
    """Try until nothing is missing; tell whether it is done, or INST_EMUL is owed.

    Whatever an attempt has done is undone unless it is the last one.
    """
    while True:
        event, loan = processor.attempt(regs, _contents(state), state.code)
        done = False
        try:
            if _read_missing(state, bus, loan.touches):
                continue  # before a fault too, which what was read may decide
            if isinstance(event, Hole) and _grow(state, event):
                continue
            if not isinstance(event, Budget):
                _give_up(state, event)
                return False
            writes = [(t.gpa, t.size, t.value) for t in loan.touches if t.write]
            write_devices(state, bus, writes)
            done = True
            return True
        finally:
            if not done:
                regs.context.load_bytes(before)
                processor.undo(loan.before)


def _first_read(state: VieState, bus: Bus) -> None:
    """Get what the processor reported first.

    An instruction that also stores in memory, as PUSH does, must not run with
    anything else in its place.
    """
    if state.reported is not None:
        read_device(state, bus, *state.reported)


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


def _give_up(state: VieState, event: HwExit) -> None:
    """Raise the processor's fault; anything else it reports is INST_EMUL."""
    if not isinstance(event, Faulted):
        return
    state.reset()
    error = event.error if event.vector in HAS_ERROR_CODE else None
    raise GuestFault(event.vector, error, event.cr2)


def _read_missing(state: VieState, bus: Bus, touches: Iterable[Touch]) -> bool:
    """Get the first read that is not known yet; tell whether there was one."""
    for touch in touches:
        if not touch.write and (touch.gpa, touch.size) not in state.reads:
            read_device(state, bus, touch.gpa, touch.size)
            return True
    return False


def start(state: VieState, gpa: int, size: int, *, read: bool) -> None:
    """Prepare `state` for an instruction whose first access to a device is known.

    What is reported at the start of a page may be the second half of an access that
    began in memory.
    """
    page = gpa - gpa % PAGE
    state.pages = (page,)
    fits = size in SIZES and page < gpa and gpa + size <= page + PAGE
    state.reported = (gpa, size) if read and fits else None
