"""Watchpoints: the machine stops behind the instruction that touched memory.

Only accesses of the vCPU in their terms count; a condition is asked behind the
instruction.

They are of physical memory: a linear address is looked up when it is watched. Any
vCPU's access by whatever address counts, and what the engine itself stores there, as a
bus master does or when an event is delivered. While there is any the processor counts
by instruction, which is slower; without one it costs nothing.

# Not modelled: reads of the engine's own, as of an operand of an instruction that it
# carries out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import EngineError
from lapis_engine.machine.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lapis_engine.cpu.stops import Place, Reached
    from lapis_engine.vmm.vm import Vm

KINDS: Final = ("write", "change", "read", "access")
"""What is waited for: a write; one that changes something; a read; both."""
STORES: Final = frozenset({"write", "change", "access"})
LOADS: Final = frozenset({"read", "access"})
MOST: Final = 4096
"""Bytes of one."""


@dataclass(slots=True)
class Watch(Terms):
    """A piece of memory that is watched."""

    number: int
    """From 1, together with the breakpoints."""
    kind: str
    """One of `KINDS`."""
    address: int
    """As it was named: linear, or physical."""
    places: tuple[Place, ...]
    """Where it lies: a guest-physical address and bytes for each page."""
    last: bytes = b""
    """What was there when the machine stopped last, or it was hit last."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a watch has stopped at."""

    watch: Watch
    before: bytes
    after: bytes

    @property
    def text(self) -> str:
        """What was touched, and what is there now."""
        watch = self.watch
        before, after = (int.from_bytes(x, "little") for x in (self.before, self.after))
        size = sum(length for _, length in watch.places)
        change = f"{before:#x} -> {after:#x}"
        if before == after:
            change = f"{after:#x} as before"
        where = f"{size} bytes at {watch.address:#x}"
        return f"watch {watch.number}, {watch.kind} of {where}: {change}"


class Watches:
    """The watchpoints of one machine."""

    def __init__(self, vm: Vm) -> None:
        """Have none."""
        self._vm = vm
        self.items: list[Watch] = []
        """By number."""
        self._touched: list[tuple[int | None, bool, int, int]] = []
        """The vCPU, whether it is a store, gpa and bytes of what was told of."""
        self._forget: Callable[[int, int], None] | None = None
        """Who is told of the engine's stores besides."""
        self._is_on = False

    def put(self, items: Iterable[Watch]) -> None:
        """Make these the watchpoints."""
        self.items = list(items)
        self.attend()

    def named(self, number: int) -> Watch:
        """Return one by its number; raise `EngineError` when there is none."""
        for watch in self.items:
            if watch.number == number:
                return watch
        raise EngineError(f"there is no watchpoint {number}")

    def attend(self) -> None:
        """Watch, while there is something to watch: else it costs nothing."""
        self.rest()
        mine = [watch for watch in self.items if watch.enabled]
        if not mine:
            return
        stores = [place for w in mine if w.kind in STORES for place in w.places]
        loads = [place for w in mine if w.kind in LOADS for place in w.places]
        self._vm.core.watch(stores, loads, self._accessed, cuts=True)
        self._forget, self._vm.memory.on_write = self._vm.memory.on_write, self._stored
        self._is_on = True
        self.refresh()

    def asked(self) -> list[Watch]:
        """Return copies that ask the same and count for nobody, for a search."""
        return [
            replace(watch, number=0, once=False, skip=0)
            for watch in self.items
            if watch.enabled
        ]

    def rest(self) -> None:
        """Watch nothing, until `attend`."""
        if self._is_on:
            self._vm.core.watch((), (), self._accessed)
            self._vm.memory.on_write = self._forget
            self._is_on = False

    def refresh(self) -> None:
        """See what is there now: the machine is about to go on."""
        self._touched.clear()
        for watch in self.items:
            watch.last = self._present(watch)

    def _present(self, watch: Watch) -> bytes:
        memory = self._vm.memory
        return b"".join(memory.peek(gpa, size) for gpa, size in watch.places)

    def _accessed(self, _number: int, access: Reached) -> None:
        who = self._vm.entered
        self._touched.append((who, access.is_write, access.gpa, access.size))
        self._vm.attention.ask_stop()

    def _stored(self, gpa: int, size: int) -> None:
        if self._forget is not None:
            self._forget(gpa, size)
        touches = any(
            _meet(place, gpa, size)
            for watch in self.items
            if watch.enabled and watch.kind in STORES
            for place in watch.places
        )
        if touches:
            self._touched.append((self._vm.entered, True, gpa, size))
            self._vm.attention.ask_stop()

    def judged(self, vcpu: int) -> Hit | None:
        """Return what was hit and stops vCPU `vcpu`, counted; or None: it goes on."""
        touched, self._touched = self._touched, []
        for watch in [each for each in self.items if each.enabled]:
            if not any(_is_hit(watch, each) for each in touched):
                continue
            before, after = watch.last, self._present(watch)
            watch.last = after
            if watch.kind == "change" and before == after:
                continue
            if not watch.meets(vcpu):
                continue
            if watch.once:
                self.put([each for each in self.items if each is not watch])
            return Hit(watch, before, after)
        return None

    @property
    def has_touched(self) -> bool:
        """Tell whether something was told of that nobody has judged."""
        return bool(self._touched)


def _is_hit(watch: Watch, touched: tuple[int | None, bool, int, int]) -> bool:
    who, is_store, gpa, size = touched
    if watch.vcpu is not None and watch.vcpu != who:
        return False
    if watch.kind not in (STORES if is_store else LOADS):
        return False
    return any(_meet(place, gpa, size) for place in watch.places)


def _meet(place: Place, gpa: int, size: int) -> bool:
    first, length = place
    return gpa < first + length and first < gpa + size
