"""Where the debugger wants to be told: breakpoints, and writes to memory.

Hooks are translated into the code, so whoever changes any drops all translations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from unicorn import UC_HOOK_CODE, UC_HOOK_MEM_WRITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from unicorn import Uc

MOST_STORED: Final = 64
"""Bytes that one access of the processor stores, at most."""


class Stops:
    """The hooks of one Unicorn instance that are the debugger's."""

    __slots__ = ("_uc", "_watches", "breakpoints")
    __deletable__ = ("_uc",)  # by `close`; mypyc wants to know

    def __init__(self, uc: Uc) -> None:
        """Set none yet."""
        self._uc = uc
        self._watches: list[int] = []
        self.breakpoints: dict[int, int] = {}
        """Linear address -> hook."""

    def close(self) -> None:
        """Let go of the instance, which takes its hooks along."""
        self.breakpoints.clear()
        self._watches.clear()
        del self._uc

    @property
    def is_watching(self) -> bool:
        """Tell whether writes to memory are told of."""
        return bool(self._watches)

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
        self, places: Iterable[tuple[int, int]], tell: Callable[[], None]
    ) -> None:
        """Tell of every write to these (guest-physical address, bytes), no others."""
        for hook in self._watches:
            self._uc.hook_del(hook)

        def written(
            _uc: Uc, _access: int, at: int, size: int, _value: int, where: Any
        ) -> None:
            first, length = where
            if at < first + length and first < at + size:
                tell()

        self._watches = [
            self._uc.hook_add(
                UC_HOOK_MEM_WRITE,
                written,
                (at, size),
                max(at - MOST_STORED, 0),
                at + size - 1,
            )
            for at, size in places
        ]
