"""Plain Unicorn with nothing of ours around it: what `lapis bench` sets its own beside.

Two kinds of figures come out. A loop that runs until an address is passed has no hook
and no count: that is the speed of Unicorn. Where each piece of work is one call from
Python, the time is that of `ctypes` far more than that of Unicorn: it bounds what
Python can do, and no more.

Each method does a piece of work and leaves the timing to the caller.
"""

from __future__ import annotations

from unicorn import (
    UC_ARCH_X86,
    UC_HOOK_MEM_UNMAPPED,
    UC_MODE_16,
    UC_MODE_32,
    UC_MODE_64,
    UC_PROT_ALL,
    Uc,
    UcError,
)
from unicorn.x86_const import (
    UC_X86_REG_CR0,
    UC_X86_REG_CR3,
    UC_X86_REG_CR4,
    UC_X86_REG_MSR,
    UC_X86_REG_RCX,
    UC_X86_REG_RSI,
)

from lapis_tui.bench.rom import CODE_PAGE, DATA_PAGE, HOME, ON_DATA, TABLES, Loop

CODE = 0x1000
MEMORY_LOOP = bytes.fromhex("66ff060050 ebf9")
"""`inc dword [0x5000]; jmp $-5`, 16-bit code: a load and a store each time round."""
APIC_READ = bytes.fromhex("a12000e0fe ebf9")
"""`mov eax, [0xfee00020]; jmp $-5`, 32-bit code."""
HOOKLESS = "Unicorn without hooks"
STEP_CALLS = "calls of emu_start(count=1) by ctypes"
HOLE_CALLS = "calls of emu_start by ctypes that end at a hole"
PAIRS_OF_HOLES = "two calls of emu_start by ctypes that end at a hole"
"""What the figures stand beside; an IPI needs two accesses of an APIC, ICR and EOI."""
PAGING = (
    (UC_X86_REG_CR4, 0x20),  # PAE
    (UC_X86_REG_MSR, (0xC000_0080, 0x900)),  # EFER: LME and NXE
    (UC_X86_REG_CR3, TABLES),
    (UC_X86_REG_CR0, 0x8000_0001),  # PG and PE
)
ENTRIES = {
    TABLES: TABLES + 0x1003,
    TABLES + 0x1000: TABLES + 0x2003,
    TABLES + 0x2000: 0x83,
    TABLES + 0x2008: 1 << 63 | DATA_PAGE | 0x83,
}
"""The page tables of `rom`, as far as a loop without the APIC needs them."""


class PlainUnicorn:
    """Plain Unicorn instances, one a mode, and one more for each loop."""

    def __init__(self) -> None:
        """Open them, each with 64 KiB of memory and its code."""
        self._real = Uc(UC_ARCH_X86, UC_MODE_16)
        self._real.mem_map(0, 0x1_0000, UC_PROT_ALL)
        self._real.mem_write(CODE, MEMORY_LOOP)
        self._flat = Uc(UC_ARCH_X86, UC_MODE_32)
        self._flat.mem_map(0, 0x1_0000, UC_PROT_ALL)
        self._flat.mem_write(CODE, APIC_READ)
        self._flat.hook_add(UC_HOOK_MEM_UNMAPPED, self._on_hole)
        self._long: dict[str, Uc] = {}

    def _on_hole(self, *_args: object) -> bool:
        return False

    def loop(self, loop: Loop, rounds: int) -> None:
        """Run `rounds` of a loop of `rom`, without hooks; the APIC's has a hole."""
        if loop.name not in self._long:
            self._long[loop.name] = _long(loop)
        uc = self._long[loop.name]
        uc.reg_write(UC_X86_REG_RCX, rounds)
        uc.emu_start(HOME, HOME + len(loop.code))

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


def _long(loop: Loop) -> Uc:
    """Return a processor in long mode, with the page tables and the code of `rom`."""
    uc = Uc(UC_ARCH_X86, UC_MODE_64)
    uc.mem_map(0, 2 * DATA_PAGE, UC_PROT_ALL)
    for place, entry in ENTRIES.items():
        uc.mem_write(place, entry.to_bytes(8, "little"))
    uc.mem_write(HOME, loop.code)
    for register, value in PAGING:
        uc.reg_write(register, value)
    uc.reg_write(UC_X86_REG_RSI, DATA_PAGE if loop is ON_DATA else CODE_PAGE)
    return uc
