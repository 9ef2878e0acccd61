"""Translation never goes ahead of the guest into another page.

QEMU translates instructions by the block, and reads each of them as a fetch does: the
tables' A bits get set. How far a block goes follows from how instructions are counted
and where a run is cut, and a page that the guest never comes to would have its A bit
for that alone. So a block ends before what could reach into the next page.

What is left is a rule that holds however a guest is run: the pages of an instruction
have A once it has begun, or is the next one when a run ends, unless that ends with what
the engine carries out or answers; an interrupt is taken after the next instruction has
been fetched. (SDM Vol. 3A "Accessed and Dirty Flags"
allows both: a processor may set A before it gets there.)

A block ends when QEMU thinks that it has made enough code ("nb_ops"), of which it is
told when an instruction begins to be translated (`marks`).

# Differs from the SDM: what is marked on the first byte of a page has A set for the
page before it, of which QEMU takes a byte to be in its block.
"""

from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING, Final

from lapis_engine.cpu import layout
from lapis_engine.cpu.marked import LONGEST
from lapis_engine.errors import ProcessorError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from unicorn import Uc

LAST_ALONE: Final = PAGE - (LONGEST + LONGEST + 8)
"""From behind this place in a page each instruction is a block, where its length is not
looked at: the next one might begin where it reaches into the next page. Of one that is
longer than is allowed QEMU fetches up to 8 bytes more."""
ENOUGH: Final = 1 << 20
"""More operations than any block has."""


def operations(uc: Uc) -> c.c_int32:
    """Return how many operations QEMU has made of the block at hand, live.

    `selfcheck` has a run end before a page, and looks for its A bit.
    """
    handle = c.cast(uc._uch, c.c_void_p).value or 0  # noqa: SLF001
    place = c.c_size_t.from_address(handle + layout.TRANSLATOR).value
    if not place or place % 8:
        raise ProcessorError("this build of unicorn keeps its translator elsewhere")
    return c.c_int32.from_address(place + layout.OPERATIONS)


def end_block(operations: c.c_int32, linear: int) -> None:
    """End the block behind the instruction at `linear` if the next one may cross."""
    if linear % PAGE > LAST_ALONE:
        operations.value = ENOUGH
