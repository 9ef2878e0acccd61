"""Entry commands: what `vm_run` is told to do first (bhyve `struct vm_entry`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Default:
    """VEC_DEFAULT: run; what is pending is reported again."""


@dataclass(frozen=True, slots=True)
class DiscardInstr:
    """VEC_DISCARD_INSTR: forget the instruction in flight, run from RIP."""


@dataclass(frozen=True, slots=True)
class FulfillMmio:
    """VEC_FULFILL_MMIO: the answer to an `Mmio` exit."""

    gpa: int
    bytes: int
    read: bool
    data: int


@dataclass(frozen=True, slots=True)
class FulfillInout:
    """VEC_FULFILL_INOUT: the answer to an `Inout` exit."""

    port: int
    bytes: int
    read: bool
    eax: int


Entry = Default | DiscardInstr | FulfillMmio | FulfillInout
DEFAULT = Default()
