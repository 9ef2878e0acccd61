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

from typing import TYPE_CHECKING, Final

from unicorn import UC_HOOK_EDGE_GENERATED
from unicorn.x86_const import UC_X86_REG_RFLAGS

from lapis_engine.cpu import flags, layout
from lapis_engine.cpu.registers import STATUS_FLAGS

if TYPE_CHECKING:
    import ctypes as c
    from collections.abc import Callable

    from unicorn import Uc
    from unicorn.unicorn_py3.unicorn import TBStruct

    from lapis_engine.cpu.library import Bare
    from lapis_engine.cpu.probe import Control


MOST: Final = 400_000
"""Instructions that may stand translated, at some 200 bytes each."""
OVERHEAD: Final = 2
"""What a block takes beside its instructions, in instructions."""


class Restarts:
    """Takes back one count for each instruction that is started anew."""

    __slots__ = (
        "_bare", "_blocks", "_counter", "_hook", "_state", "_uc", "is_full",
        "on_restart", "translated",
    )  # fmt: skip

    def __init__(
        self, uc: Uc, bare: Bare, counter: c.c_size_t, control: Control
    ) -> None:
        """Watch no blocks yet."""
        self._bare, self._counter = bare, counter
        self._blocks, self._state = control.blocks, control.state
        self.translated = 0
        """Instructions translated since all of it was dropped."""
        self.is_full = False
        """Time to drop all of it: the present start ends before the next block."""
        self.on_restart: Callable[[], None] | None = None
        """Called before the second start; nothing of the first one has come about but
        stores to other memory, which are made over."""
        self._uc = uc
        self._hook = 0

    def watch(self) -> None:
        """Look at each block that is translated from now on."""
        self._hook = self._uc.hook_add(UC_HOOK_EDGE_GENERATED, self._on_block)

    def ignore(self) -> None:
        """Look at no more of them."""
        self._uc.hook_del(self._hook)

    def _on_block(
        self, uc: Uc, block: TBStruct, _before: TBStruct, _data: object
    ) -> None:
        before = self.translated
        self.translated += block.icount + OVERHEAD
        if block.icount != 1 or not self._is_second_start(block.pc):
            if before and self.translated > MOST:  # at least one block gets its turn
                self.is_full = True
                uc.emu_stop()
            return
        self._counter.value -= 1
        self._settle_flags(uc)
        self._bare.forget(block.pc, block.pc + 1)
        if self.on_restart is not None:
            self.on_restart()

    def _settle_flags(self, uc: Uc) -> None:
        """Leave the flags where both starts look for them: the first had begun."""
        state = self._state
        rflags = flags.of_begun(state, uc.reg_read(UC_X86_REG_RFLAGS))
        state.cc_src = rflags & STATUS_FLAGS
        state.cc_op = layout.CC_OP_EFLAGS

    def begin_anew(self) -> None:
        """Count from zero: all that was translated is dropped."""
        self.translated, self.is_full = 0, False

    def _is_second_start(self, linear: int) -> bool:
        """Tell whether QEMU asked for one instruction, and did not just get one."""
        place = self._blocks[layout.block_slot(linear)]
        if not place:
            return False
        block = layout.Block.from_address(place)
        return bool(block.pc == linear and block.cflags & layout.CF_COUNT_MASK == 1)
