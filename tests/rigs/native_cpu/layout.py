"""Where a program of a user lies, what goes into it, and what comes out.

The same for the processor of the host (`native.c`) and for the engine's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from random import Random
from typing import Final

CODE, DATA, STACK = 0x1000_0000, 0x2000_0000, 0x3000_0000
"""Linear addresses; two pages of data, one of code and one of stack. Nothing near."""
PAGE: Final = 4096
DATA_SIZE: Final = 2 * PAGE
MEMORY: Final = DATA_SIZE + PAGE
POOL: Final = Random("memory").randbytes(1 << 16)
"""What memory holds: a window of it."""
LONGEST: Final = 112
"""Bytes of a program."""
STATUS: Final = 0x8D5
DF: Final = 0x400
GIVEN = struct.Struct(f"<II{LONGEST}s16QQ256s")
RESULT = struct.Struct("<16QQQ256sIIQQII")
PF: Final = 14


@dataclass(frozen=True, slots=True)
class Given:
    """What a program starts with."""

    code: bytes
    content: int
    """Where in `POOL` its memory begins."""
    gpr: tuple[int, ...]
    rflags: int
    xmm: bytes

    def packed(self) -> bytes:
        return GIVEN.pack(
            len(self.code), self.content, self.code, *self.gpr, self.rflags, self.xmm
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What it came to: the first exception ends it."""

    gpr: tuple[int, ...]
    rip: int
    rflags: int
    xmm: bytes
    mxcsr: int
    vector: int
    error: int
    cr2: int
    """0 but for a page fault."""
    memory: int
    """CRC-32 of data and stack."""


def result(data: bytes) -> Result:
    """Read one of `native.c`."""
    *gpr, rip, rflags, xmm, mxcsr, vector, error, cr2, memory, _ = RESULT.unpack(data)
    return Result(
        tuple(gpr), rip, rflags & (STATUS | DF), xmm, mxcsr, vector, error,
        cr2 if vector == PF else 0, memory,
    )  # fmt: skip
