"""What a machine is made of: what the user said, and the image it names.

Nothing is built here, and the file of the image is the only one that is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.errors import ConfigError
from lapis_engine.machine.config import QUANTUM, MachineConfig
from lapis_engine.profiles.catalog import profile_named
from lapis_sessions import guests
from lapis_sessions.text import costs, numerals, utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.guests import Image

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
    quantum: int = QUANTUM
    strict: bool = False
    """Check alignment and limits of memory operands, too."""
    ports: str = ""
    """What an unclaimed port does: ask or float. Firmware floats, others ask."""
    cpu: str = "lapis"
    """Model of the processor."""
    hypervisor: str = "none"
    """What CPUID says of one."""
    cost: str = "none"
    """What accesses take in virtual time: a set, or KIND=NS by commas."""
    tsc_hz: int = 1_000_000_000
    on_reset: str = "stop"
    """What a reset does to the machine: stop or reboot."""


def configuration(
    options: SessionOptions, profiles: Mapping[str, Profile]
) -> MachineConfig:
    """Return the checked configuration; raise `ConfigError`."""
    if options.ports not in {"", *PORTS}:
        raise ConfigError(f"ports {options.ports!r}: {' or '.join(PORTS)} is expected")
    utf8.check(options.append, "append")
    floats = options.ports == "float" or (not options.ports and bool(options.firmware))
    config = MachineConfig(
        cpus=options.cpus,
        memory=numerals.size(options.memory),
        profile=profile_named(options.profile, profiles),
        quantum=options.quantum,
        float_ports=floats,
        cpu=options.cpu,
        hypervisor=options.hypervisor,
        costs=costs.read(options.cost),
        tsc_hz=options.tsc_hz,
        on_reset=options.on_reset,
        strict=options.strict,
    )
    config.check()
    return config


@dataclass(frozen=True, slots=True)
class Origin:
    """All that a machine is made of, apart from its devices."""

    options: SessionOptions
    image: Image
    """The guest, or the firmware when `options` name one."""


def origin_of(options: SessionOptions, profiles: Mapping[str, Profile]) -> Origin:
    """Check what was said, read the image; raise `ConfigError` or `GuestError`."""
    configuration(options, profiles)
    return Origin(options, _image(options))


def _image(options: SessionOptions) -> Image:
    if not options.firmware:
        return guests.find(options.guest or DEFAULT_GUEST)
    if options.guest:
        raise ConfigError(
            f"guest {options.guest!r} and firmware {options.firmware!r} exclude "
            f"each other: a machine starts one image"
        )
    return guests.firmware(options.firmware)
