"""Addresses as a user types them in a pane: numbers, names, registers, and sums."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_sessions.errors import CommandError
from lapis_sessions.text import numerals
from lapis_sessions.views.memory_picture import pointed

if TYPE_CHECKING:
    from lapis_sessions.symbols.book import Places
    from lapis_sessions.views.snapshot import VcpuSnapshot

_SUM: Final = re.compile(r"(.*[^+\-])([+\-])(\w+)", re.ASCII)
_SEGMENTED: Final = re.compile(r"([c-gs]s):(.+)", re.ASCII)


class Address(NamedTuple):
    """What was typed."""

    value: int
    physical: bool | None = None
    """Whether it is one; None where either may be meant."""


def register(word: str, vcpu: VcpuSnapshot) -> int | None:
    """Return the address that a register has, or None for what is none."""
    if word.startswith("e") and f"r{word[1:]}" in vcpu.regs:
        word = f"r{word[1:]}"
    return pointed(word, vcpu.regs)


def entered(text: str, vcpu: VcpuSnapshot, names: Places) -> Address | str:
    """Read an address; a string says why it is none.

    A number as in commands, a symbol, a register or table (`rsp`, `cr3`, `gdtr`),
    SEG:OFF with a number or a register for SEG, and any of them + or - a number.
    """
    text = text.strip()
    found = _read(text, vcpu, names)
    parts = _SUM.fullmatch(text) if isinstance(found, str) else None
    if parts is None:
        return found
    base = _read(parts[1].strip(), vcpu, names)
    if isinstance(base, str):
        return base
    try:
        offset = numerals.number(parts[3], "offset")
    except CommandError as error:
        return str(error)
    return base._replace(value=base.value + (offset if parts[2] == "+" else -offset))


def _read(text: str, vcpu: VcpuSnapshot, names: Places) -> Address | str:
    word = text.removeprefix("*")
    at = names.address(word)
    if at is not None:
        return Address(at)
    at = register(word.lower(), vcpu)
    if at is not None:
        return Address(at, physical=True if word.lower() == "cr3" else None)
    segment = _SEGMENTED.fullmatch(word.lower())
    try:
        if segment is not None:
            base = vcpu.regs[f"{segment[1]}.base"]
            return Address(base + numerals.number(segment[2], "offset"), physical=False)
        return Address(numerals.address(word, {}))
    except CommandError as error:
        if word[:1].isalpha():
            return f"{numerals.shown(text)} is no number, symbol or register"
        return str(error)
