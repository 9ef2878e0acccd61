"""Hearing of accesses to ports and MSRs that are watched, as the guest makes them.

While one is watched the processor answers no access to it by itself, and the rest of
the machine runs as fast as ever. An access that faults reads and writes nothing, and
one that the user is asked about is made when it is answered.

# Not modelled: MSRs that instructions change which are no WRMSR (MOV to FS, SWAPGS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.errors import EngineError
from lapis_engine.events import Answered, MsrAccessed
from lapis_engine.vmm import editing
from lapis_engine.vmm.overheard import Overheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lapis_engine.cpu.stops import Place
    from lapis_engine.events import Event, Logged
    from lapis_engine.vmm.vcpu import Vcpu
    from lapis_engine.vmm.vm import Vm

SPACES: Final = ("port", "msr")
FULFILLED: Final = {"FULFILL_INOUT": "port", "FULFILL_MSR": "msr"}
"""Entry commands that end an access, and its space."""


class IoAccess(NamedTuple):
    """One access to a port or an MSR."""

    space: str
    vcpu: int
    is_store: bool
    at: int
    size: int
    """Bytes; of an MSR 1, for it has one number."""
    value: int
    """What was written or read."""
    before: int | None = None
    """What an MSR held, if that can be read."""


class IoWatches:
    """Tells of accesses to some ports and MSRs of one machine."""

    def __init__(
        self,
        vm: Vm,
        observers: list[Callable[[Logged], None]],
        tell: Callable[[], None],
    ) -> None:
        """Hear of nothing yet; `tell` is called when there is something in `heard`."""
        self._vm, self._observers, self._tell = vm, observers, tell
        self._places: dict[str, tuple[Place, ...]] = {}
        self._is_on = False
        self._before: int | None = None
        self.heard: list[IoAccess] = []

    def attend(self, places: Iterable[tuple[str, Place]]) -> None:
        """Hear of accesses to these, a space and a place each; of none at no cost."""
        self.rest()
        wanted = list(places)
        if not wanted:
            return
        self._places = {
            space: tuple(place for of, place in wanted if of == space)
            for space in SPACES
        }
        vm, self._is_on = self._vm, True
        vm.heard_ports = self._places["port"]
        if vm.heard_ports:
            vm.buses = [
                Overheard(bus, _of(self._on_port, vcpu.id))
                for vcpu, bus in zip(vm.vcpus, vm.buses, strict=True)
            ]
        if self._places["msr"]:
            vm.on_msr = self._see
        self._observers.append(self._observe)

    def rest(self) -> None:
        """Hear of nothing, until `attend`."""
        if not self._is_on:
            return
        vm, self._is_on = self._vm, False
        vm.heard_ports, vm.on_msr = (), None
        vm.buses = [b.beneath if isinstance(b, Overheard) else b for b in vm.buses]
        self._observers.remove(self._observe)

    def present(self, access: IoAccess) -> int:
        """Return what the MSR of an access holds now, or what was written to it."""
        found = self._read(self._vm.vcpus[access.vcpu], access.at)
        return access.value if found is None else found

    def _read(self, vcpu: Vcpu, msr: int) -> int | None:
        try:
            return editing.read_msr(self._vm, vcpu, msr)
        except EngineError:
            return None

    def _see(self, vcpu: Vcpu, msr: int) -> None:
        """Take note of what an MSR holds that is about to be accessed."""
        is_watched = self._is_in("msr", msr, 1)
        self._before = self._read(vcpu, msr) if is_watched else None

    def _is_in(self, space: str, at: int, size: int) -> bool:
        return any(meet(place, at, size) for place in self._places[space])

    def _on_port(
        self,
        vcpu: int,
        port: int,
        size: int,
        value: int,
        is_store: bool,  # noqa: FBT001 - as `Heard` has it
    ) -> None:
        value &= (1 << 8 * size) - 1
        self._hear(IoAccess("port", vcpu, is_store, port, size, value))

    def _observe(self, logged: Logged) -> None:
        access = _accessed(logged.event)
        if access is not None and self._vm.entered is not None:
            if access.space == "msr":
                access = access._replace(before=self._before)
            self._hear(access)

    def _hear(self, access: IoAccess) -> None:
        if self._is_in(access.space, access.at, access.size):
            self.heard.append(access)
            self._tell()


def _of(
    tell: Callable[[int, int, int, int, bool], None], vcpu: int
) -> Callable[[int, int, int, bool], None]:
    return lambda port, size, value, is_store: tell(vcpu, port, size, value, is_store)


def _accessed(event: Event) -> IoAccess | None:
    """Return the access that an event tells of, or None."""
    match event:
        case MsrAccessed(fault=False):
            return IoAccess("msr", event.vcpu, event.write, event.msr, 1, event.value)
        case Answered() if event.command in FULFILLED:
            space = FULFILLED[event.command]
            size = event.bytes if space == "port" else 1
            value = event.data if event.value is None else event.value
            return IoAccess(
                space, event.vcpu, not event.read, event.address, size, value
            )
        case _:
            return None


def meet(place: Place, at: int, size: int) -> bool:
    """Tell whether an access to `size` bytes touches a place."""
    first, length = place
    return at < first + length and first < at + size
