"""Instructions that QEMU starts a second time, counted once.

An instruction that overwrites the block of translated code that it is in cannot go on
in it. QEMU takes the processor back to before the instruction, drops the block, has
the instruction translated as a block of its own and starts that (QEMU
`tb_invalidate_phys_page_range`, "precise self modifying code"). Unicorn counts both
starts, though one instruction retires; what it does with the number would differ with
where a run is cut, and a run of one instruction would end before the second start.

Blocks for a second start are known by the length that QEMU asked for. Unicorn tells of
each block when it is translated, which costs a run nothing, and this one is dropped as
it is told of: it runs once, and is translated and told of anew the next time.

# Not modelled: an unaligned read-modify-write that begins before the block and ends in
# it. QEMU stores it byte by byte and finds the block only after the first ones, which
# the second start reads: `add word [$ - 1], 4` at the start of a block adds twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unicorn import UC_HOOK_EDGE_GENERATED

from lapis_engine.cpu import layout

if TYPE_CHECKING:
    import ctypes as c
    from collections.abc import Callable

    from unicorn import Uc
    from unicorn.unicorn_py3.unicorn import TBStruct

    from lapis_engine.cpu.library import Bare
    from lapis_engine.cpu.probe import Control


class Restarts:
    """Takes back one count for each instruction that is started anew."""

    __slots__ = ("_bare", "_blocks", "_counter", "on_restart")

    def __init__(
        self, uc: Uc, bare: Bare, counter: c.c_size_t, control: Control
    ) -> None:
        """Watch the blocks that `uc` translates from now on."""
        self._bare, self._counter = bare, counter
        self._blocks = control.blocks
        self.on_restart: Callable[[], None] | None = None
        """Called before the second start; nothing of the first one has come about but
        stores to other memory, which are made over."""
        uc.hook_add(UC_HOOK_EDGE_GENERATED, self._on_block)

    def _on_block(
        self, _uc: Uc, block: TBStruct, _before: TBStruct, _data: object
    ) -> None:
        if block.icount != 1 or not self._is_second_start(block.pc):
            return
        self._counter.value -= 1
        self._bare.forget(block.pc, block.pc + 1)
        if self.on_restart is not None:
            self.on_restart()

    def _is_second_start(self, linear: int) -> bool:
        """Tell whether QEMU asked for one instruction, and did not just get one."""
        place = self._blocks[layout.block_slot(linear)]
        if not place:
            return False
        block = layout.Block.from_address(place)
        return bool(block.pc == linear and block.cflags & layout.CF_COUNT_MASK == 1)
