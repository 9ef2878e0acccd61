"""The status flags at an exit, which QEMU and Unicorn keep in ways that do not agree.

QEMU keeps the operands of the last operation (`cc_op`, `cc_src`, `cc_dst`) and works
flags out when they are wanted. Before an instruction Unicorn's hooks work them out into
`cc_src`, and make `cc_op` say so; an exit in the middle of a block then puts back the
`cc_op` that was there before, and flags would be worked out of flags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import AF, CF, OF, PF, SF, STATUS_FLAGS, ZF

if TYPE_CHECKING:
    from lapis_engine.cpu.layout import Head

MUL, ADD, ADC, SUB, SBB, SHL, SAR = 2, 6, 10, 14, 18, 34, 38
"""QEMU `CC_OP_MULB` and so on: each is followed by its 16, 32 and 64-bit forms."""
FROM_SOURCE: Final = frozenset(
    first + size for first in (MUL, ADD, ADC, SUB, SBB, SHL, SAR) for size in range(4)
)
"""Operations whose flags cannot be worked out once `cc_src` is gone."""
OF_RESULT: Final = SF | ZF | PF


def settled(head: Head) -> int | None:
    """Return the status flags if `cc_src` holds them already, else None.

    `cc_op` is one of `FROM_SOURCE`. `cc_src` holds flags when it could be flags, and
    just those that the result in `cc_dst` has. An operand that is equal to them is
    taken for them; a hook has settled them unless two operations of one kind stand in
    a row.
    """
    operation, source = head.cc_op, head.cc_src
    if source & ~STATUS_FLAGS or source & OF_RESULT != _of_result(head, operation):
        return None
    if operation < ADD and (source & AF or bool(source & CF) != bool(source & OF)):
        return None
    return int(source)


def _of_result(head: Head, operation: int) -> int:
    bits = 8 << (operation - MUL) % 4
    result = head.cc_dst & ((1 << bits) - 1)
    flags = 0 if (result & 0xFF).bit_count() & 1 else PF
    if not result:
        flags |= ZF
    return flags | (SF if result >> (bits - 1) else 0)
