"""What the emulator needs of the world: guest memory, devices, ports.

Only shapes; the machine decides what stands behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lapis_engine.cpu.intercepts import HwExit
    from lapis_engine.cpu.loan import Loan
    from lapis_engine.cpu.registers import Registers
    from lapis_engine.vie.checks import Operand


class HandlerRefused(Exception):  # noqa: N818 - a return value of bhyve's, not an error
    """A handler of the engine returned -1: userspace is to do the instruction.

    bhyve sets VIES_USER_FALLBACK, and INST_EMUL is owed.
    """


class Memory(Protocol):
    """Guest-physical RAM and ROM (`memory.physical.PhysicalMemory`)."""

    def read(self, gpa: int, size: int, /) -> bytes:
        """Return `size` bytes; raise `UnmappedError` where there are none."""
        ...


class Peeker(Protocol):
    """The part of `LinearMemory` that changes nothing."""

    def peek(self, linear: int, /) -> int | None:
        """Return the gpa behind `linear`, or None; no bit of a page table is set."""
        ...


class LinearMemory(Protocol):
    """Memory as the present vCPU sees it (`cpu.paging.Linear`)."""

    def translate(
        self, linear: int, /, *, write: bool = False, user: bool = False
    ) -> int:
        """Return the gpa behind `linear`; raise `GuestFault`."""
        ...

    def peek(self, linear: int, /) -> int | None:
        """Return the gpa behind `linear`, or None; no bit of a page table is set."""
        ...

    def read(self, linear: int, size: int, /, *, user: bool = False) -> bytes:
        """Read memory; raise `GuestFault`, or `LinearHole` where there is none."""
        ...

    def write(self, linear: int, data: bytes, /, *, user: bool = False) -> None:
        """Write memory; raise `GuestFault`, or `LinearHole` where there is none."""
        ...


class Lender(Protocol):
    """The processor, lent pages of memory in the place of devices (`cpu.core`)."""

    def attempt(
        self, regs: Registers, holes: Mapping[int, bytes], code: bytes, /
    ) -> tuple[HwExit, Loan]:
        """Carry out the instruction `code` at RIP with memory in `holes`.

        `holes` maps the addresses of pages to their content.
        """
        ...

    def operands(
        self, regs: Registers, code: bytes, /
    ) -> Sequence[tuple[Operand, int]]:
        """Return the memory operands of `code`, each with the gpa that it begins at."""
        ...

    def undo(self, before: Iterable[tuple[int, bytes]], /) -> None:
        """Put back what memory held before an attempt, in order of time."""
        ...


class MmioBus(Protocol):
    """The devices of the engine by guest-physical address."""

    def read(self, gpa: int, size: int, /) -> int | None:
        """Return what a device answers, or None when the user must."""
        ...

    def write(self, gpa: int, size: int, value: int, /) -> bool:
        """Hand `value` to a device; False when the user must take it."""
        ...


class PortBus(Protocol):
    """The devices of the engine by port."""

    def port_in(self, port: int, size: int, /) -> int | None:
        """Return what a device answers, or None when the user must."""
        ...

    def port_out(self, port: int, size: int, value: int, /) -> bool:
        """Hand `value` to a device; False when the user must take it."""
        ...


class AnyBus(MmioBus, PortBus, Protocol):
    """Both, for INS and OUTS."""


class Stringlike(Protocol):
    """What a repeated instruction has in common (`Instruction`, `PortInstruction`)."""

    @property
    def bits(self) -> int:
        """Mode of the code segment: 16, 32 or 64."""
        ...

    @property
    def length(self) -> int:
        """Bytes of the instruction."""
        ...

    @property
    def addrsize(self) -> int:
        """Bytes of rCX, rSI and rDI that count: 2, 4 or 8."""
        ...

    @property
    def repeats(self) -> bool:
        """Repeat by rCX."""
        ...
