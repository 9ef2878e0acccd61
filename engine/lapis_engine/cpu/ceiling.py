"""The processor with nothing of ours around it: what `lapis bench` divides by.

Each method does a piece of work and leaves the timing to the caller.
"""

from __future__ import annotations

from unicorn import (
    UC_ARCH_X86,
    UC_HOOK_MEM_UNMAPPED,
    UC_MODE_64,
    UC_PROT_ALL,
    Uc,
    UcError,
)

CODE, DATA, HOLE = 0x1000, 0x2000, 0xFEE0_0000
LOOP = bytes.fromhex("ff0425 00200000 ebf7")
"""`inc dword [0x2000]; jmp $-7`: one load and store in two instructions."""
READ = bytes.fromhex("8b0425 2000e0fe")
"""`mov eax, [0xfee00020]`, sign-extended in 64-bit mode, so the hole is there."""


class RawProcessor:
    """A plain Unicorn instance in 64-bit mode."""

    def __init__(self) -> None:
        """Open it with a page of code and a page of data."""
        self._uc = Uc(UC_ARCH_X86, UC_MODE_64)
        self._uc.mem_map(CODE, 0x2000, UC_PROT_ALL)
        self._uc.mem_write(CODE, LOOP)
        self._uc.mem_write(CODE + 0x100, READ)
        self._uc.hook_add(UC_HOOK_MEM_UNMAPPED, self._on_hole)

    def _on_hole(self, *_args: object) -> bool:
        return False

    def loop(self, count: int) -> None:
        """Run `count` instructions of the memory loop, counted."""
        self._uc.emu_start(CODE, 0, count=count)

    def steps(self, count: int) -> None:
        """Run `count` single instructions, one start each."""
        for _ in range(count):
            self._uc.emu_start(CODE, 0, count=1)

    def holes(self, count: int) -> None:
        """Touch unmapped memory `count` times, coming out each time."""
        for _ in range(count):
            try:
                self._uc.emu_start(CODE + 0x100, 0, count=1)
            except UcError:
                continue
