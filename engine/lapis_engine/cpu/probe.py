"""Finding, by behaviour, the three things that Unicorn's interface does not offer.

How many instructions an early stop retired, a way to be told when interrupts can be
taken, and what a block of code was translated for. All are fields of structures in its
heap. They are found, or their known places are checked by value and then by running
code, before any guest does.
"""

from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING, Final, NamedTuple

import unicorn
from unicorn import UC_PROT_ALL, UcError

from lapis_engine.cpu import layout
from lapis_engine.errors import ProcessorError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from unicorn import Uc

CONTROL_PAGE: Final = 1 << 52
"""Guest-physical place of the VMCB: page tables hold 52 bits of address, so no guest
can name it (SDM Vol. 3A "4-Level Paging": bits 51:12)."""
SCRATCH: Final = 0x1000
"""Where the probe runs, before any guest memory is mapped."""
KNOWN: Final = "2.1.4"
ADVICE: Final = "Lapis knows unicorn 2.1.4: pip install 'unicorn==2.1.4'"


class Control(NamedTuple):
    """Fields of `CPUState` that the core uses."""

    request: c.c_uint32
    """`interrupt_request`, which it writes."""
    blocks: c.Array[c.c_uint64]
    """`tb_jmp_cache`, which it reads."""
    wanted: c.c_uint32
    """`cflags_next_tb`, which it takes back."""
    state: layout.Head
    """The state in use, which it reads."""


def _handle(uc: Uc) -> int:
    address = c.cast(uc._uch, c.c_void_p).value  # noqa: SLF001 - there is no other way
    if not address:
        raise ProcessorError(f"unicorn gave no handle. {ADVICE}")
    return address


def find_counter(uc: Uc) -> c.c_size_t:
    """Return the engine's own count of begun instructions, as a live integer.

    It stands beside the count that was asked for: {777 + 1, 777} after a run of 777.
    """
    uc.mem_map(SCRATCH, PAGE, UC_PROT_ALL)
    uc.mem_write(SCRATCH, b"\x90" * PAGE)
    before = uc.context_save()
    try:
        uc.emu_start(SCRATCH, 0, count=777)
    except UcError as error:
        raise ProcessorError(f"unicorn cannot run ({error}). {ADVICE}") from error
    base = _handle(uc)
    found = [
        base + offset
        for offset in range(0, PAGE, 8)
        if c.c_size_t.from_address(base + offset).value == 778
        and c.c_size_t.from_address(base + offset + 8).value == 777
    ]
    # A start without a count drops what was counted, by its linear address: a guest's
    # tables would get an A bit for it if that were the guest's first.
    uc.emu_start(SCRATCH, SCRATCH + 1)
    uc.context_restore(before)
    uc.mem_unmap(SCRATCH, PAGE)
    if len(found) != 1:
        raise ProcessorError(
            f"this build of unicorn keeps no instruction count. {ADVICE}"
        )
    return c.c_size_t.from_address(found[0])


def find_control(uc: Uc) -> Control:
    """Return these fields, after checking what stands around them.

    Where `blocks` lie, `selfcheck` has code prove that overwrites itself.
    """
    if unicorn.__version__ != KNOWN:
        raise ProcessorError(f"this is unicorn {unicorn.__version__}. {ADVICE}")
    pointer = c.c_size_t.from_address(_handle(uc) + layout.CPU_POINTER).value
    if not pointer or pointer % 8:
        raise ProcessorError(f"this build of unicorn is laid out otherwise. {ADVICE}")
    wanted = c.c_uint32.from_address(pointer + layout.CFLAGS_NEXT_TB)
    request = c.c_uint32.from_address(pointer + layout.INTERRUPT_REQUEST)
    if wanted.value != layout.ANY_BLOCK or request.value:
        raise ProcessorError(f"this build of unicorn is laid out otherwise. {ADVICE}")
    slots = c.c_uint64 * layout.BLOCK_SLOTS
    blocks = slots.from_address(pointer + layout.BLOCKS)
    state = c.c_size_t.from_address(pointer + layout.STATE_POINTER).value
    if not state or state % 8:
        raise ProcessorError(f"this build of unicorn is laid out otherwise. {ADVICE}")
    return Control(request, blocks, wanted, layout.Head.from_address(state))
