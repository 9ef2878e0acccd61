"""A second model of several local APICs, from the manual's words: slow and obvious.

Registers are sets of vectors or of bit numbers, and an ICR is read as binary text.
It knows nothing of the engine. What it does not have: timers, the IOAPIC, a processor.
Sections cited are of SDM Vol. 3A.
"""

from dataclasses import dataclass, field

MODES = ("fixed", "lowest", "smi", "remote-read", "nmi", "init", "sipi", "reserved")
SHORTHANDS = ("none", "self", "all", "all-but-self")
ALLOWED = {
    ("fixed", "none"), ("fixed", "self"), ("fixed", "all"), ("fixed", "all-but-self"),
    ("lowest", "none"), ("lowest", "all-but-self"),
    ("smi", "none"), ("smi", "all-but-self"),
    ("remote-read", "none"),
    ("nmi", "none"), ("nmi", "all-but-self"),
    ("init", "none"), ("init", "all-but-self"),
    ("sipi", "none"), ("sipi", "all-but-self"),
}  # fmt: skip
"""Table "Valid Combinations for the xAPIC Local APIC's Interrupt Command Register"; a
remote read, which that table does not have, names one processor."""
SEND_ILLEGAL, RECEIVE_ILLEGAL = 5, 6
"""Bits of the ESR ("Error Handling")."""
LEGAL_MOVES = {
    ("disabled", "disabled"), ("disabled", "xapic"), ("xapic", "xapic"),
    ("xapic", "disabled"), ("xapic", "x2apic"), ("x2apic", "x2apic"),
    ("x2apic", "disabled"),
}  # fmt: skip
""""x2APIC State Transitions"; all others are #GP(0)."""


# Priorities.


def as_bits(found: set[int]) -> int:
    """Write a set down as a register."""
    return sum(2**each for each in found)


def as_set(register: int) -> set[int]:
    """Read a register as the set of its bits."""
    text = f"{register:b}"
    return {n for n, digit in enumerate(reversed(text)) if digit == "1"}


def class_of(vector: int) -> int:
    """Give the priority class ("Interrupt, Task, and Processor Priority")."""
    return vector // 16


def processor_priority(tpr: int, serving: set[int]) -> int:
    """Give the PPR ("Task and Processor Priorities")."""
    in_service = max([class_of(vector) for vector in serving], default=0)
    if class_of(tpr) >= in_service:
        return tpr
    return in_service * 16


def next_vector(waiting: set[int], ppr: int) -> int | None:
    """Give the vector that the processor would be given now, if any."""
    able = [vector for vector in waiting if class_of(vector) > class_of(ppr)]
    return max(able, default=None)


# Interprocessor interrupts.


@dataclass
class Request:
    """An ICR, taken apart ("Interrupt Command Register (ICR)")."""

    vector: int
    mode: str
    logical: bool
    assert_: bool
    level: bool
    shorthand: str
    destination: int
    wide: bool
    """Sent in x2APIC mode."""


def read_icr(icr: int, *, wide: bool) -> Request:
    """Take an ICR apart, digit by digit."""
    text = f"{icr:064b}"

    def field_at(high: int, low: int) -> int:
        return int(text[63 - high : 64 - low], 2)

    return Request(
        vector=field_at(7, 0),
        mode=MODES[field_at(10, 8)],
        logical=field_at(11, 11) == 1,
        assert_=field_at(14, 14) == 1,
        level=field_at(15, 15) == 1,
        shorthand=SHORTHANDS[field_at(19, 18)],
        destination=field_at(63, 32 if wide else 56),
        wide=wide,
    )


def refused(ask: Request, *, bhyve: bool = False) -> str:
    """Name the reason why nothing is sent, or give nothing.

    INIT level de-assert is for processors before the Pentium 4, and from there on the
    level bit of an edge means nothing; `bhyve` wants it set. SMI and remote read are
    not there to be sent; for `bhyve` lowest priority neither, and it drops a level
    de-assert that the manual sends as an edge (note 2 of the table).
    """
    if ask.mode == "reserved" or (ask.mode, ask.shorthand) not in ALLOWED:
        return "combination"
    if ask.mode == "init" and not ask.assert_ and (ask.level or bhyve):
        return "de-assert" if ask.level else "level bit"
    if bhyve and ask.mode != "sipi" and ask.level and not ask.assert_:
        return "de-assert"
    if ask.mode in ("smi", "remote-read") or (bhyve and ask.mode == "lowest"):
        return "unimplemented"
    if ask.mode in ("fixed", "lowest") and ask.vector in range(16):
        return "vector"
    return ""


# The APICs.


@dataclass
class OracleApic:
    """One local APIC."""

    number: int
    mode: str = "xapic"
    on: bool = False
    """SVR bit 8."""
    tpr: int = 0
    waiting: set[int] = field(default_factory=set)
    """IRR."""
    serving: set[int] = field(default_factory=set)
    """ISR."""
    level: set[int] = field(default_factory=set)
    """TMR."""
    id: int = -1
    """The xAPIC id, which begins as the number."""
    logical: int = 0
    """LDR bits 31:24."""
    model: int = 15
    """DFR bits 31:28."""
    error_vector: int = 0
    error_masked: bool = True
    shown: set[int] = field(default_factory=set)
    """ESR bits as they read."""
    found: set[int] = field(default_factory=set)
    """ESR bits since its last write."""

    def __post_init__(self) -> None:
        if self.id == -1:
            self.id = self.number

    @property
    def ppr(self) -> int:
        """PPR."""
        return processor_priority(self.tpr, self.serving)

    @property
    def next(self) -> int | None:
        """The vector that it would give to its processor."""
        return next_vector(self.waiting, self.ppr)

    def receive(self, vector: int, *, level: bool = False) -> bool:
        """Take a message ("Interrupt Acceptance for Fixed Interrupts")."""
        if vector < 16:
            self.error(RECEIVE_ILLEGAL)
            return False
        if self.mode == "disabled" or not self.on:
            return False
        self.waiting |= {vector}
        if level:
            self.level |= {vector}
        else:
            self.level -= {vector}
        return True

    def error(self, bit: int) -> None:
        """Note an error; the first of its kind is an interrupt ("Error Handling")."""
        first = bit not in self.found
        self.found |= {bit}
        if first and not self.error_masked:
            self.receive(self.error_vector)

    def deliver(self) -> int:
        """Give the next vector to the processor."""
        vector = max(self.waiting)
        self.waiting -= {vector}
        self.serving |= {vector}
        return vector

    def end(self) -> tuple[int, bool] | None:
        """EOI: what ended, and whether it was level-triggered."""
        if not self.serving:
            return None
        vector = max(self.serving)
        self.serving -= {vector}
        return vector, vector in self.level

    def switch(self, *, on: bool) -> None:
        """SVR bit 8 ("Local APIC State After It Has Been Software Disabled")."""
        self.on = on
        if not on:
            self.error_masked = True

    def write_error_entry(self, vector: int, *, masked: bool) -> None:
        """LVT error entry ("Local Vector Table")."""
        self.error_vector = vector
        self.error_masked = masked or not self.on
        if vector < 16:
            self.error(RECEIVE_ILLEGAL)

    def write_esr(self) -> None:
        """Show what was found, and begin anew."""
        self.shown, self.found = self.found, set()

    def move(self, mode: str) -> bool:
        """Change the mode; False is #GP ("x2APIC State Transitions")."""
        if (self.mode, mode) not in LEGAL_MOVES:
            return False
        if mode == "disabled" != self.mode:
            fresh = OracleApic(self.number)
            self.__dict__.update(fresh.__dict__)
        if mode == "x2apic" != self.mode:
            self.id, self.logical = self.number, 0
        self.mode = mode
        return True

    def is_named(self, destination: int, *, logical: bool, wide: bool) -> bool:
        """Tell whether it is meant ("Determining IPI Destination").

        The manual has every APIC in one mode. Here the sender's says how wide the
        destination is, and the receiver reads it in its own way.
        """
        if destination == (0xFFFF_FFFF if wide else 0xFF):
            return True
        if self.mode == "x2apic":
            if not logical:
                return destination == self.number
            cluster, members = divmod(destination, 2**16)
            # "Deriving Logical x2APIC ID from the Local x2APIC ID".
            own = divmod(self.number, 16)
            return cluster == own[0] and own[1] in as_set(members)
        if not logical:
            return destination == self.id
        message = destination % 256
        if self.model == 15:
            return bool(as_set(message) & as_set(self.logical))
        if self.model == 0:
            same = message // 16 == self.logical // 16
            return same and bool(as_set(message % 16) & as_set(self.logical % 16))
        return False  # the other models are reserved


def winner(apics: list[OracleApic]) -> set[int]:
    """Name who gets a lowest-priority message ("Lowest Priority Delivery Mode")."""
    best: OracleApic | None = None
    for apic in sorted(apics, key=lambda each: each.number):
        if not apic.on or apic.mode == "disabled":
            continue
        if best is None or class_of(apic.ppr) < class_of(best.ppr):
            best = apic
    return set() if best is None else {best.number}


def reached(ask: Request, sender: int, apics: list[OracleApic]) -> set[int]:
    """Name those whom an IPI reaches."""
    if ask.shorthand == "self":
        return {sender}
    meant = []
    for apic in apics:
        if apic.mode == "disabled":
            continue
        if ask.shorthand == "all-but-self" and apic.number == sender:
            continue
        if ask.shorthand == "none" and not apic.is_named(
            ask.destination, logical=ask.logical, wide=ask.wide
        ):
            continue
        meant.append(apic)
    if ask.mode == "lowest":
        return winner(meant)
    return {apic.number for apic in meant}
