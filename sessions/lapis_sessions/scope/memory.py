"""Functions of expressions that read memory; never a device.

An address is linear, as the vCPU sees it that the expression is about; `phys(x)` is a
physical one, and a text is the name of a symbol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import UnmappedError
from lapis_engine.units import MASK32, MASK64
from lapis_sessions.extensions import Function

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.scope.viewpoint import Viewpoint

WORDS: Final = {16: 2, 32: 4, 64: 8}
"""Bytes of what `[x]` is, by the bits of the code."""


class Physical(int):
    """A physical address."""

    __slots__ = ()


def phys(_session: Viewpoint, *values: object) -> Physical:
    """Mark an address as physical."""
    match values:
        case [int() as at]:
            return Physical(at)
        case _:
            raise TypeError("one address is wanted")


def read(session: Viewpoint, where: object, size: int) -> int:
    """Return `size` bytes as a number; raise `LookupError` or `TypeError`."""
    at = address(session, where)
    machine = session.machine
    is_wide = isinstance(where, Physical) or machine.vcpu(
        session.selected
    ).regs.mode in {"long", "compat"}
    if not 0 <= at <= (MASK64 if is_wide else MASK32):
        raise LookupError(f"{at:#x} is no address of {64 if is_wide else 32} bits")
    try:
        if isinstance(where, Physical):
            data = machine.read_physical(at, size)
        else:
            data = machine.read_memory(session.selected, at, size)
    except UnmappedError as error:
        raise LookupError(str(error)) from None
    return int.from_bytes(data, "little")


def address(session: Viewpoint, where: object) -> int:
    """Return an address that was given as a number, or by the name of a symbol."""
    if isinstance(where, str):
        if where not in session.symbols:
            raise LookupError(f"there is no symbol {where!r}")
        return session.symbols[where]
    if not isinstance(where, int):
        raise TypeError("one address, or the name of a symbol, is wanted")
    return int(where)


def _reader(name: str, size: int, *, signed: bool = False) -> Function:
    def call(session: Viewpoint, *values: object) -> int:
        if len(values) != 1:
            raise TypeError("one address, or the name of a symbol, is wanted")
        value = read(session, values[0], size)
        top = 1 << 8 * size - 1
        return value - 2 * top if signed and value & top else value

    kind = "a signed number" if signed else "a number"
    text = f"{kind} of {size} bytes in memory, at an address or a symbol"
    return Function(name, text, call)


def _at(session: Viewpoint, *values: object) -> int:
    """Read a word as wide as the code is."""
    bits = session.machine.vcpu(session.selected).regs.code_bits
    if len(values) != 1:
        raise TypeError("one address, or the name of a symbol, is wanted")
    return read(session, values[0], WORDS[bits])


def _symbol(session: Viewpoint, *values: object) -> int:
    match values:
        case [str() as name]:
            return address(session, name)
        case _:
            raise TypeError("the name of a symbol is wanted, between quotes")


def _near(session: Viewpoint, *values: object) -> str:
    match values:
        case [int() as at]:
            return session.symbols.places.near(at)
        case _:
            raise TypeError("one address is wanted")


OF_MEMORY: Final[tuple[tuple[str, str, Callable[..., Any]], ...]] = (
    ("at", "what [x] is: a word of memory, as wide as the code of the vCPU", _at),
    ("phys", "a physical address: u32(phys(0x1000))", phys),
    ("sym", "the address of a symbol whose name is no word", _symbol),
    ("near", "the name of an address, as start+0x5", _near),
)
FUNCTIONS: Final = (
    *(_reader(f"u{8 * size}", size) for size in (1, 2, 4, 8)),
    *(_reader(f"s{8 * size}", size, signed=True) for size in (1, 2, 4, 8)),
    *(Function(name, text, call) for name, text, call in OF_MEMORY),
)
"""Ours."""
