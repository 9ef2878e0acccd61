"""A register as gdb knows it: how wide it is, what it is read from and written by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lapis_sessions.gdb.refusal import BAD_PACKET, PacketError

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.vmm.vcpu import Vcpu


class Owner(NamedTuple):
    """Whose registers are looked at."""

    machine: Machine
    vcpu: Vcpu


Read = Callable[[Owner], int]
Write = Callable[["Machine", int, int], None]
"""Told the machine, the number of the vCPU and the value; raises `LapisError`."""


@dataclass(frozen=True, slots=True)
class Register:
    """One register as gdb knows it."""

    name: str
    bits: int
    read: Read
    kind: str = ""
    """Its type in a description, or what gdb has for its size."""
    group: str = ""
    """Of `info registers`; "" is up to gdb."""
    write: Write | None = None
    """None where it cannot be written."""
    parts: tuple[Register, ...] = ()
    """Of one that is a record of others."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.bits // 8

    def fetch(self, owner: Owner) -> bytes:
        """Return its value as it stands in a packet."""
        if self.parts:
            return b"".join([part.fetch(owner) for part in self.parts])
        value = self.read(owner) & ((1 << self.bits) - 1)
        return value.to_bytes(self.bits // 8, "little")

    def store(self, owner: Owner, data: bytes) -> None:
        """Write it as the user's act; of a record what differs.

        Raises `PacketError` for one that cannot be written, and `LapisError`.
        """
        if self.parts:
            # All are compared before any is written: one may change another.
            for part, piece in self._changed(owner, data):
                part.store(owner, piece)
            return
        if self.write is None:
            why = f"{self.name} cannot be written from here"
            raise PacketError(BAD_PACKET, why, in_words=True)
        value = int.from_bytes(data[: self.size], "little")
        self.write(owner.machine, owner.vcpu.id, value)

    def _changed(self, owner: Owner, data: bytes) -> list[tuple[Register, bytes]]:
        """Return the parts of a record that `data` changes, and to what."""
        found, at = [], 0
        for part in self.parts:
            piece, at = data[at : at + part.size], at + part.size
            if len(piece) == part.size and piece != part.fetch(owner):
                found.append((part, piece))
        return found


def record_of(name: str, parts: tuple[Register, ...]) -> Register:
    """Return a register that is a record of others.

    Its type is a vector of one record. `info registers NAME` of gdb prints all of it
    then, and `info registers` leaves it out, as it does vectors: on x86 gdb does not
    heed the groups of a description. `$NAME[0].part` is a part.
    """
    bits = sum(part.bits for part in parts)
    return Register(name, bits, _nothing, f"lapis_{name}", parts=parts)


def _nothing(_owner: Owner) -> int:
    return 0


def by_name(name: str) -> Write:
    """Return what writes a register of the processor."""
    return lambda machine, number, value: machine.write_register(number, name, value)


def by_msr(msr: int) -> Write:
    """Return what writes an MSR."""
    return lambda machine, number, value: machine.write_msr(number, msr, value)


def by_apic(name: str) -> Write:
    """Return what writes a register of the local APIC, as its vCPU would."""
    return lambda machine, number, value: machine.write_apic(number, name, value)
