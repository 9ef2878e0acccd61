"""What a device is to the machine: its state, its access functions, its addresses.

A device changes only its own state. What must reach someone else comes back as
signals, which the machine alone routes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from lapis_engine.events import IoapicEnded, Oddity, PinChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_engine.plain import Plain, PlainWrite
    from lapis_engine.shadow import Shadow


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
    is_final: bool = False
    """It comes from who stands between a device and the line: the HPET, whose legacy
    replacement route displaces the 8254 (line 0) and the RTC (line 8)."""


@dataclass(frozen=True, slots=True)
class GsiChanged:
    """An IOAPIC input that is no ISA line's moved, or one of them alone."""

    pin: int
    asserted: bool


@dataclass(frozen=True, slots=True)
class IntxChanged:
    """INTA# to INTD# of a PCI function moved."""

    slot: int
    """Device number on bus 0."""
    pin: int
    """1 is INTA#, 4 INTD#."""
    asserted: bool


@dataclass(frozen=True, slots=True)
class ShadowChanged:
    """What `Device.hides` or `Device.shadow` says is otherwise now."""


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


Wire = LineChanged | GsiChanged | IntxChanged | ExtIntChanged
Signal = (
    Printed | PoweredOff | ResetRequested | Wire | ShadowChanged | InterruptMessage
    | Refused | PinChanged | IoapicEnded | Oddity
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


Space = Literal["port", "mmio"]


@dataclass(frozen=True, slots=True)
class RegisterName:
    """What is at a port or an address, as the device's manual calls it."""

    first: int
    """Port, or guest-physical address."""
    size: int
    """Bytes, or ports."""
    name: str
    """As the manual abbreviates it: LSR, IOREGSEL."""
    text: str
    """What it is, in a few words."""
    space: Space = "port"
    access: Literal["rw", "r", "w"] = "rw"
    """Where it is one thing to read and another to write, which of them this is."""
    explained: str | None = None
    """What `explain` calls such a value; None where it cannot explain it."""
    rest: int = 0
    """Bits of such a value that another register holds at present, in their place."""

    def holds(self, space: Space, address: int, *, read: bool) -> bool:
        """Tell whether an access that begins at `address` is to this register."""
        if space != self.space or ("r" if read else "w") not in self.access:
            return False
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


class Moves(Protocol):
    """What a device claims at present, beside what is fixed: BARs and their like.

    It follows from the state. Where somebody has a fixed claim, that one answers.
    """

    def ports(self, state: Any) -> tuple[Range, ...]:
        """Return its ports."""
        ...

    def mmio(self, state: Any) -> tuple[Range, ...]:
        """Return its guest-physical addresses."""
        ...


class Config(Protocol):
    """The configuration space of a PCI function (PCI Local Bus 3.0, chapter 6)."""

    def read(self, state: Any, register: int, size: int, now: int) -> int:
        """Return `size` bytes at byte offset `register`, 0 to 255."""
        ...

    def write(
        self, state: Any, register: int, size: int, value: int, now: int
    ) -> Signals:
        """Take a configuration write; return what must reach someone else."""
        ...


@dataclass(frozen=True, slots=True)
class Function:
    """A PCI function on bus 0."""

    slot: int
    """Device number, 0 to 31."""
    number: int
    """Function number, 0 to 7."""
    config: Config


class Dma(Protocol):
    """RAM as a bus master reaches it."""

    def read(self, gpa: int, size: int) -> bytes | None:
        """Return `size` bytes, or None where not all of them are memory."""
        ...

    def write(self, gpa: int, data: bytes) -> bool:
        """Store `data`, all or nothing; tell whether all of it is RAM."""
        ...

    def program(self, gpa: int, data: bytes) -> bool:
        """Store `data` in ROM, which is for flash; tell whether it is all memory."""
        ...


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a device is connected to when the machine is built.

    Its access functions keep it: it is no part of the state.
    """

    dma: Dma
    functions: Mapping[tuple[int, int], Device]
    """The PCI functions, by (slot, number)."""


Role = Literal["pic", "ioapic", "hpet", "pirq"]
"""The 8259 pair and the IOAPIC have interrupt lines led to them; they and the HPET are
what KERNEMU reaches. The HPET stands between the 8254 and the RTC and their lines, and
`pirq` between the interrupt pins of PCI and theirs. A machine has one of each at most.
"""


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
    plain_write: Callable[[Any, int, int, int], PlainWrite | None] | None = None
    """Given the same: which writes of one byte to a port change nothing that a guest
    reads and signal nothing but what it prints; they are made later, in order."""
    moves: Moves | None = None
    function: Function | None = None
    """Its place on the PCI bus, if it has one."""
    route: Callable[[Any, LineChanged | IntxChanged], Signals] | None = None
    """Given the state and what moved, of a device that stands between: what comes of
    it. For `hpet` that is a `LineChanged` of line 0 or 8, which it gives back as final
    unless it has displaced it; for `pirq` an `IntxChanged`."""
    wire: Callable[[Wiring], None] | None = None
    """Called once, when the machine is built."""
    hides: Callable[[Any], tuple[Range, ...]] | None = None
    """Given the state: the memory whose reads it answers itself at present, within its
    `mmio`, in whole pages. Without, memory in there is read, and only written to it."""
    kept: frozenset[str] = frozenset()
    """Fields of its state that a reset of the machine leaves alone: what a battery
    feeds, and what is outside of the machine."""
    shadow: Callable[[Any], tuple[Shadow, ...]] | None = None
    """Given the state: which stretches below 1 MiB are RAM or the ROM over it, always
    the same ones."""
    holds: Callable[[Any], tuple[Wire, ...]] | None = None
    """Given the state: the wires that it holds up at present, as it raised them. It is
    for those who look at the machine; nothing that runs asks for it."""
    registers: tuple[RegisterName, ...] = ()
    """What it has at its fixed ports and addresses; of two that hold an address the
    first is meant. What has no name here has that of the device alone."""
    registers_now: Callable[[Any], tuple[RegisterName, ...]] | None = None
    """Given the state: names that follow from it, which go before `registers`. That is
    what has moved, and what is behind an index or a window at present."""
    peek: Callable[[Any, int, int, int], int | None] | None = None
    """Given state, address, size and ns of virtual time: what a read would give, with
    nothing changed anywhere; None where that cannot be said. A device of ours without
    one is read on a copy of its state, which does where a read reaches no other."""
    plugin: str | None = None
    """The plug-in that it is of, which is noted in recordings; None for ours."""
