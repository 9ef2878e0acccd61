"""The processor with nothing of ours around it: what `lapis bench` divides by.

The same machine code in the same mode that the benchmark runs as a guest. Each method
does a piece of work and leaves the timing to the caller.
"""

from __future__ import annotations

from unicorn import (
    UC_ARCH_X86,
    UC_HOOK_MEM_UNMAPPED,
    UC_MODE_16,
    UC_MODE_32,
    UC_PROT_ALL,
    Uc,
    UcError,
)

CODE = 0x1000
MEMORY_LOOP = bytes.fromhex("66ff060050 ebf9")
"""`inc dword [0x5000]; jmp $-5`, 16-bit code: a load and a store each time round."""
APIC_READ = bytes.fromhex("a12000e0fe ebf9")
"""`mov eax, [0xfee00020]; jmp $-5`, 32-bit code."""


class RawProcessor:
    """Plain Unicorn instances, one a mode."""

    def __init__(self) -> None:
        """Open them, each with 64 KiB of memory and its code."""
        self._real = Uc(UC_ARCH_X86, UC_MODE_16)
        self._real.mem_map(0, 0x1_0000, UC_PROT_ALL)
        self._real.mem_write(CODE, MEMORY_LOOP)
        self._flat = Uc(UC_ARCH_X86, UC_MODE_32)
        self._flat.mem_map(0, 0x1_0000, UC_PROT_ALL)
        self._flat.mem_write(CODE, APIC_READ)
        self._flat.hook_add(UC_HOOK_MEM_UNMAPPED, self._on_hole)

    def _on_hole(self, *_args: object) -> bool:
        return False

    def loop(self, count: int) -> None:
        """Run `count` instructions of the memory loop, counted."""
        self._real.emu_start(CODE, 0, count=count)

    def steps(self, count: int) -> None:
        """Run `count` single instructions, one start each."""
        for _ in range(count):
            self._real.emu_start(CODE, 0, count=1)

    def holes(self, count: int) -> None:
        """Touch unmapped memory `count` times, coming out each time."""
        for _ in range(count):
            try:
                self._flat.emu_start(CODE, 0, count=1)
            except UcError:
                continue
