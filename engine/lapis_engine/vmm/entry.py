"""Entry commands: what `vm_run` is told to do first (bhyve `struct vm_entry`).

Each may carry VEC_FLAG_EXIT_CONSISTENT: come back as soon as no instruction is in the
making, before the guest is entered.
"""

from __future__ import annotations

from dataclasses import dataclass

VEC_DEFAULT, VEC_DISCARD_INSTR, VEC_FULFILL_MMIO, VEC_FULFILL_INOUT = range(4)
VEC_FLAG_EXIT_CONSISTENT = 1 << 31


@dataclass(frozen=True, slots=True)
class Default:
    """VEC_DEFAULT: run; what is pending is reported again."""

    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class DiscardInstr:
    """VEC_DISCARD_INSTR: forget the instruction in flight, run from RIP."""

    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class FulfillMmio:
    """VEC_FULFILL_MMIO: the answer to an `Mmio` exit."""

    gpa: int
    bytes: int
    read: bool
    data: int
    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class FulfillInout:
    """VEC_FULFILL_INOUT: the answer to an `Inout` exit."""

    port: int
    bytes: int
    read: bool
    eax: int
    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class FulfillMsr:
    """The answer to a `Rdmsr` or a waiting `Wrmsr` exit.

    Not one of bhyve's: there userspace sets the registers, and runs on.
    """

    msr: int
    read: bool
    value: int
    exit_consistent: bool = False


@dataclass(frozen=True, slots=True)
class InjectFault:
    """Give the instruction in flight up, and raise an exception in its place.

    Two calls of bhyve's: VEC_DISCARD_INSTR, and VM_INJECT_EXCEPTION with
    restart_instruction set.
    """

    vector: int
    error: int | None = None
    """Error code, for an exception that has one."""
    cr2: int = 0
    """Linear address, for #PF."""
    exit_consistent: bool = False


Entry = Default | DiscardInstr | FulfillMmio | FulfillInout | FulfillMsr | InjectFault
DEFAULT = Default()
