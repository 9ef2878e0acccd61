"""The status flags at an exit, which QEMU and Unicorn keep in ways that do not agree.

QEMU keeps the operands of the last operation (`cc_op`, `cc_src`, `cc_dst`) and works
flags out when they are wanted. Where there is a hook before an instruction, as the one
that counts, flags are worked out into `cc_src` once the hooks are through; an exit that
the instruction makes then puts back the `cc_op` that was there before, and flags would
be worked out of flags.

So the flags are in `cc_src` wherever an instruction has begun; between two blocks, in a
hook and before an instruction that was not translated `cc_op` is right. That it is so
was tried at random against PUSHF (`tests/engine/test_flags`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_engine.cpu.registers import STATUS_FLAGS

if TYPE_CHECKING:
    from lapis_engine.cpu.layout import Head

MUL, ADD, ADC, SUB, SBB, SHL, SAR, BMI = 2, 6, 10, 14, 18, 34, 38, 42
"""QEMU `CC_OP_MULB` and so on: each is followed by its 16, 32 and 64-bit forms."""
POPCNT: Final = 50
FROM_SOURCE: Final = frozenset(
    first + size
    for first in (MUL, ADD, ADC, SUB, SBB, SHL, SAR, BMI)
    for size in range(4)
) | {POPCNT}
"""Operations whose flags cannot be worked out once `cc_src` is gone."""


def of_begun(head: Head, rflags: int) -> int:
    """Return RFLAGS where an instruction has begun: `rflags`, but for what it lacks."""
    if head.cc_op not in FROM_SOURCE:
        return rflags
    return of_source(head, rflags)


def of_source(head: Head, rflags: int) -> int:
    """Return RFLAGS where an instruction had QEMU work the status flags out early."""
    return int(rflags & ~STATUS_FLAGS | head.cc_src & STATUS_FLAGS)
