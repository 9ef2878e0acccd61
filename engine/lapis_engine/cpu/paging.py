"""Linear memory as a vCPU sees it, for accesses that the engine makes in its place.

Walks the guest's page tables anew each time. Says nothing about segments: limits and
canonical addresses are checked by who makes the access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.cpu.breach import Breach
from lapis_engine.cpu.fault import PF_, PF_I, PF_P, PF_RSVD, PF_U, PF_W, GuestFault
from lapis_engine.cpu.page_formats import (
    ACCESSED,
    ADDRESS,
    ALL_RIGHTS,
    DIRTY,
    LARGE,
    NX,
    PRESENT,
    USER,
    WRITABLE,
    format_of,
    page_address,
)
from lapis_engine.cpu.registers import (
    AC,
    CR0_WP,
    CR4_PAE,
    CR4_PSE,
    CR4_SMAP,
    CR4_SMEP,
    EFER_LMA,
    EFER_NXE,
)
from lapis_engine.units import MASK32, MASK64, PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.cpu.registers import Registers
    from lapis_engine.memory.physical import PhysicalMemory


class LinearHole(Exception):  # noqa: N818 - neither the guest's fault nor our error
    """An access that the page tables allow reaches no memory (or writes to ROM)."""

    def __init__(self, gpa: int, size: int, *, write: bool) -> None:
        """Carry the first `size` bytes at `gpa`, within one page, without memory."""
        super().__init__(gpa, size, write)
        self.gpa = gpa
        self.size = size
        self.write = write


RULES: Final = {
    "not-present": Breach.PAGE_ABSENT,
    "reserved": Breach.PAGE_RESERVED,
    "read-only": Breach.PAGE_READ_ONLY,
    "supervisor-page": Breach.PAGE_SUPERVISOR,
    "no-execute": Breach.PAGE_NO_EXECUTE,
    "smep": Breach.PAGE_SMEP,
    "smap": Breach.PAGE_SMAP,
}
"""What a walk says of a refusal -> the rule."""


class Leaf(NamedTuple):
    """Where a walk ended."""

    gpa: int
    at: int
    """Guest-physical address of the entry that maps the page."""
    entry: int
    rights: int


class Step(NamedTuple):
    """An entry of a paging structure that a walk has read."""

    shift: int
    """Lowest bit of the linear address that indexes its table."""
    at: int
    """Its guest-physical address."""
    size: int
    """Bytes of it."""
    raw: int
    """Zero where there is no memory, which is as if it were not present."""
    is_leaf: bool
    """It maps a page, if it is present and breaks no rule."""
    reserved: int
    """Bits that are set in it and must be 0."""


class Walk(NamedTuple):
    """What an access of some kind would come to; nothing was set for it."""

    steps: tuple[Step, ...]
    """From the root on; none without paging."""
    gpa: int | None
    """Where the address is mapped, be it allowed or not."""
    rights: int
    """Of all levels, as `ALL_RIGHTS` has them; 0 where nothing is mapped."""
    refusal: str | None
    """Code of the rule that refuses it: not-present, reserved, or as `denied` has."""
    error: int | None
    """The error code of its #PF."""


class Linear:
    """Linear memory under the present paging mode of one vCPU.

    `user` asks for the rights of CPL 3; everything else is a supervisor access.
    """

    # Differs from the SDM: translations are never cached, and neither are the PDPTEs
    # of PAE paging, whose reserved bits are therefore found by the walk.
    # Not modelled: protection keys and 5-level paging, which the processor lacks.

    __slots__ = ("_memory", "_regs")

    def __init__(self, regs: Registers, memory: PhysicalMemory) -> None:
        """See `memory` through the paging mode and tables that `regs` names."""
        self._regs = regs
        self._memory = memory

    def translate(
        self,
        linear: int,
        *,
        write: bool = False,
        user: bool = False,
        fetch: bool = False,
    ) -> int:
        """Return the gpa behind `linear`; set A and D as the access would.

        Raises `GuestFault` (#PF) with its error code (SDM Vol. 3A "Page-Fault
        Exceptions").
        """
        regs = self._regs
        if linear & ~MASK32:
            linear &= MASK64 if regs.efer & EFER_LMA else MASK32
        if not regs.paging:
            return linear
        leaf = self._walk(linear, touch=True)
        if isinstance(leaf, int):
            error = leaf | self._kind(write=write, user=user, fetch=fetch)
            refusal = "reserved" if leaf else "not-present"
            raise self._fault(refusal, error, linear, fetch=fetch)
        denied = self.denied(leaf.rights, write=write, user=user, fetch=fetch)
        if denied is not None:
            error = PF_P | self._kind(write=write, user=user, fetch=fetch)
            raise self._fault(denied, error, linear, fetch=fetch)
        self._mark(leaf.at, leaf.entry, ACCESSED | (DIRTY if write else 0))
        return leaf.gpa

    def peek(self, linear: int) -> int | None:
        """Return the gpa behind `linear`, or None; sets no bit and asks no rights."""
        if linear & ~MASK32:
            linear &= MASK64 if self._regs.efer & EFER_LMA else MASK32
        if not self._regs.paging:
            return linear
        leaf = self._walk(linear, touch=False)
        return None if isinstance(leaf, int) else leaf.gpa

    def walk(
        self,
        linear: int,
        *,
        write: bool = False,
        user: bool = False,
        fetch: bool = False,
    ) -> Walk:
        """Return how an access would be translated, entry by entry; sets no bit."""
        regs = self._regs
        linear &= MASK64 if regs.efer & EFER_LMA else MASK32
        if not regs.paging:
            return Walk((), linear, ALL_RIGHTS, None, None)
        trail: list[Step] = []
        leaf = self._walk(linear, touch=False, trail=trail)
        kind = self._kind(write=write, user=user, fetch=fetch)
        if isinstance(leaf, int):
            refusal = "reserved" if leaf & PF_RSVD else "not-present"
            return Walk(tuple(trail), None, 0, refusal, leaf | kind)
        denied = self.denied(leaf.rights, write=write, user=user, fetch=fetch)
        error = None if denied is None else PF_P | kind
        return Walk(tuple(trail), leaf.gpa, leaf.rights, denied, error)

    def read(self, linear: int, size: int, *, user: bool = False) -> bytes:
        """Return `size` bytes; raise `GuestFault`, or `LinearHole` without memory."""
        if (linear & (PAGE - 1)) + size <= PAGE:  # nearly always
            gpa = self.translate(linear, user=user)
            region = self._memory.region(gpa)
            if region is None:
                raise LinearHole(gpa, size, write=False)
            return region.read(gpa, size)
        pieces = [
            (self.translate(at, user=user), n) for at, n in _by_page(linear, size)
        ]
        for gpa, n in pieces:
            if self._memory.region(gpa) is None:
                raise LinearHole(gpa, n, write=False)
        return b"".join(self._memory.read(gpa, n) for gpa, n in pieces)

    def write(self, linear: int, data: bytes, *, user: bool = False) -> None:
        """Store `data`, all or nothing; raise `GuestFault` or `LinearHole`."""
        size = len(data)
        if (linear & (PAGE - 1)) + size <= PAGE:  # nearly always
            gpa = self.translate(linear, write=True, user=user)
            region = self._memory.region(gpa)
            if region is None or region.rom:
                raise LinearHole(gpa, size, write=True)
            self._memory.write(gpa, data)
            return
        pieces = [
            (self.translate(at, write=True, user=user), n)
            for at, n in _by_page(linear, size)
        ]
        for gpa, n in pieces:
            region = self._memory.region(gpa)
            if region is None or region.rom:
                raise LinearHole(gpa, n, write=True)
        for gpa, n in pieces:
            self._memory.write(gpa, data[:n])
            data = data[n:]

    def read_uint(self, linear: int, size: int, *, user: bool = False) -> int:
        """Return a little-endian integer of `size` bytes, as `read`."""
        return int.from_bytes(self.read(linear, size, user=user), "little")

    def _walk(
        self, linear: int, *, touch: bool, trail: list[Step] | None = None
    ) -> Leaf | int:
        """Return the leaf, or bits P and RSVD of the error code.

        What is read on the way is put on `trail`.
        """
        regs = self._regs
        cr4, efer = regs.cr4, regs.efer
        form = format_of(
            bool(cr4 & CR4_PAE),
            bool(efer & EFER_LMA),
            bool(cr4 & CR4_PSE),
            bool(efer & EFER_NXE),
        )
        table, rights = regs.cr3 & form.root, ALL_RIGHTS
        for level in form.levels:
            at = table + ((linear >> level.shift) & form.index_mask) * form.size
            entry = self._entry(at, form.size)
            leaf = level.shift == 12 or (level.large and bool(entry & LARGE))
            large = leaf and level.shift != 12
            reserved = entry & (level.reserved_large if large else level.reserved)
            if trail is not None:
                step = Step(level.shift, at, form.size, entry, leaf, reserved)
                trail.append(step)
            if not entry & PRESENT:
                return 0
            if reserved:
                return PF_P | PF_RSVD
            if level.rights:
                rights &= entry ^ NX
            if leaf:
                return Leaf(
                    page_address(entry, level.shift, form.size, linear),
                    at,
                    entry,
                    rights,
                )
            if touch and level.rights:
                self._mark(at, entry, ACCESSED)
            table = entry & ADDRESS
        raise AssertionError(f"a walk of {linear:#x} without a leaf")

    def _entry(self, at: int, size: int) -> int:
        region = self._memory.region(at)
        if region is None:
            return 0  # Not modelled: paging structures outside memory; not present
        return int.from_bytes(region.read(at, size), "little")

    def _mark(self, at: int, entry: int, bits: int) -> None:
        if not bits & ~entry:
            return
        region = self._memory.region(at)
        if region is not None and not region.rom:
            # All of A and D lie in the entry's low byte.
            self._memory.write(at, bytes(((entry | bits) & 0xFF,)))

    def denied(
        self, rights: int, *, write: bool, user: bool, fetch: bool
    ) -> str | None:
        """Return which rule forbids an access to a page of such `rights`, or None.

        That is no-execute, supervisor-page, read-only, smep or smap (SDM Vol. 3A
        "Determination of Access Rights").
        """
        regs = self._regs
        if fetch and not rights & NX:
            return "no-execute"
        if user:
            if not rights & USER:
                return "supervisor-page"
        elif rights & USER:
            if fetch:
                return "smep" if regs.cr4 & CR4_SMEP else None
            if regs.cr4 & CR4_SMAP and not self._may_touch_user():
                return "smap"
        if not write or rights & WRITABLE or not (user or regs.cr0 & CR0_WP):
            return None
        return "read-only"

    def _may_touch_user(self) -> bool:
        # Differs from the SDM: RFLAGS.AC also covers implicit accesses (to descriptor
        # tables and the TSS) at CPL 0 to 2, as it does in the processor underneath.
        return self._regs.cpl < 3 and bool(self._regs.rflags & AC)

    @staticmethod
    def _fault(refusal: str, error: int, linear: int, *, fetch: bool) -> GuestFault:
        rule, values = RULES[refusal], (linear, error | PF_I if fetch else error)
        return GuestFault(PF_, error, linear, rule=rule, values=values)

    def _kind(self, *, write: bool, user: bool, fetch: bool) -> int:
        """Return the bits of an error code that say what the access was."""
        code = (PF_W if write else 0) | (PF_U if user else 0)
        cr4 = self._regs.cr4
        has_fetch = (cr4 & CR4_PAE and self._regs.efer & EFER_NXE) or cr4 & CR4_SMEP
        return code | PF_I if fetch and has_fetch else code


def _by_page(linear: int, size: int) -> Iterator[tuple[int, int]]:
    """Split a run of bytes where pages meet: (linear address, bytes)."""
    while size:
        n = min(size, PAGE - linear % PAGE)
        yield linear, n
        linear, size = linear + n, size - n
