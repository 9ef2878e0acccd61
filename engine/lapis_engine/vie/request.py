"""What the emulator asks of the user: one frozen record a kind.

The answer to a request is the same record with `data` or `eax` filled in, as
bhyve's `struct vm_mmio` and `struct vm_inout` travel both ways.
"""

from __future__ import annotations

from dataclasses import dataclass

from lapis_engine.frozen import record


@record
class MmioRequest:
    """A memory access that no device of the engine serves (`struct vm_mmio`)."""

    read: bool
    gpa: int
    bytes: int
    """1, 2, 4 or 8."""
    data: int = 0
    """What a write stores; of a read, 0 in the request and the answer in the answer."""


@record
class InoutRequest:
    """A port access that no device of the engine serves (`struct vm_inout`)."""

    port: int
    bytes: int
    """1, 2 or 4."""
    read: bool
    """IN or INS (`INOUT_IN`)."""
    eax: int = 0
    """What goes out, in the low `bytes`; of IN, 0 in the request and the answer in the
    answer."""


@dataclass(frozen=True, slots=True)
class InstEmulRequest:
    """An instruction that the emulator does not know (`VM_EXITCODE_INST_EMUL`)."""

    code: bytes
    """Up to 15 bytes from RIP; empty when they could not be fetched."""
    gpa: int = 0
    """Guest-physical address that the processor reported; 0 for port I/O."""


@dataclass(frozen=True, slots=True)
class MsrRequest:
    """RDMSR or WRMSR of a register that the user serves.

    # Not as bhyve: there RIP is past the instruction at the exit, and userspace sets
    # RDX:RAX itself. Here the instruction waits as it does for a device.
    """

    msr: int
    read: bool
    value: int = 0
    """What WRMSR writes; of RDMSR, 0 in the request and the answer in the answer."""


Request = MmioRequest | InoutRequest | InstEmulRequest | MsrRequest
"""The closed union of requests."""
