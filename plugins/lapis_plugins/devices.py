"""Guards the devices of plug-ins, whose code runs within instructions of the guest.

A device that raises keeps the state that it had before the access, refuses the access
(bhyve's -1, which becomes exit INST_EMUL), and refuses every one after it. That it does
is a part of its state: going back goes back behind it, and a replay comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from lapis_engine.copies import clone
from lapis_engine.devices.device import Refused
from lapis_engine.errors import EngineError
from lapis_engine.events import Oddity
from lapis_plugins import checks
from lapis_plugins.guard import RAISED

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.devices.device import (
        Access,
        Device,
        Function,
        Moves,
        Range,
        RegisterName,
        Signals,
        Timed,
        Wire,
    )
    from lapis_engine.machine.machine import Machine
    from lapis_plugins.guard import Guard


@dataclass(slots=True)
class GuardedState:
    """The state of a device, and whether it still works."""

    inner: Any
    failed: str | None = None
    """In a word, the same in every replay; from then on it refuses every access."""


def guarded(guard: Guard, device: Device) -> Device:
    """Return the device with its code guarded."""
    timer, moves, function = device.timer, device.moves, device.function
    look = partial(_look, guard, f"device {device.name!r}")
    if function is not None:
        config = GuardedConfig(guard, device.name, function)
        function = replace(function, config=config)
    return replace(
        device,
        plugin=guard.name,
        state=GuardedState(device.state),
        access=GuardedAccess(guard, device.name, device.access),
        timer=None if timer is None else GuardedTimer(guard, device.name, timer),
        plain=look(device.plain, None),
        plain_write=look(device.plain_write, None),
        hides=look(device.hides, ()),
        holds=look(_wires(device.holds), ()),
        registers_now=look(_names(device.registers_now), ()),
        peek=look(_peeked(device.peek), None),
        moves=None if moves is None else GuardedMoves(look, moves),
        function=function,
    )


def _wires(
    holds: Callable[[Any], tuple[Wire, ...]] | None,
) -> Callable[[Any], tuple[Wire, ...]] | None:
    """Check what a device says that it holds up."""
    return None if holds is None else lambda state: checks.wires(holds(state))


def _names(
    names: Callable[[Any], tuple[RegisterName, ...]] | None,
) -> Callable[[Any], tuple[RegisterName, ...]] | None:
    """Check what a device calls its registers at present."""
    return None if names is None else lambda state: checks.register_names(names(state))


def _peeked(
    peek: Callable[[Any, int, int, int], int | None] | None,
) -> Callable[[Any, int, int, int], int | None] | None:
    """Check what a device says that a read would give; it is asked on a copy."""
    if peek is None:
        return None

    def peeked(state: Any, address: int, size: int, now: int) -> int | None:
        value = peek(clone(state), address, size, now)
        if value is not None and (
            type(value) is not int or not 0 <= value < 1 << 8 * size
        ):
            raise TypeError(f"{value!r} is no value of {size} bytes")
        return value

    return peeked


def _look(
    guard: Guard, what: str, function: Callable[..., Any] | None, usual: Any
) -> Callable[..., Any] | None:
    """Guard a function that looks at a state and changes nothing.

    Where it fails, or the device has, it is `usual`.
    """
    if function is None:
        return None

    def look(state: GuardedState, *given: Any) -> Any:
        if state.failed is not None:
            return usual
        try:
            return function(state.inner, *given)
        except RAISED as error:
            guard.report(what, error)
            return usual

    return look


class GuardedMoves:
    """What a device claims at present (`device.Moves`)."""

    def __init__(self, look: Callable[..., Any], moves: Moves) -> None:
        """Guard `moves`."""
        self.ports: Callable[[GuardedState], tuple[Range, ...]] = look(moves.ports, ())
        self.mmio: Callable[[GuardedState], tuple[Range, ...]] = look(moves.mmio, ())


class GuardedAccess:
    """The access functions of a device (`device.Access`)."""

    def __init__(self, guard: Guard, name: str, access: Access) -> None:
        """Guard `access` of the device `name`."""
        self._guard, self._what, self._access = guard, f"device {name!r}", access
        self.__wrapped__ = access
        """For who asks what the device itself is made of."""

    def read(self, state: GuardedState, address: int, size: int, now: int) -> int:
        """Return what the guest reads; -1 refuses."""
        if state.failed is not None:
            return -1
        before = clone(state.inner)
        try:
            value = self._access.read(state.inner, address, size, now)
            if type(value) is not int or value >> 8 * size > 0:
                raise TypeError(f"{value!r} is no value of {size} bytes")
        except RAISED as error:
            self._out(state, before, error)
            return -1
        return value

    def write(
        self, state: GuardedState, address: int, size: int, value: int, now: int
    ) -> Signals:
        """Take what the guest writes."""
        if state.failed is not None:
            return (Refused(f"it is out of action ({state.failed})"),)
        before = clone(state.inner)
        try:
            return checks.signals(
                self._access.write(state.inner, address, size, value, now)
            )
        except RAISED as error:
            self._out(state, before, error)
            return (Refused(f"it failed ({state.failed})"),)

    def _out(self, state: GuardedState, before: Any, error: BaseException) -> None:
        state.inner, state.failed = before, type(error).__name__
        self._guard.report(self._what, error)


class GuardedConfig:
    """The configuration space of a PCI function (`device.Config`)."""

    def __init__(self, guard: Guard, name: str, function: Function) -> None:
        """Guard the configuration of `function`, of the device `name`."""
        self._access = GuardedAccess(guard, name, function.config)

    def read(self, state: GuardedState, register: int, size: int, now: int) -> int:
        """Return what the guest reads; all ones of what has failed."""
        value = self._access.read(state, register, size, now)
        return value if value >= 0 else (1 << 8 * size) - 1

    def write(
        self, state: GuardedState, register: int, size: int, value: int, now: int
    ) -> Signals:
        """Take what the guest writes."""
        signals = self._access.write(state, register, size, value, now)
        return tuple(each for each in signals if not isinstance(each, Refused))


class GuardedTimer:
    """The timer functions of a device (`device.Timed`)."""

    def __init__(self, guard: Guard, name: str, timer: Timed) -> None:
        """Guard `timer` of the device `name`."""
        self._guard, self._name, self._timer = guard, name, timer
        self.__wrapped__ = timer
        """As of `GuardedAccess`."""

    def deadline(self, state: GuardedState) -> int | None:
        """Return the ns at which `advance` is next needed.

        This is asked by whoever looks, too, and so it changes nothing even when it
        fails: then there is no deadline.
        """
        if state.failed is not None:
            return None
        try:
            at = self._timer.deadline(state.inner)
            if at is not None and type(at) is not int:
                raise TypeError(f"{at!r} is no deadline")
        except RAISED as error:
            self._guard.report(f"device {self._name!r}", error)
            return None
        return at

    def advance(self, state: GuardedState, now: int) -> Signals:
        """Do what has become due by `now`."""
        before = clone(state.inner)
        try:
            return checks.signals(self._timer.advance(state.inner, now))
        except RAISED as error:
            state.inner, state.failed = before, type(error).__name__
            self._guard.report(f"device {self._name!r}", error)
            text = f"{self._name} failed ({state.failed}) and is out of action"
            return (Oddity(-1, "device out of action", text),)


def state_of(machine: Machine, name: str) -> Any:
    """Return the state of the device called `name`; raise `EngineError` without one."""
    for device in machine.vm.devices:
        if device.name == name:
            state = device.state
            return state.inner if isinstance(state, GuardedState) else state
    raise EngineError(f"there is no device {name!r} on this machine")
