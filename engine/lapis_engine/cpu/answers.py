"""Plain accesses that are answered where the instruction runs, without an exit.

What they get is put in from outside, as data, and forgotten as soon as anything has
happened that it may depend on. Of the two ways of counting the one by blocks answers
(`answers.c`); the other has no table, and takes nothing.
"""

from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lapis_engine.cpu import layout
from lapis_engine.cpu.registers import FS, GS
from lapis_engine.plain import Plain, PlainWrite
from lapis_engine.units import MASK64

if TYPE_CHECKING:
    from lapis_engine.cpu.context import Context

Space = Literal["port", "mmio", "msr", "cpuid"]
SPACES: Final[tuple[Space, ...]] = ("port", "mmio", "msr", "cpuid")
"""By `enum space`."""
NEVER: Final = (1 << 64) - 1
MOST_NOTES: Final = 64
MOST_DULL: Final = 64
DULL_FOR: Final = 200
"""Times that an access is not looked at again."""
SIZED: Final = frozenset({"port", "mmio"})
"""Spaces in which an access has a size."""


class AnswerRecord(c.Structure):
    """`struct answer`."""

    _fields_ = (
        ("epoch", c.c_uint64),
        ("owner", c.c_void_p),
        ("address", c.c_uint64),
        ("space", c.c_uint32),
        ("size", c.c_uint32),
        ("is_write", c.c_uint32),
        ("is_noted", c.c_uint32),
        ("falls", c.c_uint32),
        ("shift", c.c_uint32),
        ("times", c.c_uint32),
        ("place", c.c_uint32),
        ("base", c.c_uint64),
        ("second", c.c_uint64),
        ("origin", c.c_uint64),
        ("numerator", c.c_uint64),
        ("denominator", c.c_uint64),
        ("mask", c.c_uint64),
        ("until", c.c_uint64),
        ("cost", c.c_uint64),
    )


class NoteRecord(c.Structure):
    """`struct note`."""

    _fields_ = (
        ("before", c.c_uint64),
        ("spent", c.c_uint64),
        ("address", c.c_uint64),
        ("value", c.c_uint64),
        ("space", c.c_uint32),
        ("is_write", c.c_uint32),
    )


class Table(c.Structure):
    """`struct answers` up to its slots."""

    _fields_ = (
        ("epoch", c.c_uint64),
        ("now", c.c_uint64),
        ("before", c.c_uint64),
        ("tsc_offset", c.c_uint64),
        ("tsc_hz", c.c_uint64),
        ("tsc_cost", c.c_uint64),
        ("due", c.c_uint64),
        ("spent", c.c_uint64),
        ("count", c.c_uint64),
        ("n_notes", c.c_uint32),
        ("may_note", c.c_uint32),
        ("notes", NoteRecord * MOST_NOTES),
    )


class Place(NamedTuple):
    """What an instruction accesses."""

    space: Space
    address: int
    """A port, a guest-physical address, an MSR; of CPUID leaf << 32 | sub-leaf."""
    size: int = 0
    """Bytes, of a port and of memory."""
    write: bool = False


class Note(NamedTuple):
    """An access that was answered, and of which whoever serves it is still to know."""

    before: int
    """Instructions of the run before it."""
    spent: int
    """ns that accesses of the run before it took, beside their instructions."""
    space: Space
    address: int
    write: bool
    value: int


class Cpuid(NamedTuple):
    """What CPUID gives."""

    eax: int
    ebx: int
    ecx: int
    edx: int


class OwnRegister(NamedTuple):
    """A register of the processor's own, which holds an address."""

    place: int
    """Its offset in the state."""


OWN_REGISTERS: Final = {
    0xC000_0100: layout.segment_base(FS),
    0xC000_0101: layout.segment_base(GS),
    0xC000_0102: layout.MSRS[0xC000_0102],
}
"""MSRs that instructions change without an exit, too (MOV to FS and GS, SWAPGS), and
where they are in the state."""

Answer = Plain | PlainWrite | Cpuid | OwnRegister


class Answers:
    """What accesses get that are answered at once.

    An access is answered so from its third time on: most come but once before
    something else happens, and for those a table would be work for nothing.
    """

    __slots__ = (
        "_dull", "_handle", "_library", "_seen", "_tsc_offset", "has_notes", "is_there",
        "table",
    )  # fmt: skip

    def __init__(self, library: c.CDLL | None = None, handle: int = 0) -> None:
        """Hold none. `library` is the compiled part, `handle` its table."""
        self._library, self._handle = library, handle
        self.table = Table.from_address(handle) if library else Table()
        """What C reads: times and the TSC are set before each run."""
        self.table.due = NEVER
        self._seen: set[tuple[Context, Place]] = set()
        self._dull: dict[Place, int] = {}
        self._tsc_offset = 0
        self.is_there = library is not None
        """Something is answered at all."""
        self.has_notes = False
        """`notes` has some."""

    def begin(self, now: int, tsc_offset: int) -> None:
        """Have a run start at `now` ns, on a vCPU whose TSC is so much ahead."""
        table = self.table
        table.now = now
        if tsc_offset != self._tsc_offset:
            self._tsc_offset = tsc_offset
            table.tsc_offset = tsc_offset & MASK64

    def knows(self, context: Context, place: Place) -> bool:
        """Tell whether an access came, or was expected, since all was forgotten."""
        return (context, place) in self._seen

    def is_dull(self, place: Place) -> bool:
        """Tell whether an access was found to be not plain, not long ago."""
        left = self._dull.get(place, 0)
        if left:
            self._dull[place] = left - 1
        return left > 0

    def pass_by(self, place: Place) -> None:
        """Take note that an access is not plain, for some times."""
        if len(self._dull) >= MOST_DULL:
            self._dull.clear()
        self._dull[place] = DULL_FOR

    def forget(self) -> None:
        """Forget all: something has happened."""
        if self._seen:
            self._seen.clear()
            self.table.epoch += 1

    def forget_reads(self, context: Context) -> None:
        """Forget what one vCPU reads, but ports: it has written to its APIC."""
        if self._library is not None and self._seen:
            self._library.answers_forget_reads(self._handle, _owner(context))

    def put(
        self,
        context: Context,
        place: Place,
        answer: Answer,
        *,
        noted: bool,
        cost: int,
        expected: bool = False,
    ) -> bool:
        """Answer an access of one vCPU from now on, if it came before or is `expected`.

        It takes `cost` ns beside its instruction. Tells whether it is answered by
        that: one that has an answer, and came all the same, is not. With `noted` each
        is a note later.
        """
        if self._library is None:
            return False
        asked = context, place
        if asked not in self._seen:
            self._seen.add(asked)
            if not expected:
                return False
        record = AnswerRecord(
            owner=_owner(context),
            address=place.address,
            space=SPACES.index(place.space),
            size=place.size if place.space in SIZED else 0,
            is_write=place.write,
            is_noted=noted,
            until=NEVER,
            cost=cost,
        )
        if self._library.answers_has(self._handle, c.byref(record)):
            return False
        _fill(record, answer)
        self._library.answers_put(self._handle, c.byref(record))
        return True

    def notes(self) -> tuple[Note, ...]:
        """Return what was answered in the last run and is to be told, oldest first."""
        table, self.has_notes = self.table, False
        count, table.n_notes = table.n_notes, 0
        return tuple(
            Note(
                it.before,
                it.spent,
                SPACES[it.space],
                it.address,
                bool(it.is_write),
                it.value,
            )
            for it in table.notes[:count]
        )


def _owner(context: Context) -> int | None:
    return c.cast(context.saved.context, c.c_void_p).value


def _fill(record: AnswerRecord, answer: Answer) -> None:
    if isinstance(answer, Plain):
        record.base, record.origin = answer.base, answer.origin
        record.numerator, record.denominator = answer.numerator, answer.denominator
        record.falls, record.shift = answer.falls, answer.shift
        record.mask = answer.mask
        if answer.until is not None:
            record.until = answer.until
    elif isinstance(answer, PlainWrite):
        record.base, record.origin = answer.least, answer.most
        record.second, record.times = answer.kept, answer.times
        record.numerator = 0 if answer.but is None else answer.but + 1
    elif isinstance(answer, OwnRegister):
        record.place = answer.place
    else:
        record.base = answer.ebx << 32 | answer.eax
        record.second = answer.edx << 32 | answer.ecx
