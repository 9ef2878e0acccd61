"""Every encoding once: prefixes, maps, opcodes and ModRM, by row and as bytes.

A row is a map with a prefix and an opcode: what shares these runs in one batch. Not
here: what an encoding means; what is no instruction must do no harm either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAPS = (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a")
PREFIXES = (b"", b"\x66", b"\xf2", b"\xf3", b"\xf0", b"\x48", b"\x67")
"""48 is REX.W in 64-bit mode and DEC elsewhere."""
FORMS = tuple(
    mod << 6 | reg << 3 | rm
    for reg in range(8)
    for mod, rm in ((0, 3), (1, 7), (3, 3), (3, 6))
)
"""ModRM: all registers, two operands in memory and two in registers."""
X87 = range(0xD8, 0xE0)
X87_PREFIXES = (b"", b"\x66", b"\xf2", b"\xf3", b"\xf0", b"\x67")
VEX_FORMS = (0x03, 0xC3, 0x2F, 0xEE)
TAIL = bytes.fromhex("10 24 36 48 5a 6c 7e 90")
"""SIB, displacement and immediate of whatever has them."""


class Row(NamedTuple):
    """Encodings that have all but ModRM in common."""

    head: bytes
    forms: tuple[int, ...]

    def codes(self) -> Iterator[bytes]:
        """Yield the bytes of each."""
        for form in self.forms:
            yield self.head + bytes((form,)) + TAIL


def rows() -> list[Row]:
    """Return all rows, in order."""
    found = [
        Row(prefix + escape + bytes((opcode,)), FORMS)
        for escape in MAPS
        for prefix in PREFIXES
        for opcode in range(256)
    ]
    found += [
        Row(prefix + bytes((opcode,)), tuple(range(256)))
        for prefix in X87_PREFIXES
        for opcode in X87
    ]
    # VEX: R, X and B as in code without them; vvvv names a register, and none.
    found += [
        Row(bytes((0xC5, 0x80 | vvvv << 3 | low, opcode)), VEX_FORMS)
        for low in range(8)
        for vvvv in (0b1101, 0b1111)
        for opcode in range(256)
    ]
    found += [
        Row(bytes((0xC4, 0xE0 | which, 0x78 | low, opcode)), VEX_FORMS)
        for which in range(4)
        for low in (*range(8), *range(0x80, 0x84))  # W, L and pp
        for opcode in range(256)
    ]
    return found
