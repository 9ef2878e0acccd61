"""Watchpoints: the machine stops behind the instruction that touched something.

That is memory, a port or an MSR. Only accesses of the vCPU in their terms count; a
condition is asked behind the instruction.

Those of memory are of physical memory: a linear address is looked up when it is
watched. Any vCPU's access by whatever address counts, and what the engine itself stores
there, as a bus master does or when an event is delivered. While there is any the
processor counts by instruction, which is slower; without one it costs nothing. Ports
and MSRs slow nothing but their own accesses (`io_watches`).

# Not modelled: reads of the engine's own, as of an operand of an instruction that it
# carries out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import EngineError
from lapis_engine.machine.io_watches import SPACES, IoAccess, IoWatches, meet
from lapis_engine.machine.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lapis_engine.cpu.stops import Place, Reached
    from lapis_engine.events import Logged
    from lapis_engine.vmm.vm import Vm

KINDS: Final = ("write", "change", "read", "access")
"""What is waited for: a write; one that changes something; a read; both."""
STORES: Final = frozenset({"write", "change", "access"})
LOADS: Final = frozenset({"read", "access"})
MOST: Final = 4096
"""Bytes of one."""


@dataclass(slots=True)
class Watch(Terms):
    """A piece of memory that is watched, or ports, or MSRs."""

    number: int
    """From 1, together with the breakpoints."""
    kind: str
    """One of `KINDS`."""
    address: int
    """As it was named: linear, or physical; the first port or MSR."""
    places: tuple[Place, ...]
    """Where it lies: a guest-physical address and bytes for each page; the first port
    or MSR and how many."""
    space: str = "memory"
    """memory, port or msr."""
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


@dataclass(frozen=True, slots=True)
class IoHit:
    """What a watch of a port or an MSR has stopped at."""

    watch: Watch
    access: IoAccess
    after: int
    """What was written or read; what an MSR holds now."""

    @property
    def text(self) -> str:
        """What was accessed, and with which value."""
        watch, it = self.watch, self.access
        what = f"{'MSR' if it.space == 'msr' else 'port'} {it.at:#x}"
        size = f", {it.size} bytes" if it.size > 1 else ""
        said = f"{it.value:#x} {'written' if it.is_store else 'read'}"
        if it.is_store and it.before is not None:
            is_same = it.before == self.after
            said = f"{it.before:#x} -> {self.after:#x}"
            said = f"{self.after:#x} as before" if is_same else said
        return f"watch {watch.number}, {watch.kind} of {what}{size}: {said}"


class Watches:
    """The watchpoints of one machine."""

    def __init__(self, vm: Vm, observers: list[Callable[[Logged], None]]) -> None:
        """Have none; `observers` are those of the history."""
        self._vm = vm
        self._io = IoWatches(vm, observers, vm.attention.ask_stop)
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
        enabled = [watch for watch in self.items if watch.enabled]
        self._io.attend((w.space, p) for w in enabled for p in w.places if _is_io(w))
        mine = [watch for watch in enabled if not _is_io(watch)]
        if not mine:
            return
        stores = [place for w in mine if w.kind in STORES for place in w.places]
        loads = [place for w in mine if w.kind in LOADS for place in w.places]
        self._vm.core.watch(stores, loads, self._accessed)
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
        self._io.rest()
        if self._is_on:
            self._vm.core.watch((), (), self._accessed)
            self._vm.memory.on_write = self._forget
            self._is_on = False

    def refresh(self) -> None:
        """See what is there now: the machine is about to go on."""
        self.forget_touched()
        for watch in self.items:
            if not _is_io(watch):
                watch.last = self._present(watch)

    def forget_touched(self) -> None:
        """Forget what nobody has judged: it was done by hand."""
        self._touched.clear()
        self._io.heard.clear()

    def _present(self, watch: Watch) -> bytes:
        memory = self._vm.memory
        return b"".join(memory.peek(gpa, size) for gpa, size in watch.places)

    def _accessed(self, _number: int, access: Reached) -> bool:
        who = self._vm.entered
        self._touched.append((who, access.is_write, access.gpa, access.size))
        self._vm.attention.ask_stop()
        return True

    def _stored(self, gpa: int, size: int) -> None:
        if self._forget is not None:
            self._forget(gpa, size)
        touches = any(
            meet(place, gpa, size)
            for watch in self.items
            if watch.enabled and watch.kind in STORES and not _is_io(watch)
            for place in watch.places
        )
        if touches:
            self._touched.append((self._vm.entered, True, gpa, size))
            self._vm.attention.ask_stop()

    def judged(self, vcpu: int) -> Hit | IoHit | None:
        """Return what was hit and stops vCPU `vcpu`, counted; or None: it goes on."""
        touched, self._touched = self._touched, []
        heard, self._io.heard = self._io.heard, []
        for watch in [each for each in self.items if each.enabled]:
            hit = (
                self._heard(watch, heard)
                if _is_io(watch)
                else self._hit(watch, touched)
            )
            if hit is None or not watch.meets(vcpu):
                continue
            if watch.once:
                self.put([each for each in self.items if each is not watch])
            return hit
        return None

    def _hit(
        self, watch: Watch, touched: list[tuple[int | None, bool, int, int]]
    ) -> Hit | None:
        """Return what a watch of memory has met."""
        if not any(_is_hit(watch, each) for each in touched):
            return None
        before, after = watch.last, self._present(watch)
        watch.last = after
        is_same = watch.kind == "change" and before == after
        return None if is_same else Hit(watch, before, after)

    def _heard(self, watch: Watch, heard: list[IoAccess]) -> IoHit | None:
        """Return what a watch of a port or an MSR has met."""
        for it in heard:
            if it.space == watch.space and _is_hit(watch, it[1:5]):
                is_store = it.space == "msr" and it.is_store
                after = self._io.present(it) if is_store else it.value
                if watch.kind != "change" or it.before != after:
                    return IoHit(watch, it, after)
        return None

    @property
    def has_touched(self) -> bool:
        """Tell whether something was told of that nobody has judged."""
        return bool(self._touched or self._io.heard)


def _is_hit(watch: Watch, touched: tuple[int | None, bool, int, int]) -> bool:
    who, is_store, gpa, size = touched
    if watch.vcpu is not None and watch.vcpu != who:
        return False
    if watch.kind not in (STORES if is_store else LOADS):
        return False
    return any(meet(place, gpa, size) for place in watch.places)


def _is_io(watch: Watch) -> bool:
    return watch.space in SPACES
