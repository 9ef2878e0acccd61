"""One vCPU's instruction in the making (bhyve `struct vie`).

Holds and never decides: `context` and `execute` move it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from lapis_engine.vie.instruction import Instruction, PortInstruction
    from lapis_engine.vie.request import MsrRequest

# Bits 0 to 10 of `status`, in the order of bhyve's `enum vie_status`.
VIES_INIT: Final = 1 << 0
VIES_MMIO: Final = 1 << 1
VIES_INOUT: Final = 1 << 2
VIES_OTHER: Final = 1 << 3
VIES_INST_FETCH: Final = 1 << 4
VIES_INST_DECODE: Final = 1 << 5
VIES_PENDING_MMIO: Final = 1 << 6
VIES_PENDING_INOUT: Final = 1 << 7
VIES_REPEAT: Final = 1 << 8
VIES_USER_FALLBACK: Final = 1 << 9
VIES_COMPLETE: Final = 1 << 10

VIES_PENDING: Final = VIES_PENDING_MMIO | VIES_PENDING_INOUT | VIES_USER_FALLBACK
"""The user owes an answer (bhyve `vie_pending`)."""

VR_NONE: Final = 0
VR_PENDING: Final = 1
VR_DONE: Final = 2
"""States of a slot (bhyve `enum vie_req`)."""


@dataclass(slots=True)
class MmioSlot:
    """Half of an instruction's memory traffic with devices (`struct vie_mmio`)."""

    data: int = 0
    gpa: int = 0
    bytes: int = 0
    """1, 2, 4 or 8."""
    state: int = VR_NONE

    def clear(self) -> None:
        """Go back to `VR_NONE`."""
        self.data = self.gpa = self.bytes = self.state = 0


@dataclass(slots=True)
class InoutSlot:
    """An instruction's port access; `data` is bhyve's `eax` and `inout_req_val`."""

    data: int = 0
    port: int = 0
    bytes: int = 0
    """1, 2 or 4."""
    read: bool = False
    state: int = VR_NONE

    def clear(self) -> None:
        """Go back to `VR_NONE`."""
        self.data = self.port = self.bytes = self.state = 0
        self.read = False


class Kept(NamedTuple):
    """What an instruction does that waits only for its writes to be taken."""

    before: bytes
    """The processor's state before it; with any other it has to be done anew."""
    after: bytes
    writes: list[tuple[int, int, int]]
    """(gpa, bytes, value), in order."""


@dataclass(slots=True)
class VieState:
    """The instruction being emulated, if any, and what it waits for."""

    status: int = 0
    """`VIES_*` bits; 0 when there is no instruction."""
    gpa: int = 0
    """Guest-physical address that the processor reported (`mmio_gpa`)."""
    code: bytes = b""
    """Instruction bytes, up to 15, with what follows the instruction."""
    instruction: Instruction | None = None
    port: PortInstruction | None = None
    read: MmioSlot = field(default_factory=MmioSlot)
    write: MmioSlot = field(default_factory=MmioSlot)
    inout: InoutSlot = field(default_factory=InoutSlot)
    msr: MsrRequest | None = None
    """RDMSR or WRMSR that waits for the user."""
    pages: tuple[int, ...] = ()
    """Pages of devices that the instruction touches, when the processor does it."""
    reported: tuple[int, int] | None = None
    """(gpa, bytes) of the read that it began with, if it did."""
    reads: dict[tuple[int, int], int] = field(default_factory=dict)
    """What devices and the user have answered, by (gpa, bytes)."""
    kept: Kept | None = None
    written: list[tuple[int, int]] = field(default_factory=list)
    """Writes that have gone out, (gpa, bytes), in order."""

    def clear_requests(self) -> None:
        """Empty all slots, for the next iteration of a REP."""
        if self.read.state:
            self.read.clear()
        if self.write.state:
            self.write.clear()
        if self.inout.state:
            self.inout.clear()
        if self.reads or self.written:
            self.reads, self.written = {}, []

    def reset(self) -> None:
        """Forget the instruction (bhyve `vie_reset`).

        Each is begun and ended with this; `VIES_INIT` says that there is anything.
        """
        if not self.status:
            return
        self.status = self.gpa = 0
        self.code = b""
        self.instruction = self.port = self.msr = None
        if self.pages:
            self.pages, self.reported, self.kept = (), None, None
        self.clear_requests()
