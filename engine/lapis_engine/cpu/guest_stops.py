"""Where the guest wants to be told: breakpoints on instructions and data by DR0 to DR3.

The code that is translated is that of all vCPUs, and so the processor stops before an
instruction that any of them has armed (`marks`), and whoever is told looks whether it
is one of the vCPU that runs. Of data it is told of every access while any vCPU watches
some: that is slow, and costs nothing otherwise.

# Differs from the SDM: a data breakpoint is hit through every linear address that leads
# to the same memory; the processor underneath tells of physical ones.
# Not modelled: data breakpoints on what the engine itself reads and writes when it
# delivers an event or switches tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from unicorn import UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE, UC_MEM_WRITE

from lapis_engine.cpu import far_return
from lapis_engine.cpu.debug_registers import DATA, Armed
from lapis_engine.cpu.stops import after
from lapis_engine.units import PAGE

if TYPE_CHECKING:
    import ctypes as c
    from collections.abc import Callable

    from unicorn import Uc

    from lapis_engine.cpu.context import Context
    from lapis_engine.cpu.layout import Head

EVERYWHERE: Final = (1, 0)
"""Bounds of a hook that has none."""
OFFSET: Final = PAGE - 1
TOP: Final = (1 << 64) - 1


class Told(NamedTuple):
    """What one vCPU has armed, and how its linear memory is looked up."""

    armed: tuple[Armed, ...]
    peek: Callable[[int], int | None]


class GuestStops:
    """What the vCPUs of one Unicorn instance have armed."""

    __slots__ = (
        "_budget", "_counter", "_hook", "_save", "_state", "_uc", "at", "hits",
        "instructions", "known", "watching",
    )  # fmt: skip
    __deletable__ = ("_uc", "_save")  # by `close`; mypyc wants to know

    def __init__(
        self, uc: Uc, counter: c.c_size_t, state: Head, save: Callable[[], Context]
    ) -> None:
        """Begin with none; `save` takes over `state`, which the processor is in."""
        self._uc, self._counter, self._state, self._save = uc, counter, state, save
        self._budget = type(counter).from_address(after(counter))
        self.known: dict[Context, Told] = {}
        """What each vCPU has armed, of those that have."""
        self._hook = 0
        self.instructions: frozenset[int] = frozenset()
        """Linear addresses of instructions that any of them has armed."""
        self.watching: Context | None = None
        """The vCPU that runs, if it watches data."""
        self.hits = 0
        """Bits 3:0 of DR6 of what the present start has hit."""
        self.at = 0
        """Number of the instruction that did, as `counter` counts."""

    @property
    def is_watching(self) -> bool:
        """Tell whether accesses to memory are told of."""
        return bool(self._hook)

    def arm(
        self,
        context: Context,
        armed: tuple[Armed, ...],
        peek: Callable[[int], int | None],
    ) -> bool:
        """Take over what a vCPU has armed; tell whether code must be translated anew.

        `peek` returns the gpa of one of its linear addresses, and changes nothing.
        """
        if armed:
            self.known[context] = Told(armed, peek)
        else:
            self.known.pop(context, None)
        every = [it for told in self.known.values() for it in told.armed]
        instructions = frozenset(it.address for it in every if it.what == "execute")
        watched = any(it.what in DATA for it in every)
        changed = instructions != self.instructions or watched != bool(self._hook)
        self.instructions = instructions
        if watched and not self._hook:
            kinds = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE
            self._hook = self._uc.hook_add(kinds, self._on_access, None, *EVERYWHERE)
        elif self._hook and not watched:
            self._uc.hook_del(self._hook)
            self._hook = 0
        return changed

    def begin(self, context: Context) -> None:
        """Forget what was hit: `context` is about to run."""
        self.hits = self.at = 0
        self.watching = context if self._hook and context in self.known else None

    def _on_access(
        self, _uc: Uc, kind: int, gpa: int, size: int, _value: int, _data: object
    ) -> None:
        if self.watching is not None:
            self._look(kind, gpa, size)
        if kind != UC_MEM_WRITE:
            far_return.go_on(self._uc, self._state, gpa, size)

    def _look(self, kind: int, gpa: int, size: int) -> None:
        assert self.watching is not None
        for it in self.known[self.watching].armed:
            if it.what == "access" or (it.what == "write" and kind == UC_MEM_WRITE):
                ahead, behind = (it.address - gpa) & OFFSET, (gpa - it.address) & OFFSET
                if ahead < size:
                    self._confirm(it, it.address - ahead, gpa)
                elif behind < it.size:
                    self._confirm(it, it.address + behind, gpa)

    def _confirm(self, it: Armed, linear: int, gpa: int) -> None:
        """Note a hit if the access at `gpa` is one at `linear`.

        The run ends before the next instruction, as if it had been asked for no more:
        a stop would come before an instruction that has to be started a second time.
        """
        assert self.watching is not None, "nobody watches"
        self._save()
        if self.known[self.watching].peek(linear & TOP) == gpa:
            self.hits |= 1 << it.number
            self.at = self._budget.value = self._counter.value

    def close(self) -> None:
        """Let go of the instance, which takes its hook along."""
        self.known.clear()
        self._hook = 0
        del self._uc, self._save
