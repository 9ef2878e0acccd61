"""What a device is to the machine: its state, its access functions, its addresses.

A device changes only its own state. What must reach someone else comes back as
signals, which the machine alone routes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from lapis_engine.events import IoapicEnded, Oddity, PinChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.plain import Plain


@dataclass(frozen=True, slots=True)
class Printed:
    """Bytes that the guest wrote to a console (`com1`, `debugcon`)."""

    port: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PoweredOff:
    """The guest asked for the machine to end."""

    code: int
    """Status that the guest gave; 0 where the device carries none."""
    why: str


@dataclass(frozen=True, slots=True)
class ResetRequested:
    """The guest asked for a reset of the machine."""

    why: str


@dataclass(frozen=True, slots=True)
class LineChanged:
    """An ISA interrupt line moved."""

    irq: int
    asserted: bool


@dataclass(frozen=True, slots=True)
class ExtIntChanged:
    """The INTR output of the 8259 pair moved."""

    asserted: bool


@dataclass(frozen=True, slots=True)
class InterruptMessage:
    """An interrupt message for the local APICs, from an IOAPIC pin or an MSI."""

    source: str
    """ioapic pin 4, msi, user ..."""
    destination: int
    """8-bit APIC id or message destination address."""
    logical: bool
    mode: str
    """fixed, lowest, smi, nmi, init, extint, reserved."""
    vector: int
    level: bool
    x2apic: ClassVar[bool] = False
    """Its destination has 8 bits."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The handler cannot do this access: bhyve's -1, which becomes INST_EMUL."""

    why: str


Signal = (
    Printed | PoweredOff | ResetRequested | LineChanged | ExtIntChanged
    | InterruptMessage | Refused | PinChanged | IoapicEnded | Oddity
)  # fmt: skip
Signals = tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """`size` consecutive ports or guest-physical bytes from `first`."""

    first: int
    size: int

    def __contains__(self, address: int) -> bool:
        """Tell whether `address` lies inside."""
        return self.first <= address < self.first + self.size


class Access(Protocol):
    """How the guest gets at a device: an `access` module, or an object that has both.

    `address` is the full port number or guest-physical address, `size` 1, 2, 4 or 8
    bytes, `now` virtual time in ns.
    """

    def read(self, state: Any, address: int, size: int, now: int) -> int:
        """Return what the guest reads, side effects on `state` included.

        A negative value refuses the access: bhyve's -1, which becomes INST_EMUL.
        """
        ...

    def write(
        self, state: Any, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Take what the guest writes; return what must reach someone else."""
        ...


class Timed(Protocol):
    """The functions of a device's `timer` module, for a device that acts by itself."""

    def deadline(self, state: Any) -> int | None:
        """Return the ns of virtual time at which `advance` is next needed."""
        ...

    def advance(self, state: Any, now: int) -> Signals:
        """Do what has become due by `now`."""
        ...


Role = Literal["pic", "ioapic", "hpet"]
"""The 8259 pair and the IOAPIC have interrupt lines led to them; they and the HPET are
what KERNEMU reaches. A machine has one of each at most."""


@dataclass(slots=True)
class Device:
    """A device as it is put on the machine."""

    name: str
    state: Any
    """A slots dataclass of ints, bytes and tuples."""
    access: Access
    ports: tuple[Range, ...] = ()
    mmio: tuple[Range, ...] = ()
    timer: Timed | None = None
    role: Role | None = None
    """What it is to the machine, when that has dealings of its own with it."""
    plain: Callable[[Any, int, int, int], Plain | None] | None = None
    """Given state, address, size and ns of virtual time: what a read gives from then
    on, if it changes nothing and nobody else does; None where that cannot be said."""
    plugin: str | None = None
    """The plug-in that it is of, which is noted in recordings; None for ours."""
