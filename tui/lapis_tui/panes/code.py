"""Disassembly of one vCPU as a block of lines: `>` at RIP, `*` at a breakpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_tui.lines import Line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lapis_engine.cpu.disasm import Line as Instruction

BYTES_FROM = 56
"""Cells from which the bytes of an instruction are shown."""
SHOWN_BYTES = 7
_TARGET = re.compile(r"^0x([0-9a-f]+)$")
_SIZES = re.compile(r"\b(byte|word|dword|qword|xmmword) ptr ")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an instruction is shown in the light of."""

    rip: int
    """Linear address of the next instruction."""
    breakpoints: Collection[int]
    symbols: Mapping[int, str]
    """Names by linear address."""
    cursor: int | None = None
    """Linear address of the line that a key would act on."""


def render(
    instructions: Sequence[Instruction], width: int, around: Surroundings
) -> list[Line]:
    """Return one line an instruction, `width` cells wide."""
    return [_instruction(item, width, around) for item in instructions]


def _instruction(item: Instruction, width: int, around: Surroundings) -> Line:
    here = item.linear == around.rip
    line = Line(">" if here else " ", "title")
    line.add("*" if item.linear in around.breakpoints else " ", "bad")
    digits = 8 if item.linear < 1 << 32 else 16
    line.add(f"{item.linear:0{digits}x} ", "address")
    if width >= BYTES_FROM:
        code = item.code.hex()
        more = len(item.code) > SHOWN_BYTES
        text = code[: 2 * SHOWN_BYTES] + ("+" if more else " ")
        line.add(f"{text:<{2 * SHOWN_BYTES + 2}}", "dim")
    line.add(f"{item.mnemonic} ".ljust(7), "mnemonic")
    line.add(_SIZES.sub(r"\1 ", item.operands))
    _note(line, item, width, around.symbols)
    line = line.fit(width)
    if item.linear == around.cursor:
        line.role = "cursor"
    elif here:
        line.role = "here"
    return line


def _note(
    line: Line, item: Instruction, width: int, symbols: Mapping[int, str]
) -> None:
    """Put the name of this place, or of the one it refers to, at the right edge."""
    name = symbols.get(item.linear)
    target = _TARGET.match(item.operands)
    if name:
        text, role = f"{name}:", "symbol"
    elif target and int(target[1], 16) in symbols:
        text, role = symbols[int(target[1], 16)], "dim"
    else:
        return
    room = width - line.width - 2
    if room >= min(len(text), 6):
        line.pad(width - min(len(text), room) - 1).add(text[:room], role)


def place(linear: int, symbols: Mapping[int, str], *, reach: int = 0x1000) -> str:
    """Return the nearest name at or below `linear` within `reach` bytes, or nothing.

    >>> place(0x1005, {0x1000: "start", 0x2000: "end"})
    'start+0x5'
    """
    below = max((at for at in symbols if linear - reach < at <= linear), default=None)
    if below is None:
        return ""
    offset = linear - below
    return symbols[below] + (f"+{offset:#x}" if offset else "")
