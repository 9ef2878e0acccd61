"""Loops in 64-bit code of our own, in a ROM that any PC starts by its reset vector.

It goes from reset to long mode by itself, without a BIOS: so it runs on Lapis, on QEMU
and on Bochs, byte for byte the same, and start-up is a few thousand instructions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SIZE: Final = 0x1_0000
"""Bytes of the ROM, which ends at 4 GiB; its first 1 KiB is copied to `HOME`."""
HOME: Final = 0x1_0000
"""Where the loop runs, in RAM."""
TABLES: Final = 0x1000
"""Guest-physical place of the page tables: PML4, page directory pointers, and the
directories of the first and of the fourth GiB, a page each."""
CODE_PAGE: Final = 0x10_0000
DATA_PAGE: Final = 0x20_0000
"""Data on a large page that may be executed, and on one that may not (NX)."""
MOST_ROUNDS: Final = (1 << 32) - 1
DONE: Final = 0x21
"""What is written to `EXIT_PORT` at the end."""
EXIT_PORT: Final = 0xF4
"""QEMU's isa-debug-exit, by our command line."""

REAL: Final = bytes.fromhex(
    "fa"  # cli
    "2e660f01160001"  # lgdt [cs:0x100]
    "66b801000000 0f22c0"  # mov eax, 1; mov cr0, eax
    "66ea1900ffff0800"  # jmp dword 8:0xffff0019
)
PROTECTED: Final = bytes.fromhex(
    "b810000000 8ed8 8ec0 8ed0"  # mov eax, 16; mov ds, ax; mov es, ax; mov ss, ax
    "be0000ffff bf00000100 b900010000 f3a5"  # 1 KiB from 0xffff0000 to 0x10000
    "c7050010000003200000"  # mov dword [0x1000], 0x2003
    "c7050020000003300000"  # mov dword [0x2000], 0x3003
    "c7051820000003400000"  # mov dword [0x2018], 0x4003
    "c7050030000083000000"  # mov dword [0x3000], 0x83
    "c7050830000083002000"  # mov dword [0x3008], 0x200083
    "c7050c30000000000080"  # mov dword [0x300c], 0x80000000: NX
    "c705b84f00009300e0fe"  # mov dword [0x4fb8], 0xfee00093: not cached
    "c705bc4f000000000080"  # mov dword [0x4fbc], 0x80000000
    "c705f84f00008300e0ff"  # mov dword [0x4ff8], 0xffe00083: this code
    "b800100000 0f22d8"  # mov eax, 0x1000; mov cr3, eax
    "b820000000 0f22e0"  # mov eax, 0x20; mov cr4, eax: PAE
    "b9800000c0 31d2 b800090000 0f30"  # EFER: LME and NXE
    "b801000080 0f22c0"  # mov eax, 0x80000001; mov cr0, eax
    "ea400101001800"  # jmp 0x18:0x10140
)
TABLE: Final = bytes.fromhex(
    # The word and the address that LGDT loads, then null, 32-bit code, data and
    # 64-bit code.
    "1f00 0601ffff 0000000000000000ffff0000009bcf00 ffff00000093cf00 ffff0000009baf00"
)
END: Final = bytes.fromhex(
    "b021 e6f4"  # mov al, 0x21; out 0xf4, al
    "66ba0089"  # mov dx, 0x8900, where Bochs is told to end, letter by letter
    "b053ee b068ee b075ee b074ee b064ee b06fee b077ee b06eee"
    "f4 ebfd"  # hlt; jmp $-1
)
RESET: Final = bytes.fromhex("e90d00")
"""`jmp` from offset 0xfff0 to offset 0, around the end of the segment."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop: what is done in each round, before `dec ecx; jnz`."""

    name: str
    unit: str
    amount: int
    """How much of the unit a round is."""
    instructions: int
    """What a round retires, the two at its end with it."""
    body: bytes
    setup: bytes = b""
    """Done once."""

    def start(self, rounds: int) -> bytes:
        """Return what precedes the loop: `mov ecx, rounds` and the setup."""
        if not 0 < rounds <= MOST_ROUNDS:
            raise ValueError(f"{rounds} rounds: at least 1, and at most {MOST_ROUNDS}")
        return self.setup + b"\xb9" + rounds.to_bytes(4, "little")

    @property
    def code(self) -> bytes:
        """The loop itself."""
        back = -(len(self.body) + 4)
        turn = b"\xff\xc9\x75" + back.to_bytes(1, "little", signed=True)
        return self.body + turn


def _pointer(address: int) -> bytes:
    return b"\xbe" + address.to_bytes(4, "little")  # mov esi, address


COPY: Final = bytes.fromhex("8b06 8906")
"""`mov eax, [rsi]; mov [rsi], eax`."""
REGISTERS: Final = Loop(
    "register loop", "instructions/s", 3, 3, bytes.fromhex("ffc0")
)  # inc eax
ON_DATA: Final = Loop(
    "load+store loop, NX", "instructions/s", 4, 4, COPY, _pointer(DATA_PAGE)
)
ON_CODE: Final = Loop(
    "load+store loop, executable", "instructions/s", 4, 4, COPY, _pointer(CODE_PAGE)
)
RDTSC: Final = Loop("RDTSC", "reads/s", 1, 3, bytes.fromhex("0f31"))
APIC: Final = Loop(
    "APIC reads by MMIO", "reads/s", 1, 3, bytes.fromhex("8b06"), _pointer(0xFEE0_0020)
)
LOOPS: Final = (REGISTERS, ON_DATA, ON_CODE, RDTSC, APIC)


def image(loop: Loop, rounds: int) -> bytes:
    """Return the ROM that does `rounds` of `loop`, tells so at `EXIT_PORT`, and halts.

    Raises `ValueError` for rounds that ECX does not hold.
    """
    head = (REAL + PROTECTED).ljust(0x100, b"\xf4") + TABLE.ljust(0x40, b"\0")
    code = head + loop.start(rounds) + loop.code + END
    return code.ljust(0xFFF0, b"\xf4") + RESET.ljust(16, b"\xf4")
