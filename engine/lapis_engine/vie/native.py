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

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.fault import GuestFault
from lapis_engine.cpu.intercepts import Budget, Faulted, Hole
from lapis_engine.vie.context import ask_read, ask_write, fall_back
from lapis_engine.vie.fetch import PAGE
from lapis_engine.vie.repeat import Outcome, Result
from lapis_engine.vie.state import VR_DONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_engine.cpu.attempt import Touch
    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.protocols import Bus, Linear, Processor
    from lapis_engine.vie.state import VieState

HAS_ERROR_CODE: Final = frozenset({8, 10, 11, 12, 13, 14, 17, 21})
DEBUG: Final = 1
MOST_PAGES: Final = 8
"""Pages of devices that one instruction may touch; no instruction touches more."""
SIZES: Final = (8, 4, 2, 1)
_PENDING: Final = Outcome(Result.PENDING, 0)


class Piece(NamedTuple):
    """A part of an access that lies in one page."""

    gpa: int
    size: int
    """1, 2, 4 or 8."""
    write: bool
    value: int


class Missing(Exception):  # noqa: N818 - the user's turn, not an error
    """The user owes an answer."""


def perform(
    state: VieState, regs: Registers, linear: Linear, bus: Bus, processor: Processor
) -> Outcome:
    """Carry out the instruction at RIP, or one iteration of it.

    The state's `gpa` is in a page of a device. Raises `GuestFault`, with the state
    reset, when the processor faults.
    """
    _absorb(state)
    before = regs.context.state_bytes()
    rip = regs.rip
    try:
        _first_read(state, bus)
        while True:
            event, touches = processor.attempt(regs, _contents(state))
            if isinstance(event, Hole) and _grow(state, event):
                regs.context.load_bytes(before)
                continue
            if not _is_done(event):
                return _give_up(state, regs, event, before)
            if _read_missing(state, bus, _pieces(state, linear, touches)):
                regs.context.load_bytes(before)
                continue
            _write_all(state, bus, _pieces(state, linear, touches))
            break
    except Missing:
        regs.context.load_bytes(before)
        return _PENDING
    state.reset()
    if isinstance(event, Faulted):  # a single-step trap, after the instruction
        raise GuestFault(DEBUG)
    return Outcome(Result.REPEAT if regs.rip == rip else Result.DONE, 1)


def _absorb(state: VieState) -> None:
    """Take over what the user has answered since the last time."""
    read, write = state.read, state.write
    if read.state == VR_DONE:
        state.reads[read.gpa, read.bytes] = read.data
        read.clear()
    if write.state == VR_DONE:
        state.written.append((write.gpa, write.bytes))
        write.clear()


def _first_read(state: VieState, bus: Bus) -> None:
    """Get what the processor reported first.

    An instruction that also stores in memory, as PUSH does, must not run with
    anything else in its place.
    """
    if state.reported is not None and state.reported not in state.reads:
        _get(state, bus, *state.reported)


def _get(state: VieState, bus: Bus, gpa: int, size: int) -> None:
    value = bus.read(gpa, size)
    if value is None:
        ask_read(state, gpa, size)
        raise Missing
    state.reads[gpa, size] = value & ((1 << (8 * size)) - 1)


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


def _is_done(event: HwExit) -> bool:
    return isinstance(event, Budget) or (
        isinstance(event, Faulted) and event.vector == DEBUG
    )


def _give_up(state: VieState, regs: Registers, event: HwExit, before: bytes) -> Outcome:
    """End with the processor's fault, or with INST_EMUL for what else it reports."""
    regs.context.load_bytes(before)
    if not isinstance(event, Faulted):
        fall_back(state)
        return Outcome(Result.UNHANDLED, 0)
    state.reset()
    error = event.error if event.vector in HAS_ERROR_CODE else None
    raise GuestFault(event.vector, error, event.cr2)


def _pieces(
    state: VieState, linear: Linear, touches: Iterable[Touch]
) -> Iterator[Piece]:
    """Return the accesses to the lent pages, cut where a page ends."""
    for touch in touches:
        at, left, value = touch.linear, touch.size, touch.value
        whole = at % PAGE + left <= PAGE
        while left:
            size = left if whole else _aligned(at, left)
            gpa = linear.peek(at)
            if gpa is not None and gpa - gpa % PAGE in state.pages:
                mask = (1 << (8 * size)) - 1
                yield Piece(gpa, size, touch.write, value & mask)
            at, left, value = at + size, left - size, value >> (8 * size)


def _aligned(at: int, left: int) -> int:
    """Return the largest size that is aligned at `at` and fits in what is left."""
    return next(size for size in SIZES if size <= left and at % size == 0)


def _read_missing(state: VieState, bus: Bus, pieces: Iterable[Piece]) -> bool:
    """Get the first read that is not known yet; tell whether there was one."""
    for piece in pieces:
        if not piece.write and (piece.gpa, piece.size) not in state.reads:
            _get(state, bus, piece.gpa, piece.size)
            return True
    return False


def _write_all(state: VieState, bus: Bus, pieces: Iterable[Piece]) -> None:
    """Hand out the writes in order, each once."""
    writes = [piece for piece in pieces if piece.write]
    for piece in writes[len(state.written) :]:
        if not bus.write(piece.gpa, piece.size, piece.value):
            ask_write(state, piece.gpa, piece.size, piece.value)
            raise Missing
        state.written.append((piece.gpa, piece.size))


def start(state: VieState, gpa: int, size: int, *, read: bool) -> None:
    """Prepare `state` for an instruction whose first access to a device is known."""
    page = gpa - gpa % PAGE
    state.pages = (page,)
    fits = size in SIZES and gpa + size <= page + PAGE
    state.reported = (gpa, size) if read and fits else None
