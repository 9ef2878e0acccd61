"""Where the debugger wants to be told: breakpoints, and accesses to memory.

Hooks are translated into the code, so whoever changes any drops all translations.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from unicorn import UC_HOOK_CODE, UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE, UC_MEM_WRITE

from lapis_engine.cpu import far_return
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unicorn import Uc

    from lapis_engine.cpu.layout import Head

MOST_STORED: Final = 64
"""Bytes that one access of the processor has, at most."""


Place = tuple[int, int]
"""(guest-physical address, bytes)."""


class Reached(NamedTuple):
    """An access of the processor's to memory that is watched."""

    is_write: bool
    gpa: int
    size: int
    """Bytes."""


Told = Callable[[Reached], None]


class Stops:
    """The hooks of one Unicorn instance that are the debugger's."""

    __slots__ = (
        "_budget", "_counter", "_state", "_uc", "_watches", "breakpoints", "cut_at",
        "peek", "physical",
    )  # fmt: skip
    __deletable__ = ("_uc",)  # by `close`; mypyc wants to know

    def __init__(self, uc: Uc, counter: c.c_size_t, state: Head) -> None:
        """Set none yet; `counter` counts the instructions of a run on `state`."""
        self._uc, self._state = uc, state
        self._counter = counter
        self._budget = type(counter).from_address(after(counter))
        self.cut_at = 0
        """Number of the instruction behind which the present start ends, or 0."""
        self._watches: list[int] = []
        self.breakpoints: dict[int, int] = {}
        """Linear address -> hook."""
        self.physical: frozenset[int] = frozenset()
        """Guest-physical addresses of instructions to stop before as well."""
        self.peek: Callable[[int], int | None] = int
        """Where a linear address of the vCPU that runs lies, without a trace of it."""

    def close(self) -> None:
        """Let go of the instance, which takes its hooks along."""
        self.breakpoints.clear()
        self._watches.clear()
        del self._uc

    @property
    def has_any(self) -> bool:
        """Tell whether there is any breakpoint."""
        return bool(self.breakpoints or self.physical)

    @property
    def offsets(self) -> frozenset[int]:
        """Where in a page an instruction lies that may be one of `physical`."""
        return frozenset(at % PAGE for at in self.physical)

    def is_at(self, linear: int) -> bool:
        """Tell whether one of `physical` is the instruction there.

        Who asks has saved the state of the vCPU that runs.
        """
        return linear % PAGE in self.offsets and self.peek(linear) in self.physical

    def put_physical(self, addresses: Iterable[int]) -> bool:
        """Have breakpoints at these; tell whether that changed anything."""
        wanted = frozenset(addresses)
        is_other, self.physical = wanted != self.physical, wanted
        return is_other

    @property
    def is_watching(self) -> bool:
        """Tell whether accesses to memory are told of."""
        return bool(self._watches)

    def cut(self) -> None:
        """End the run behind the present instruction, as if it was asked for no more.

        A stop would come before an instruction that has to be started a second time.
        """
        self.cut_at = self._budget.value = self._counter.value

    def put(self, linears: Iterable[int], hit: Callable[..., None]) -> bool:
        """Call `hit` before the instruction at each of these, and at no other.

        Tells whether that changed anything.
        """
        wanted = set(linears)
        if wanted == set(self.breakpoints):
            return False
        for linear in sorted(set(self.breakpoints) - wanted):
            self._uc.hook_del(self.breakpoints.pop(linear))
        for linear in sorted(wanted - set(self.breakpoints)):
            hook = self._uc.hook_add(UC_HOOK_CODE, hit, None, linear, linear)
            self.breakpoints[linear] = hook
        return True

    def watch(
        self, writes: Iterable[Place], reads: Iterable[Place], tell: Told
    ) -> None:
        """Tell of every access to these, before it is made, and of no others."""
        for hook in self._watches:
            self._uc.hook_del(hook)

        def accessed(
            _uc: Uc, kind: int, at: int, size: int, _value: int, where: Place
        ) -> None:
            first, length = where
            if at < first + length and first < at + size:
                tell(Reached(kind == UC_MEM_WRITE, at, size))
            if kind != UC_MEM_WRITE:
                far_return.go_on(self._uc, self._state, at, size)

        wanted = [(UC_HOOK_MEM_WRITE, place) for place in writes]
        wanted += [(UC_HOOK_MEM_READ, place) for place in reads]
        self._watches = [
            self._uc.hook_add(
                hook, accessed, place, max(place[0] - MOST_STORED, 0), sum(place) - 1
            )
            for hook, place in wanted
        ]


def after(counter: c.c_size_t) -> int:
    """Return where the count stands that was asked for: behind that of what is done."""
    return c.addressof(counter) + c.sizeof(counter)
