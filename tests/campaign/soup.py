"""Random guests: a way into 16, 32 or 64 bits, and a soup of instructions there.

What the soup is made of: random bytes, and pieces that reach what an emulator has to
get right: the local APIC, ports, flags, stacks, interrupts, other modes, other vCPUs,
and the code itself.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

BASE = 0x1_0000
"""Where an image lies; it starts at 1000:0000."""
TABLES = 0x1000
"""Offsets in the image: four pages of page tables, then GDT, IDT and handler."""
GDT, GDTR, IDT, IDTR, HANDLER = 0x5000, 0x5080, 0x5100, 0x5F00, 0x5F80
SIZE = 0x6000
CODE32, CODE64, DATA = 0x08, 0x18, 0x10
APIC = 0xFEE0_0000
REGISTERS = (0x20, 0x80, 0xB0, 0xD0, 0xE0, 0xF0, 0x280, 0x300, 0x310, 0x320, 0x350,
             0x360, 0x370, 0x380, 0x390, 0x3E0, 0x14, 0x3F0, 0x100)  # fmt: skip
PIECES = (
    # The flags and the stack; ENTER, LEAVE, PUSHF, POPF, and INT1.
    "9c 9d", "9c", "60 61", "c8 10 00 01 c9", "fb", "fa", "fc", "fd", "9e 9f", "f1",
    # Interrupts, and the return from them.
    "cc", "cd 20", "cd 31", "ce", "cf", "66 cf", "48 cf", "0f 0b", "f4", "fb f4",
    "f3 90",
    # Ports.
    "e4 80", "e6 80", "ec", "ee", "ed", "ef", "6c", "6e", "f3 6e", "f3 6c", "66 ef",
    # Strings and locked accesses to memory.
    "a4", "f3 a4", "f3 aa", "f2 ae", "f3 a6", "f0 ff 07", "f0 0f b1 0f", "f0 0f c1 07",
    # Control registers, MSRs, CPUID, time, and what faults.
    "0f 20 c0", "0f 22 c0", "0f 20 e0", "0f 32", "0f 30", "0f a2", "0f 31", "0f 09",
    "0f 01 1f", "0f 01 17", "0f 00 d8", "0f 06", "8e d8", "8e d0", "0f 21 f0",
    "0f 23 f8",
    # Arithmetic, jumps and calls.
    "01 d8", "0f af c1", "f7 f1", "d3 e0", "eb fe", "eb 00", "74 02", "e2 fe", "e8 02",
    "c3", "0f 44 c1", "0f c8", "0f bd c1", "99", "98", "d9 e8", "d8 c0", "dd 17",
    "0f 58 c1", "66 0f ef c0", "0f 11 07", "0f 10 07", "0f ae 07", "0f 77",
)  # fmt: skip


def guest(rng: Random) -> tuple[int, bytes]:
    """Return how many bits the soup has, and the image."""
    bits = rng.choice((16, 16, 32, 32, 64))
    head = b"" if bits == 16 else _enter_32()
    if bits == 64:
        head += _enter_64(len(head))
    size = rng.choice((40, 200, 800, 3000))
    image = bytearray(SIZE)
    body = (head + soup(rng, bits, size))[: TABLES - 4] + b"\xeb\xfe"
    image[: len(body)] = body
    _tables(image)
    _gates(rng, image, bits)
    return bits, bytes(image)


def way_in(bits: int) -> int:
    """Return how many bytes of an image lead to the soup."""
    size = 0 if bits == 16 else len(_enter_32())
    return size + (len(_enter_64(size)) if bits == 64 else 0)


def soup(rng: Random, bits: int, size: int) -> bytes:
    """Return about so many bytes of instructions."""
    out = bytearray()
    noise = rng.choice((0.0, 0.05, 0.3, 1.0))
    while len(out) < size:
        if rng.random() < noise:
            out += rng.randbytes(rng.randrange(1, 12))
            continue
        kind = rng.random()
        if kind < 0.25:
            out += _apic(rng, bits)
        elif kind < 0.35:
            out += _load(rng, bits)
        elif kind < 0.42:
            out += _own_code(rng, bits, len(out))
        else:
            out += bytes.fromhex(rng.choice(PIECES))
    return bytes(out)


def _immediate(bits: int, register: int, value: int) -> bytes:
    """MOV of 32 bits to a register, whatever the mode."""
    return (b"\x66" if bits == 16 else b"") + struct.pack(
        "<BI", 0xB8 + register, value & 0xFFFF_FFFF
    )


def _load(rng: Random, bits: int) -> bytes:
    value = rng.choice((0, 1, 0x80, 0x1B, BASE, BASE + 0x100, 0x8000, 0xC000_0080))
    return _immediate(bits, rng.choice((0, 1, 2, 3, 6, 7)), value)


def _apic(rng: Random, bits: int) -> bytes:
    """Access a register of the APIC; sometimes the one that starts other vCPUs."""
    register = rng.choice(REGISTERS)
    value = rng.choice((0, 0xFF, 0x1FF, 0x31, 0x2_0031, 0x100, rng.getrandbits(32)))
    if register == 0x300:
        value = rng.choice((0xC_4500, 0xC_4610, 0x4_0031, 0xC_0031, 0x8_4031, 0xC_0400))
    out = _immediate(bits, 7, APIC + register) + _immediate(bits, 0, value)
    address = b"\x67" if bits == 16 else b""
    does = rng.choice(("89 07", "89 07", "8b 07", "01 07", "ff 07", "87 07", "a5"))
    return out + address + (b"\x66" if bits == 16 else b"") + bytes.fromhex(does)


def _own_code(rng: Random, bits: int, near: int) -> bytes:
    """Overwrite a byte of the soup, before or behind this one."""
    at = BASE + max(near + rng.randrange(-60, 200), 0) % (TABLES - 4)
    out = _immediate(bits, 3, at - (BASE if bits == 16 else 0))
    value = rng.choice((0x90, 0x40, 0xF4, 0xCC, rng.getrandbits(8)))
    override = b"\x2e\x67" if bits == 16 else b""
    return out + override + bytes((0xC6, 0x03, value))


def _enter_32() -> bytes:
    """LGDT, LIDT, CR0.PE, and a far jump to what follows."""
    out = b"\xfa\x2e\x66\x0f\x01\x16" + struct.pack("<H", GDTR)
    out += b"\x2e\x66\x0f\x01\x1e" + struct.pack("<H", IDTR)
    out += bytes.fromhex("0f20c0 0c01 0f22c0")
    out += struct.pack("<BBIH", 0x66, 0xEA, BASE + len(out) + 8, CODE32)
    return out + bytes.fromhex("66b81000 8ed8 8ec0 8ed0 bc00000900")


def _enter_64(before: int) -> bytes:
    """CR4.PAE and OSFXSR, CR3, EFER.LME, CR0.PG, and a far jump to what follows."""
    out = bytes.fromhex("0f20e0 0d20060000 0f22e0 b8") + struct.pack(
        "<I", BASE + TABLES
    )
    out += bytes.fromhex("0f22d8 b9800000c0 0f32 80cc01 0f30")
    out += bytes.fromhex("0f20c0 0d00000080 0f22c0")
    return out + struct.pack("<BIH", 0xEA, BASE + before + len(out) + 7, CODE64)


def _tables(image: bytearray) -> None:
    """Map the first 16 MiB and the last of the first 4 GiB to themselves."""
    first = BASE + TABLES

    def put(table: int, index: int, value: int) -> None:
        struct.pack_into("<Q", image, TABLES + 0x1000 * table + 8 * index, value)

    put(0, 0, first + 0x1000 | 7)
    put(1, 0, first + 0x2000 | 7)
    put(1, 3, first + 0x3000 | 7)
    for index in range(8):
        put(2, index, index << 21 | 0x87)
    for index in range(480, 512):
        put(3, index, 3 << 30 | index << 21 | 0x87)


def _gates(rng: Random, image: bytearray, bits: int) -> None:
    """Write GDT and IDT; both may be rubbish, but for what the way in needs."""
    flat = (0, 0x00CF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00AF_9B00_0000_FFFF)
    struct.pack_into("<4Q", image, GDT, *flat)
    image[GDT + 32 : GDT + 128] = rng.randbytes(96)
    struct.pack_into("<HI", image, GDTR, rng.choice((31, 127)), BASE + GDT)
    rubbish = rng.random() < 0.4
    wide = bits == 64
    for vector in range(64 if not wide else 56):
        selector = CODE64 if wide else CODE32
        gate = struct.pack(
            "<HHHH", BASE + HANDLER & 0xFFFF, selector, 0x8E00, BASE + HANDLER >> 16
        )
        gate += bytes(8) if wide else b""
        if rubbish and rng.random() < 0.5:
            gate = rng.randbytes(len(gate))
        at = IDT + vector * len(gate)
        image[at : at + len(gate)] = gate
    struct.pack_into("<HI", image, IDTR, rng.choice((0, 0x1FF, 0x37F)), BASE + IDT)
    handler = rng.choice(("cf", "48cf" if wide else "cf", "83c404cf", "40cf", "f4"))
    image[HANDLER : HANDLER + len(handler) // 2] = bytes.fromhex(handler)
