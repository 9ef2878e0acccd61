"""One instruction of x87 on the processor of this host.

A few bytes of code load a whole state, do the instruction and store the state: FRSTOR,
it, FNSAVE. An exception that is not masked is seen in the state and never raised, for
FNSAVE does not wait, and leaves the unit as a new process has it.
"""

from __future__ import annotations

import ctypes as c
import mmap
import platform
import struct
from pathlib import Path
from typing import NamedTuple

IMAGE = struct.Struct("<3I16x")
REGISTER = struct.Struct("<QH")
SIZE = IMAGE.size + 8 * REGISTER.size
Raw = tuple[int, int]
"""Sign and exponent, and significand."""


class State(NamedTuple):
    """What of x87 goes into an instruction, and comes out of it."""

    fcw: int
    fsw: int
    """With TOP."""
    stack: tuple[Raw | None, ...]
    """ST0 to ST7; None is empty."""


def why_not() -> str | None:
    """Return why there is no such oracle here, or None."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return f"a Linux host of x86-64 is needed, and this is {platform.platform()}"
    return None


def is_amd() -> bool:
    """Tell whether the processor is AMD's."""
    return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(encoding="ascii")


def given(stack: tuple[Raw | None, ...], fcw: int = 0x37F, codes: int = 0) -> State:
    """Return a state with that on the stack; `codes` are bits of FSW."""
    whole = (*stack, *(None,) * (8 - len(stack)))
    return State(fcw, codes | (-len(stack) & 7) << 11, whole)


class Native:
    """A page of code."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE, prot=7)
        address = c.addressof(c.c_char.from_buffer(self._page))
        self._call = c.CFUNCTYPE(None, c.c_char_p, c.c_char_p)(address)

    def run(self, code: bytes, state: State) -> State:
        """Do one instruction of two bytes."""
        body = bytes.fromhex("dd27") + code + bytes.fromhex("dd36c3")
        self._page[: len(body)] = body  # frstor [rdi]; ...; fnsave [rsi]; ret
        stored = c.create_string_buffer(SIZE)
        self._call(packed(state), stored)
        return unpacked(stored.raw)


def packed(state: State) -> bytes:
    """Return the 108 bytes of FRSTOR."""
    top, tags = state.fsw >> 11 & 7, 0
    for n, register in enumerate(state.stack):
        if register is None:
            tags |= 3 << 2 * ((top + n) & 7)
    image = IMAGE.pack(state.fcw, state.fsw, tags)
    for register in state.stack:
        upper, significand = register or (0, 0)
        image += REGISTER.pack(significand, upper)
    return image


def unpacked(image: bytes) -> State:
    """Return what the 108 bytes of FNSAVE hold."""
    fcw, fsw, tags = (word & 0xFFFF for word in IMAGE.unpack_from(image))
    stack: list[Raw | None] = []
    for n in range(8):
        significand, upper = REGISTER.unpack_from(image, IMAGE.size + 10 * n)
        is_empty = tags >> 2 * ((fsw >> 11) + n & 7) & 3 == 3
        stack.append(None if is_empty else (upper, significand))
    return State(fcw, fsw, tuple(stack))
