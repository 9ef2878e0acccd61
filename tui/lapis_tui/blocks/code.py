"""Disassembly of one vCPU as a block of lines: `>` at RIP, `*` at a breakpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import ELLIPSIS, Line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lapis_engine.cpu.disasm import Line as Instruction

BYTES_FROM = 56
"""Cells from which the bytes of an instruction are shown."""
SHOWN_BYTES = 7
CURSOR = "\N{RIGHTWARDS ARROW}"
NARROW = 40
"""Cells below which an address has fewer zeros in front."""
_TARGET = re.compile(r"^0x([0-9a-f]+)$")
_REGISTER = re.compile(r"^[a-z][a-z0-9]+$")
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
    """Return one line per instruction, `width` cells wide."""
    return [_instruction(item, width, around) for item in instructions]


def _instruction(item: Instruction, width: int, around: Surroundings) -> Line:
    here, at_cursor = item.linear == around.rip, item.linear == around.cursor
    line = Line(">" if here else CURSOR if at_cursor else " ", "title")
    line.add("*" if item.linear in around.breakpoints else " ", "bad")
    digits = 6 if width < NARROW else 8
    digits = digits if item.linear < 1 << 4 * digits else 16
    line.add(f"{item.linear:0{digits}x} ", "address")
    if width >= BYTES_FROM:
        code = item.code.hex()
        more = len(item.code) > SHOWN_BYTES
        text = code[: 2 * SHOWN_BYTES] + ("+" if more else " ")
        line.add(f"{text:<{2 * SHOWN_BYTES + 2}}", "dim")
    line.add(f"{item.mnemonic} ".ljust(7), "mnemonic")
    line.add(operands(item.operands))
    if not here:  # its name stands above the listing
        _note(line, item, width, around.symbols)
    line = line.fit(width)
    line.role = "cursor" if at_cursor else "here" if here else ""
    return line


def operands(text: str) -> str:
    """Write operands as NASM does: the size of memory only where nothing else says it.

    >>> operands("eax, dword ptr [rbx]"), operands("dword ptr [rbx], 1")
    ('eax, [rbx]', 'dword [rbx], 1')
    """
    has_register = any(_REGISTER.match(part) for part in text.split(", "))
    return _SIZES.sub("" if has_register else r"\1 ", text)


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
        if len(text) > room:
            text = text[: room - 1] + ELLIPSIS
        line.pad(width - len(text) - 1).add(text, role)


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
