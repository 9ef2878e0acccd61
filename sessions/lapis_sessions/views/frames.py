"""Who called whom: the frames of a vCPU, by call frame information or frame pointers.

Where loaded symbols describe frames that is taken at its word. Elsewhere frame pointers
and what lies on the stack must do.

A return address is taken for one when the instruction before it is a CALL, and an
interrupt's frame when its CS, flags and RIP can be such. Nothing is touched, and a
stack that leads in circles or nowhere ends the list with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import UNSET, UnsetType

from lapis_engine.errors import LapisError
from lapis_engine.why.tables import gdt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.session import Session
    from lapis_sessions.symbols.cfi import FrameRow

FEWEST_CALL, MOST_CALL = 2, 8
"""Bytes of a CALL, prefixes and all."""
CODE: Final = 0x18
"""S and bit 3 of the type: descriptors of code have both."""
FLAGS_ONE, FLAGS_ZERO = 0x2, 0x8028
"""Bits of RFLAGS that are always 1, and always 0."""


POINTERS: Final = {32: (4, 5), 64: (7, 6)}
"""What DWARF calls RSP and RBP, by the bits of the code."""


@dataclass(frozen=True, slots=True)
class FrameView:
    """One frame, the innermost first."""

    number: int
    linear: int
    """Where it goes on."""
    how: str
    """current, call or interrupt: what left it for the frame before."""
    stack: int
    """RSP when it goes on, as a linear address."""
    symbol: str | UnsetType = UNSET
    source: str | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class BacktraceView:
    """The frames of a vCPU."""

    vcpu: int
    frames: tuple[FrameView, ...]
    ends: str
    """Code: outermost, unmapped, loop, no-return or most."""
    text: str
    """The same in words."""


class _At(NamedTuple):
    """Where a frame goes on, and what its registers were."""

    linear: int
    stack: int
    frame: int
    """RBP."""
    how: str


class _EndError(Exception):
    """There are no more frames that can be told; why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def of(session: Session, number: int, most: int) -> BacktraceView:
    """Return at most `most` frames of a vCPU; raise `EngineError` without such one."""
    stack = _Stack(session, number)
    places = session.symbols.places
    frames: list[FrameView] = []
    code, text = "most", f"{most} frames are shown"
    try:
        for at in stack.frames():
            near, line = places.near(at.linear), places.line(at.linear)
            frames.append(
                FrameView(
                    len(frames), at.linear, at.how, at.stack, near or UNSET,
                    line or UNSET,
                )
            )  # fmt: skip
            if len(frames) == most:
                break
    except _EndError as end:
        code, text = end.code, str(end)
    return BacktraceView(number, tuple(frames), code, text)


class _Stack:
    """The stack of a vCPU."""

    def __init__(self, session: Session, number: int) -> None:
        self._session, self._number = session, number
        self._regs = session.machine.vcpu(number).regs
        self._bits = self._regs.code_bits
        self._word = self._bits // 8
        self._code = {
            each.number
            for each in gdt(session.machine, number).entries
            if each.present and each.raw >> 40 & CODE == CODE
        }

    def frames(self) -> Iterator[_At]:
        """Yield frames until one cannot be told; raise `_EndError`."""
        regs = self._regs
        at = _At(regs.linear_rip, regs.linear_rsp, regs.gpr[5], "current")
        yield at
        while True:
            at = self._caller(at)
            yield at

    def _caller(self, at: _At) -> _At:
        """Return who goes on when this frame is left."""
        described = self._described(at)
        if described is not None:
            return described
        if at.how != "call":
            # It may be anywhere in its function, also before there is a frame.
            early = self._without_frame(at)
            found = None if early is None else self._left(*early)
            # RBP in a handler without a frame is that of what was interrupted.
            found = found or self._trapped(at.stack, at.frame)
            if found is not None:
                return found
        framed = self._framed(at)
        found = None if framed is None else self._left(*framed)
        if found is None and at.how != "call":
            found = self._left(at.stack, at.frame)
        if found is not None:
            return found
        if not at.frame & self._mask:
            raise _EndError("outermost", "the frame pointer is 0: there is no more")
        if framed is None:
            where = self._linear(at.frame)
            raise _EndError("unmapped", f"the frame at {where:#x} is in no memory")
        raise _EndError(
            "no-return",
            f"what is at {framed[0]:#x} returns to nowhere: no CALL is before it, and "
            "it is no interrupt's frame",
        )

    def _described(self, at: _At) -> _At | None:
        """Return what call frame information says, or None where there is none."""
        if self._bits not in POINTERS:
            return None
        # Behind a CALL that never returns there may be another function.
        inside = at.linear - 1 if at.how == "call" else at.linear
        row = self._session.symbols.frame(inside)
        top, pointer = POINTERS[self._bits]
        if row is None or row.cfa[0] not in {top, pointer}:
            return None
        cfa = (at.stack if row.cfa[0] == top else at.frame) + row.cfa[1] & self._mask
        back = self._register(row, row.return_register, cfa, None)
        if row.rules.get(row.return_register, ("", 0))[0] == "undefined":
            raise _EndError("outermost", "its call frame information has no caller")
        stack = self._register(row, top, cfa, cfa)
        frame = self._register(row, pointer, cfa, at.frame)
        if back is None or stack is None or frame is None:
            return None
        if not back:
            raise _EndError("outermost", "its return address is 0: there is no more")
        if stack <= at.stack:
            raise _EndError("loop", f"its frame leads to {stack:#x}, not above it")
        return _At(back, stack, frame, "interrupt" if row.is_signal else "call")

    def _register(
        self, row: FrameRow, number: int, cfa: int, same: int | None
    ) -> int | None:
        kind, offset = row.rules.get(number, ("same", 0))
        match kind:
            case "offset":
                return self._read(cfa + offset & self._mask)
            case "value":
                return cfa + offset & self._mask
            case _:
                return same

    @property
    def _mask(self) -> int:
        return (1 << self._bits) - 1

    def _linear(self, offset: int) -> int:
        """Return the linear address of an offset in the stack segment."""
        if self._bits == 64:
            return offset
        return self._regs.segment(2).base + (offset & self._mask) & 0xFFFF_FFFF

    def _read(self, linear: int) -> int | None:
        try:
            data = self._session.machine.read_memory(self._number, linear, self._word)
        except LapisError:
            return None
        return int.from_bytes(data, "little")

    def _without_frame(self, at: _At) -> tuple[int, int] | None:
        """Return where the return address is, and RBP then, at both ends of a function.

        That is before `push rbp`, between that and `mov rbp, rsp`, and at the RET.
        """
        lines = self._session.machine.disassemble(self._number, at.linear, 1)
        if not lines:
            return None
        mnemonic, operands = lines[0].mnemonic, lines[0].operands
        pointer, top = {
            16: ("bp", "sp"), 32: ("ebp", "esp"), 64: ("rbp", "rsp"),
        }[self._bits]  # fmt: skip
        if mnemonic.startswith(("ret", "iret")):
            return at.stack, at.frame
        if (mnemonic, operands) == ("push", pointer):
            return at.stack, at.frame
        if (mnemonic, operands) == ("mov", f"{pointer}, {top}"):
            saved = self._read(at.stack)
            return None if saved is None else (at.stack + self._word, saved)
        return None

    def _framed(self, at: _At) -> tuple[int, int] | None:
        """Return where RBP says that the return address is, and the RBP saved there."""
        if not at.frame & self._mask:
            return None
        frame = self._linear(at.frame)
        saved = self._read(frame)
        if saved is None:
            return None
        is_up = not saved & self._mask or self._linear(saved) > frame
        if not is_up and self._returned(frame + self._word, saved) is not None:
            raise _EndError(
                "loop",
                f"the frame at {frame:#x} leads to {self._linear(saved):#x}, which is "
                "not above it",
            )
        return frame + self._word, saved

    def _left(self, where: int, frame: int) -> _At | None:
        """Return the frame that goes on at what is on the stack at `where`, if any."""
        return self._returned(where, frame) or self._trapped(where, frame)

    def _trapped(self, where: int, frame: int) -> _At | None:
        # There may be an error code before it.
        return self._interrupted(where, frame) or self._interrupted(
            where + self._word, frame
        )

    def _returned(self, where: int, frame: int) -> _At | None:
        value = self._read(where)
        if value is None:
            return None
        linear = value
        if self._bits != 64:
            linear = self._regs.segment(1).base + value & 0xFFFF_FFFF
        if not self._is_behind_call(linear):
            return None
        return _At(linear, where + self._word, frame, "call")

    def _is_behind_call(self, linear: int) -> bool:
        machine = self._session.machine
        for size in range(FEWEST_CALL, MOST_CALL + 1):
            if linear < size:
                continue
            line = next(iter(machine.disassemble(self._number, linear - size, 1)), None)
            is_call = line is not None and line.mnemonic in {"call", "lcall"}
            if line is not None and is_call and len(line.code) == size:
                return True
        return False

    def _interrupted(self, where: int, frame: int) -> _At | None:
        """Return the frame that an interrupt's frame at `where` goes back to."""
        word = self._word
        rip, cs, flags = (self._read(where + n * word) for n in range(3))
        if rip is None or cs is None or flags is None:
            return None
        if flags & FLAGS_ONE != FLAGS_ONE or flags & FLAGS_ZERO or flags >> 22:
            return None
        stack = where + 3 * word
        if self._regs.mode == "real":
            linear = (cs << 4) + rip
        else:
            if cs > 0xFFFF or cs & ~7 not in self._code or cs & 4:
                return None
            linear = rip
            if self._bits == 64 or cs & 3 > self._regs.cpl:
                above = self._read(stack)
                if above is None:
                    return None
                stack = above
        if not self._session.machine.disassemble(self._number, linear, 1):
            return None
        return _At(linear, stack, frame, "interrupt")


def text(view: BacktraceView) -> str:
    """Return a line for each frame, and why there is no more."""
    rows = []
    for row in view.frames:
        name = "" if row.symbol is UNSET else f"  {row.symbol}"
        source = "" if row.source is UNSET else f"  {row.source}"
        left = "  <- interrupted" if row.how == "interrupt" else ""
        rows.append(f"#{row.number:<3} {row.linear:#x}{name}{source}{left}")
    return "\n".join([*rows, f"({view.text})"])
