"""For the tests of those who write plug-ins: a machine, and a check of devices."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from lapis_engine.boot import flat
from lapis_engine.copies import clone
from lapis_engine.errors import LapisError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay.digest import state_fields
from lapis_plugins import checks
from lapis_plugins.host import discover
from lapis_plugins.spec import hookimpl
from lapis_sessions.guests import Image
from lapis_sessions.opening import build, open_session
from lapis_sessions.origin import Origin, SessionOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lapis_engine.devices.device import Device
    from lapis_sessions.session import Session

HALT = b"\xf4"
LEAP = 1_000_000
"""ns between two accesses of a check."""
MOST_PLACES = 64
"""Addresses of a range that a check visits."""
VALUES = ((0, 0xA5), (0x5A, 0xFFFF_FFFF))
"""Written in the first half of a check, and in the second."""


def machine(
    *plugins: object,
    devices: Callable[[MachineConfig], Sequence[Device]] | None = None,
    guest: str | bytes = "ap-bringup",
    cpus: int = 2,
    profile: str = "sdm",
) -> Session:
    """Return a session on a machine of two vCPUs with `plugins` on it, nothing run.

    Args:
        plugins: Modules or objects with hooks, beside ours; installed ones stay away.
        devices: Makes devices to be put on it, too.
        guest: Embedded guest or file; bytes are code that starts in real mode.
        cpus: vCPUs.
        profile: Whose behaviour it is.

    Raises:
        AssertionError: One of the plug-ins failed, with the sentence.
        LapisError: The machine cannot be built.
    """
    host = discover(installed=False)
    for number, plugin in enumerate(plugins):
        host.register(plugin, getattr(plugin, "__name__", f"plug-in {number}"))
    if devices is not None:
        host.register(_Devices(devices), "devices")
    if isinstance(guest, bytes):
        options = SessionOptions("", cpus, "16M", profile)
        image = Image("test.bin", guest, is_flat=True)
        session = build(Origin(options, image), host.extensions)
    else:
        options = SessionOptions(guest, cpus, "16M", profile)
        session = open_session(options, host.extensions)
    for report in host.reports:
        raise AssertionError(report.text)
    return session


class _Devices:
    def __init__(self, make: Callable[[MachineConfig], Sequence[Device]]) -> None:
        self._make = make

    @hookimpl
    def lapis_devices(self, config: MachineConfig) -> Sequence[Device]:
        return self._make(config)


@dataclass(frozen=True, slots=True)
class Touch:
    """One access of a check."""

    address: int
    size: int
    value: int | None = None
    """What is written, or None for a read."""


def check_device(
    make: Callable[[], Device], touches: Iterable[Touch] | None = None
) -> None:
    """Check that a device can be recorded, saved and put back.

    Its state must be plain data in a dataclass; the same accesses must come to the same
    answers and the same state, on another one of it and after being put back; looking
    at the deadline must change nothing, and `advance` must move it on; a `peek` must
    change nothing and say what a read then gives.

    Args:
        make: Makes the device, each time a new one.
        touches: Accesses to try; without them some of every address that it claims.

    Raises:
        AssertionError: With a sentence that says what does not hold.
    """
    device = make()
    try:
        checks.device(device)
    except (TypeError, ValueError) as error:
        raise AssertionError(str(error)) from error
    _check_plain(device)
    wanted = list(_all(device) if touches is None else touches)
    half = len(wanted) // 2
    _run(device, wanted[:half], 0)
    kept = _capture(device)
    before = _digest(device)
    first = _run(device, wanted[half:], half)
    after = _digest(device)
    _check_plain(device)
    _restore(device, kept)
    assert _digest(device) == before, (
        f"device {device.name!r}: what was saved changed when the device did"
    )
    again = _run(device, wanted[half:], half)
    _compare(device, first, again, "put back")
    assert _digest(device) == after, (
        f"device {device.name!r}: put back it comes to another state"
    )
    other = make()
    _run(other, wanted[:half], 0)
    _compare(device, first, _run(other, wanted[half:], half), "made anew")
    assert _digest(other) == after, (
        f"device {device.name!r}: another one comes to another state"
    )


def _compare(device: Device, first: list[Any], again: list[Any], how: str) -> None:
    assert len(first) == len(again)
    for (touch, one), (_, other) in zip(first, again, strict=True):
        assert one == other, (
            f"device {device.name!r}: {how} it answers {other!r} and not {one!r} to "
            f"{touch}"
        )


def _all(device: Device) -> Iterator[Touch]:
    """Yield accesses of every size to every range, twice, with other values."""
    for values in VALUES:
        for address, size in _places(device):
            mask = (1 << 8 * size) - 1
            yield Touch(address, size)
            for value in values:
                yield Touch(address, size, value & mask)
            yield Touch(address, size)


def _places(device: Device) -> Iterator[tuple[int, int]]:
    """Yield (address, size) of accesses that lie within a range."""
    for where in (*device.ports, *device.mmio):
        step = max(where.size // MOST_PLACES, 1)
        for address in range(where.first, where.first + where.size, step):
            for size in (1, 2, 4):
                if address + size <= where.first + where.size:
                    yield address, size


def _run(device: Device, touches: Iterable[Touch], first: int) -> list[Any]:
    """Do the accesses, time passing between them; return each with what it brought."""
    found: list[Any] = []
    for number, touch in enumerate(touches, first + 1):
        now = number * LEAP
        state, access = device.state, device.access
        brought: Any
        if touch.value is None:
            peeked = _peek(device, touch, now)
            brought = access.read(state, touch.address, touch.size, now)
            assert type(brought) is int, (
                f"device {device.name!r}: {brought!r} is no answer to {touch}"
            )
            assert brought >> 8 * touch.size <= 0, (
                f"device {device.name!r}: {brought:#x} is too large for {touch}"
            )
            assert peeked in {None, brought}, (
                f"device {device.name!r}: its peek says {peeked!r} where {touch} "
                f"gives {brought:#x}"
            )
        else:
            brought = access.write(state, touch.address, touch.size, touch.value, now)
            brought = _signals(device, brought)
        found.append((touch, brought))
        found += [(touch, each) for each in _pass_time(device, now)]
    return found


def _peek(device: Device, touch: Touch, now: int) -> int | None:
    """Return what the device says that a read will give, if it does."""
    if device.peek is None:
        return None
    before = _capture(device)
    found = device.peek(device.state, touch.address, touch.size, now)
    assert _capture(device) == before, f"device {device.name!r}: its peek changes it"
    return found


def _pass_time(device: Device, now: int) -> Iterator[Any]:
    if device.timer is None:
        return
    before = _capture(device)
    at = device.timer.deadline(device.state)
    assert _capture(device) == before, (
        f"device {device.name!r}: looking at its deadline changes it"
    )
    assert at is None or (type(at) is int and at >= 0), (
        f"device {device.name!r}: {at!r} is no deadline"
    )
    if at is None or at > now:
        return
    yield _signals(device, device.timer.advance(device.state, now))
    later = device.timer.deadline(device.state)
    assert later is None or later > now, (
        f"device {device.name!r}: after advance to {now} its deadline is {later}, "
        f"which has passed"
    )


def _signals(device: Device, brought: Any) -> Any:
    try:
        return checks.signals(brought)
    except TypeError as error:
        raise AssertionError(f"device {device.name!r}: {error}") from error


def _names(device: Device) -> list[str]:
    return [field.name for field in fields(device.state)]


def _capture(device: Device) -> dict[str, Any]:
    return {name: clone(getattr(device.state, name)) for name in _names(device)}


def _restore(device: Device, kept: dict[str, Any]) -> None:
    for name, value in kept.items():
        setattr(device.state, name, clone(value))


def _digest(device: Device) -> list[tuple[str, str]]:
    """Return the fields as a recording hashes them, of a machine with it alone."""
    config = MachineConfig(memory=1 << 20)
    plan = flat.load(HALT, memory_bytes=config.memory)
    try:
        machine = Machine(config, plan, [device])
    except LapisError as error:
        raise AssertionError(f"device {device.name!r}: {error}") from error
    own = f"{device.name}."
    return [row for row in state_fields(machine) if row[0].startswith(own)]


def _check_plain(device: Device) -> None:
    for name in _names(device):
        where = f"device {device.name!r}: {name}"
        try:
            _plain(getattr(device.state, name), where)
        except TypeError as error:
            raise AssertionError(str(error)) from error
        except RecursionError:
            raise AssertionError(f"{where} holds itself") from None


def _plain(value: Any, where: str) -> None:
    """Check a field: plain data, and mutable dataclasses of it."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            _plain(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, (list, tuple)):
        for item in value:
            _plain(item, where)
    elif isinstance(value, dict):
        for item in value.values():
            _plain(item, where)
    elif not isinstance(value, bytearray):
        checks.plain(value, where)
