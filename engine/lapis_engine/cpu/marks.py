"""Marked instructions: the processor stops before them, and the engine has a look.

Stock Unicorn asks of each instruction that it is about to translate whether a run ends
there (`uc_addr_is_exit`): it looks the linear address up in a tree of the addresses
that were given to it. The tree compares by a function of its own, and here that
function looks at the instruction instead. What it marks is never translated; the code
around it runs as fast as ever, for nothing is asked of a block that was translated.

An instruction of which the telling bytes lie on the next page is the first of its block
(`ahead`): the next page is about to be fetched from, and is looked at; where that
faults, it is marked, too. So is one that a vCPU's debug registers have armed, and one
that may lie at a physical breakpoint, by its place in the page. Whoever is told of a
marked instruction looks at all of it. And where RFLAGS.RF is set, each is:
such blocks are translated for that flag alone, and the flag shall hold for one
instruction.
"""

from __future__ import annotations

import ctypes as c
from typing import TYPE_CHECKING, Final, Literal

from unicorn import UC_PROT_EXEC
from unicorn.unicorn_py3.unicorn import uclib

from lapis_engine.cpu import layout, strict
from lapis_engine.cpu.ahead import end_block, operations
from lapis_engine.cpu.intercepts import Marked
from lapis_engine.cpu.marked import (
    LONGEST,
    NO_OFFER,
    Kind,
    candidates,
    halts,
    is_repeated,
    look,
    look_protected,
    look_stepped,
    look_v86,
)
from lapis_engine.cpu.registers import RF, TF
from lapis_engine.errors import ProcessorError
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from unicorn import Uc

    from lapis_engine.cpu.blocks import Looker
    from lapis_engine.cpu.marked import Mark, Offer

NOWHERE: Final = 0x8000_0000_0000
"""An address that is no instruction's: the one that stands in the tree."""
COMPARE: Final = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_uint64), c.c_void_p, c.c_void_p)
SAME: Final = 0
BEHIND: Final = 1


class Marks:
    """Looks at each instruction that one Unicorn instance is about to translate."""

    __slots__ = (
        "_armed", "_buffer", "_compare", "_handle", "_is_strict", "_is_usual",
        "_looker", "_offer", "_offsets", "_operations", "_past", "_state",
    )  # fmt: skip

    def __init__(
        self, uc: Uc, state: layout.Head, looker: Looker | None = None
    ) -> None:
        """Look from now on; `state` is the processor's, as it is at any time.

        `looker` asks here of what may be marked alone. Raises `ProcessorError` for a
        build of Unicorn that is laid out otherwise.
        """
        self._past: int | None = None
        self._armed: frozenset[int] = frozenset()
        self._is_strict = self._is_usual = False
        self._offsets: frozenset[int] = frozenset()
        self._offer = NO_OFFER
        self._state = state
        self._operations = operations(uc)
        self._handle = uc._uch  # noqa: SLF001 - the handle has no public name
        self._buffer = c.create_string_buffer(LONGEST)
        self._compare = COMPARE(self._look)
        self._looker = looker
        tree = _tree(uc)
        ask = c.cast(self._compare, c.c_void_p).value or 0
        if looker is None:
            tree.compare = ask
        else:
            looker.begin(uc, state, ask, self._operations)
            looker.may_be(*candidates(NO_OFFER))
            tree.compare, tree.data = looker.function, c.addressof(looker.record)

    @property
    def past(self) -> int | None:
        """Linear address of an instruction that is let through."""
        return self._past

    @past.setter
    def past(self, linear: int | None) -> None:
        self._past = linear
        self._ask()

    @property
    def armed(self) -> frozenset[int]:
        """Linear addresses at which a guest's debug register waits."""
        return self._armed

    @armed.setter
    def armed(self, linears: frozenset[int]) -> None:
        self._armed = linears
        self._ask()

    @property
    def offsets(self) -> frozenset[int]:
        """Places in a page; what lies at one may be at a physical breakpoint."""
        return self._offsets

    @offsets.setter
    def offsets(self, places: frozenset[int]) -> None:
        self._offsets = places
        self._ask()

    @property
    def is_strict(self) -> bool:
        """Tell whether what `strict` has is marked, too."""
        return self._is_strict

    @is_strict.setter
    def is_strict(self, value: bool) -> None:
        self._is_strict = value
        self._ask()

    @property
    def is_usual(self) -> bool:
        """Tell whether of that what is seldom met is marked."""
        return self._is_usual

    @is_usual.setter
    def is_usual(self, value: bool) -> None:
        self._is_usual = value
        if self._looker is not None:
            none = frozenset[int]()
            usual = (strict.USUAL_0, *strict.USUAL_16) if value else (none, none, none)
            self._looker.may_break(*usual)

    @property
    def offer(self) -> Offer:
        """What the model of the processor has marked."""
        return self._offer

    @offer.setter
    def offer(self, offer: Offer) -> None:
        self._offer = offer
        if self._looker is not None:
            self._looker.may_be(*candidates(offer))

    def _ask(self) -> None:
        """Have the looker ask of every instruction while it cannot tell."""
        if self._looker is not None:
            is_past, armed = self._past is not None, self._armed or self._offsets
            self._looker.record.all = is_past or bool(armed) or self._is_strict

    def at(self, linear: int) -> Marked | None:
        """Return what is marked there, or None.

        What is let through was met as a marked one before.
        """
        return self._at(linear, self._code(linear))

    def _at(self, linear: int, code: bytes) -> Marked | None:
        state = self._state
        flags = state.eflags
        is_armed = linear in self._armed or linear % PAGE in self._offsets
        if linear == self._past or is_armed or flags & RF:
            return Marked()
        bits = state.hflags | flags & TF
        if self._is_usual and strict.is_exempt(linear):
            bits &= ~layout.HF_LIMITED
        mark = self.find(code, bits, linear)
        if mark is not None and mark.kind is Kind.UNTOLD:
            whole = self.code(linear)
            if len(whole) > len(code):
                mark = self.find(whole, bits, linear)
        return None if mark is None else Marked(mark)

    def find(self, code: bytes, hflags: int, linear: int) -> Mark | None:
        """Return what is marked at the begin of `code`, or None.

        RFLAGS.TF counts in `hflags`, where it is in the block's own flags only.
        """
        bits = _bits(hflags)
        mark = look(code, bits, self._offer)
        if mark is None and hflags & layout.HF_VM and bits == 16:
            mark = look_v86(code)
        if mark is None and hflags & (layout.HF_PE | layout.HF_VM) == layout.HF_PE:
            is_kernels = hflags & layout.HF_LMA and not hflags & layout.HF_CPL
            irets = self._is_strict or not is_kernels
            mark = look_protected(code, bits, irets=irets)
        if mark is None and hflags & layout.HF_TF:
            mark = look_stepped(code, bits)
        if mark is None and (self._is_strict or self._is_usual):
            usual = not self._is_strict
            mark = strict.look(code, bits, hflags, usual=usual, at=linear)
        return mark

    def _look(
        self, address: c._Pointer[c.c_uint64], _key: object, _data: object
    ) -> int:
        linear = address[0]
        end_block(self._operations, linear)
        code = self._code(linear)
        if self._halts(code):
            return SAME
        return BEHIND if linear == self._past or not self._at(linear, code) else SAME

    def met(self, linear: int) -> Marked | Literal["HLT"] | None:
        """Return what a stop there is for: a HLT that faults on nothing, or a mark.

        HLT stops as what is marked does, so that the two are counted alike. One that a
        debug register has armed, and that is not let through, is a mark.
        """
        code = self._code(linear)
        is_armed = linear in self._armed and linear != self._past
        if not is_armed and self._halts(code):
            return "HLT"
        return self._at(linear, code)

    def _halts(self, code: bytes) -> bool:
        hflags = self._state.hflags
        return not hflags & layout.HF_CPL and halts(code, _bits(hflags))

    def is_repeated(self, linear: int) -> bool:
        """Tell whether a string instruction with REP stands there."""
        return is_repeated(self._code(linear), _bits(self._state.hflags))

    def code(self, linear: int) -> bytes:
        """Return up to 15 bytes at `linear`, fewer where a page ends them."""
        code = self._code(linear)
        if code and len(code) < LONGEST:
            code += self._code(linear + len(code))[: LONGEST - len(code)]
        return code

    def _code(self, linear: int) -> bytes:
        """Return what stands at `linear`, up to the end of its page."""
        size = min(LONGEST, PAGE - linear % PAGE)
        failed = uclib.uc_vmem_read(
            self._handle, c.c_uint64(linear), UC_PROT_EXEC, self._buffer, size
        )
        return b"" if failed else self._buffer.raw[:size]


def _bits(hflags: int) -> int:
    """Return those of CS."""
    if hflags & layout.HF_CS64:
        return 64
    return 32 if hflags & layout.HF_CS32 else 16


def _tree(uc: Uc) -> layout.Tree:
    """Return the tree of `ctl_set_exits`, after checking what it holds."""
    uc.ctl_exits_enabled(True)  # noqa: FBT003 - unicorn's signature
    uc.ctl_set_exits([NOWHERE])
    handle = c.cast(uc._uch, c.c_void_p).value or 0  # noqa: SLF001
    place = c.c_size_t.from_address(handle + layout.EXITS).value
    if not place or place % 8:
        raise ProcessorError("this build of unicorn keeps its exits elsewhere")
    tree = layout.Tree.from_address(place)
    if tree.nodes != 1 or not tree.compare or tree.compare % 4:
        raise ProcessorError("this build of unicorn keeps its exits elsewhere")
    return tree
