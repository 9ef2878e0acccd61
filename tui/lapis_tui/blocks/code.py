"""Disassembly of one vCPU as a block of lines: `>` at RIP, `*` at a breakpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from lapis_tui.blocks.lines import CURSOR, ELLIPSIS, Line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lapis_engine.cpu.disasm import Line as Instruction
    from lapis_sessions.symbols.book import Places

BYTES_FROM = 56
"""Cells from which the bytes of an instruction are shown."""
SHOWN_BYTES = 7
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
    symbols: Places
    """Names by linear address, and source lines."""
    cursor: int | None = None
    """Linear address of the line that a key would act on."""


def render(
    instructions: Sequence[Instruction], width: int, around: Surroundings
) -> list[Line]:
    """Return one line per instruction, `width` cells wide."""
    sources = [around.symbols.line(item.linear) for item in instructions]
    before = around.symbols.line(around.rip)
    out = []
    for item, source in zip(instructions, sources, strict=True):
        new = source if source != before else ""
        out.append(_instruction(item, width, around, new))
        before = source
    return out


def _instruction(
    item: Instruction, width: int, around: Surroundings, source: str
) -> Line:
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
        _note(line, item, width, around.symbols, source)
    line = line.fit(width)
    line.role = "cursor" if at_cursor else "here" if here else ""
    return line


@lru_cache(4096)
def operands(text: str) -> str:
    """Write operands as NASM does: the size of memory only where nothing else says it.

    >>> operands("eax, dword ptr [rbx]"), operands("dword ptr [rbx], 1")
    ('eax, [rbx]', 'dword [rbx], 1')
    """
    has_register = any(_REGISTER.match(part) for part in text.split(", "))
    return _SIZES.sub("" if has_register else r"\1 ", text)


def _note(
    line: Line, item: Instruction, width: int, symbols: Places, source: str
) -> None:
    """Put at the right edge what this place is called, where it leads or comes from.

    `source` is the `file:line` that begins here, if one does.
    """
    name = symbols.get(item.linear)
    target = _TARGET.match(item.operands)
    leads = symbols.near(int(target[1], 16)) if target else ""
    if name:
        text, role = f"{name}:", "symbol"
    elif leads:
        text, role = leads, "dim"
    elif source:
        text, role = file_name(source), "dim"
    else:
        return
    room = width - line.width - 2
    if room >= min(len(text), 6):
        if len(text) > room:
            text = text[: room - 1] + ELLIPSIS
        line.pad(width - len(text) - 1).add(text, role)


def file_name(source: str) -> str:
    """Return `file:line` without the folders before it.

    >>> file_name("arch/x86/kernel/smpboot.c:231")
    'smpboot.c:231'
    """
    return source.rpartition("/")[2]
