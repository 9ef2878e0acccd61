"""A whole PC under random accesses: no exception, and nothing kept beside its states.

What a device keeps in its access functions is no part of a checkpoint, so it must be
what it was when the machine was made. A million accesses are run by hand.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from lapis_engine.boot import firmware
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.replay import capture
from lapis_engine.vie.world import HandlerRefused
from lapis_engine.vmm import bus, clock
from lapis_plugins.builtin import pc

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 16 << 20
ROM = bytes(0x1_FFF0) + bytes.fromhex("ebfe").ljust(16, b"\x90")
ACCESSES = 6_000
ADDRESS, DATA = 0xCF8, 0xCFC


def machine() -> Machine:
    config = MachineConfig(
        cpus=2, memory=MEMORY, machine="pc", flash=len(ROM), disk=bytes(1 << 20),
        on_reset="reboot",
    )  # fmt: skip
    return Machine(config, firmware.load(ROM), pc.devices(config))


def kept(owner: Any, path: str, seen: set[int]) -> Iterator[tuple[str, object]]:
    """Yield (path, value) of all that an object of a device holds, and what that does.

    Of what is neither plain nor a device's, which object it is.
    """
    if id(owner) in seen:
        return
    seen.add(id(owner))
    slots = [
        name for kind in type(owner).__mro__ for name in vars(kind).get("__slots__", ())
    ]
    names = [*slots, *getattr(owner, "__dict__", {})]
    for name in names:
        value = getattr(owner, name, None)
        if isinstance(value, (int, str, bytes, tuple, frozenset, type(None))):
            yield f"{path}.{name}", value
        elif type(value).__module__.startswith("lapis_engine.devices."):
            yield from kept(value, f"{path}.{name}", seen)
        else:
            yield f"{path}.{name}", id(value)


def beside(it: Machine) -> dict[str, object]:
    found: dict[str, object] = {}
    for device in it.vm.devices:
        for owner in (device.access, device.timer, device.function, device.moves):
            if type(owner).__module__.startswith("lapis_engine.devices."):
                found.update(kept(owner, device.name, {id(device.state)}))
    return found


def one(it: Machine, seen: bus.Bus, dice: random.Random) -> None:
    """Make one random access: of a function's configuration, a port or an address."""
    if dice.random() < 0.2:
        slot, number = dice.choice([0, 1, 3, 4]) << 11, dice.choice([0, 0, 3]) << 8
        seen.port_out(ADDRESS, 4, 1 << 31 | slot | number | dice.randrange(0, 256, 4))
        seen.port_out(DATA, 4, dice.choice([0, 0xFFFF_FFFF, dice.getrandbits(32)]))
        return
    is_port = dice.random() < 0.6
    where, _ = dice.choice((it.vm.ports if is_port else it.vm.mmio).claims())
    at = where.first + dice.randrange(min(where.size, 1 << 16))
    size = dice.choice([1, 2, 4] if is_port else [1, 2, 4, 8])
    value = dice.choice([0, 1, (1 << 8 * size) - 1, dice.getrandbits(8 * size)])
    is_write = dice.random() < 0.8
    if is_port:
        seen.port_out(at, size, value) if is_write else seen.port_in(at, size)
    else:
        seen.write(at, size, value) if is_write else seen.read(at, size)


@pytest.mark.parametrize("seed", range(3))
def test_random_accesses_do_no_harm(seed: int) -> None:
    it, dice = machine(), random.Random(seed)
    before = beside(it)
    assert any("virtio" in path for path in before)
    seen = bus.untrapped(it.vm, it.vm.vcpus[0], "normal")
    for number in range(ACCESSES):
        try:
            one(it, seen, dice)
        except HandlerRefused:
            continue
        it.vm.suspended = it.vm.panic = None
        if number % 50 == 0:
            clock.pass_time(it.vm, it.vm.now + dice.choice([1, 1_000, 1_000_000]))
    assert beside(it) == before
    point = capture.take(it)
    capture.put(it, point)
    it.close()
