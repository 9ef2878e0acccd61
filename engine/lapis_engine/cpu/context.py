"""One vCPU's saved context, opened as a window on the processor's state.

What the window shows is only meaningful while the vCPU is *not* loaded in the core;
`Core.run` loads and saves around each run.
"""

from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING, Final, Literal

from lapis_engine.cpu import layout
from lapis_engine.cpu.layout import (
    HEADER,
    HF_CS64,
    MSRS,
    STATE_SIZE,
    FloatState,
    Head,
    Tail,
    X87State,
)
from lapis_engine.errors import ProcessorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unicorn import Uc

WORDS: Final = {2: c.c_uint16, 4: c.c_uint32, 8: c.c_uint64}
CODES: Final[Mapping[int, Literal["H", "I", "Q"]]] = {2: "H", 4: "I", 8: "Q"}
"""Bytes of a word -> what `memoryview` calls it."""
CODE_SEGMENT: Final = 1
"""Index of the code segment in `Head.segs`."""


XCR0_RESET: Final = 1
XCR0_ONCE: Final = 3
"""x87 (SDM Vol. 3A "Processor State After Reset"); and what it was once."""
FCW_RESET: Final = 0x40
MXCSR_RESET: Final = 0x1F80
"""The same; both were 0 once.

# Differs from the SDM: before FNINIT x87 computes with 64 bits, not 24.
"""

PLACES: Final = (
    (layout.X87_STATE + X87State.fcw.offset, 2, FCW_RESET),
    (layout.FLOAT_STATE + FloatState.mxcsr.offset, 4, MXCSR_RESET),
)
"""Offset in the state, bytes and reset value of FCW and MXCSR."""


class Context:
    """A saved context: `head`, `tail` and `msrs` alias its bytes."""

    __slots__ = (
        "_address", "_idle", "floats", "flush", "head", "msrs", "saved", "tail", "x87",
        "xcr0",
    )  # fmt: skip

    def __init__(self, uc: Uc) -> None:
        """Save the state of `uc`; raise `ProcessorError` on a strange layout."""
        self.saved = uc.context_save()
        address = c.cast(self.saved.context, c.c_void_p).value
        if address is None:
            raise ProcessorError("unicorn saved no context")
        size = c.c_size_t.from_address(address).value
        if size != STATE_SIZE:
            raise ProcessorError(
                f"this build of unicorn saves {size} bytes of processor state where "
                f"2.1.4 saves {STATE_SIZE}; install unicorn 2.1.4"
            )
        self._address = address + HEADER
        self.head = Head.from_address(self._address)
        self.tail = Tail.from_address(self._address + size - c.sizeof(Tail))
        self.msrs = {
            msr: c.c_uint64.from_address(self._address + offset)
            for msr, offset in MSRS.items()
        }
        self.x87 = X87State.from_address(self._address + layout.X87_STATE)
        self.floats = FloatState.from_address(self._address + layout.FLOAT_STATE)
        self._idle = _idle(self._address)
        self.xcr0 = c.c_uint64.from_address(self._address + layout.XCR0)
        self.flush = True
        """The TLB holds translations that are no longer this vCPU's.

        # Not modelled: the TLB as a state, which comes back with a checkpoint.
        """

    def linear_rip(self) -> int:
        """Return RIP as a linear address."""
        head = self.head
        if head.hflags & HF_CS64:
            return int(head.eip)
        return int((head.segs[CODE_SEGMENT].base + head.eip) & 0xFFFF_FFFF)

    def xmm(self, number: int) -> c.Array[c.c_uint64]:
        """Return the two halves of an XMM register, the low one first."""
        at = self._address + layout.XMM + number * layout.XMM_SLOT
        return (c.c_uint64 * 2).from_address(at)

    def mmx(self, number: int) -> c.Array[c.c_uint32]:
        """Return the two halves of an MMX register, the low one first."""
        at = self._address + layout.X87 + number * layout.X87_SLOT
        return (c.c_uint32 * 2).from_address(at)

    def settle(self) -> None:
        """Clear what is no part of the architectural state: it holds bytes of the host.

        QEMU makes results of PSHUFB and MPSADBW, among others, on its stack and copies
        whole slots; an x87 register goes with its padding. It takes 2 us, which is why
        it is done where the state is read and not behind each run.
        """
        for part, blank in self._idle:
            part[:] = blank
        self.tail.retaddr = 0  # an address in translated code

    def state_bytes(self) -> bytes:
        """Return the raw state, for comparing two contexts and for nothing else."""
        self.settle()
        return c.string_at(self._address, STATE_SIZE)

    def vector_bytes(self) -> bytes:
        """Return what lies between `head` and `tail`: x87, SSE and AVX state, MSRs.

        It is for hashes: XCR0 is told by what differs from its reset value, which was 3
        when the oldest recordings were made; and the reset values of FCW and MXCSR have
        changed places with 0, which they were then.
        """
        self.settle()
        middle = STATE_SIZE - c.sizeof(Head) - c.sizeof(Tail)
        found = bytearray(c.string_at(self._address + c.sizeof(Head), middle))
        found[layout.XCR0 - c.sizeof(Head)] ^= XCR0_ONCE ^ XCR0_RESET
        for at, size, reset in PLACES:
            place = slice(at - c.sizeof(Head), at - c.sizeof(Head) + size)
            value = int.from_bytes(found[place], "little")
            if value in {0, reset}:
                found[place] = (reset - value).to_bytes(size, "little")
        return bytes(found)

    def load_bytes(self, state: bytes) -> None:
        """Overwrite the raw state with `state_bytes` of a context of the same build."""
        if len(state) != STATE_SIZE:
            raise ProcessorError(f"{len(state)} bytes of state, not {STATE_SIZE}")
        c.memmove(self._address, state, STATE_SIZE)
        self.flush = True


def _idle(state: int) -> tuple[tuple[memoryview, memoryview], ...]:
    """Return views of the unused parts of slots, and zeros to put there.

    Each takes one word of so many bytes out of every slot of its kind.
    """
    found = []
    for first, slots, size, at, word in (
        (layout.X87, 8, layout.X87_SLOT, layout.X87_BYTES, 2),
        (layout.X87, 8, layout.X87_SLOT, layout.X87_BYTES + 2, 4),
        (layout.X87_OPERAND, 1, layout.X87_SLOT, layout.X87_BYTES, 2),
        (layout.X87_OPERAND, 1, layout.X87_SLOT, layout.X87_BYTES + 2, 4),
        *(
            (layout.XMM, layout.XMM_SLOTS, layout.XMM_SLOT, at, 8)
            for at in range(layout.XMM_BYTES, layout.XMM_SLOT, 8)
        ),
    ):
        words = (WORDS[word] * (slots * size // word)).from_address(state + first)
        view = memoryview(words).cast("B").cast(CODES[word])
        part = view[at // word :: size // word]
        found.append((part, memoryview(bytes(slots * word)).cast(CODES[word])))
    return tuple(found)
