"""From what a user wants to a session: the guest, the machine's size, its devices.

The devices are a parameter: plug-ins put them on the machine, and plug-ins lie above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lapis_engine.boot import detect
from lapis_engine.boot import firmware as rom
from lapis_engine.devices.device import Device
from lapis_engine.errors import ConfigError, ImageError
from lapis_engine.machine.config import MachineConfig
from lapis_engine.machine.machine import Machine
from lapis_engine.profiles.catalog import profile_named
from lapis_sessions import guests
from lapis_sessions.session import Session
from lapis_sessions.text import numerals

if TYPE_CHECKING:
    from lapis_engine.boot.image import BootPlan
    from lapis_sessions.guests import Image

DeviceMaker = Callable[[MachineConfig], Sequence[Device]]
"""Makes the devices that belong on a machine."""
DEFAULT_GUEST = "ap-bringup"
PORTS = ("ask", "float")


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the user said; the empty string is "not said"."""

    guest: str = ""
    """Embedded guest or file; `DEFAULT_GUEST` when there is no firmware either."""
    cpus: int = 2
    memory: str = "64M"
    profile: str = "sdm"
    firmware: str = ""
    """ROM file to start instead of a guest."""
    append: str = ""
    """Command line for a kernel that takes one."""
    quantum: int = 1000
    ports: str = ""
    """What an unclaimed port does: ask or float. Firmware floats, others ask."""


def configuration(options: SessionOptions) -> MachineConfig:
    """Return the checked configuration; raise `ConfigError`."""
    if options.ports not in {"", *PORTS}:
        raise ConfigError(f"ports {options.ports!r}: {' or '.join(PORTS)} is expected")
    floats = options.ports == "float" or (not options.ports and bool(options.firmware))
    config = MachineConfig(
        cpus=options.cpus,
        memory=numerals.size(options.memory),
        profile=profile_named(options.profile),
        quantum=options.quantum,
        float_ports=floats,
    )
    config.check()
    return config


@dataclass(frozen=True, slots=True)
class Origin:
    """All that a machine is made of, apart from its devices."""

    options: SessionOptions
    image: Image
    """The guest, or the firmware when `options` name one."""


def open_session(options: SessionOptions, devices: DeviceMaker) -> Session:
    """Build the machine and its session.

    Raises `ConfigError`, `ImageError`, `GuestError`, or `ProcessorError` for a build of
    Unicorn that the engine does not know.
    """
    return build(origin_of(options), devices)


def origin_of(options: SessionOptions) -> Origin:
    """Check what the user said and read the image; raises as `open_session`."""
    configuration(options)
    return Origin(options, _image(options))


def build(origin: Origin, devices: DeviceMaker) -> Session:
    """Build a session whose image is at hand; raises as `open_session`."""
    config = configuration(origin.options)
    machine = Machine(config, _plan(origin, config), devices(config))
    return Session(machine, origin.image.name, origin)


def _image(options: SessionOptions) -> Image:
    if not options.firmware:
        return guests.find(options.guest or DEFAULT_GUEST)
    if options.guest:
        raise ConfigError(
            f"guest {options.guest!r} and firmware {options.firmware!r} exclude "
            f"each other: a machine starts one image"
        )
    return guests.firmware(options.firmware)


def _plan(origin: Origin, config: MachineConfig) -> BootPlan:
    options, image = origin.options, origin.image
    if options.firmware:
        return _named(image.name, lambda: rom.load(image.data))
    plan = _named(
        image.name,
        lambda: detect.detect(
            image.data, config.memory, options.append, as_flat=image.is_flat
        ),
    )
    return replace(plan, symbols=image.symbols or plan.symbols)


def _named(name: str, load: Callable[[], BootPlan]) -> BootPlan:
    """Load an image, naming the file in what is said about it."""
    try:
        return load()
    except ImageError as error:
        hint = f" (a flat binary is a file named *{guests.FLAT_SUFFIX})"
        tail = hint if "flat binary of at most" in str(error) else ""
        raise ImageError(f"{name}: {error}{tail}") from None
