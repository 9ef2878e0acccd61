"""What a machine is made of: what the user said, and the files that it names.

Nothing is built here; no files but those are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_engine.errors import ConfigError
from lapis_engine.machine.config import QUANTUM, MachineConfig
from lapis_engine.profiles.catalog import profile_named
from lapis_engine.units import NS
from lapis_sessions import attached, guests
from lapis_sessions.attached import DISK, FLASH, INITRD, MODULE, MOST_MODULES
from lapis_sessions.text import costs, numerals, utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.attached import Attached
    from lapis_sessions.guests import Image

DEFAULT_GUEST = "ap-bringup"
BARE = "bare"
BARE_MEMORY = "64M"
UNCLAIMED = ("ask", "float")
CHECKS = ("off", "usual", "all")
"""What an access that nobody claims may do: ask the user, or read ones."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the user said; the empty string and None are "not said".

    What was not said is chosen by the guest (`platforms.settled`).
    """

    guest: str = ""
    """Embedded guest or file; `DEFAULT_GUEST` when there is no firmware either."""
    cpus: int = 2
    memory: str = ""
    """RAM; 64M on a bare machine, else 256M."""
    profile: str = "sdm"
    firmware: str = ""
    """ROM file to start instead of a guest."""
    append: str = ""
    """Command line for a kernel that takes one."""
    quantum: int = QUANTUM
    strict: bool = False
    """Check alignment and limits of all memory operands, as `checks` all does."""
    checks: str = "usual"
    """Which are checked: off, usual (those that cost nothing) or all."""
    ports: str = ""
    """What an unclaimed port does: ask or float. Firmware and the kernels of a PC
    float, others ask; so the next."""
    mmio: str = ""
    """What an unclaimed address does."""
    cpu: str = "lapis"
    """Model of the processor."""
    hypervisor: str = "none"
    """What CPUID says of one."""
    time: str = ""
    """A named set of the next two (`platforms.TIMES`); fast on a PC."""
    cost: str | None = None
    """What accesses take in virtual time: a set, or KIND=NS by commas."""
    tsc_hz: int | None = None
    on_reset: str = "stop"
    """What a reset does to the machine: stop or reboot."""
    machine: str = ""
    """Name of the platform."""
    initrd: str = ""
    """File of the initial RAM disk of a kernel."""
    modules: tuple[str, ...] = ()
    """FILE ARGS of each module of a multiboot kernel."""
    disk: str = ""
    """File whose contents are on the disk at first."""
    flash_vars: str = ""
    """File of what the variables of the firmware are at first."""
    seed: int = 0
    """What the guest's source of random numbers begins with."""


def configuration(
    options: SessionOptions, profiles: Mapping[str, Profile]
) -> MachineConfig:
    """Return the checked configuration; raise `ConfigError`.

    The files are not in it yet. What was not said is as on a bare machine.
    """
    for what, said in (("ports", options.ports), ("mmio", options.mmio)):
        if said not in {"", *UNCLAIMED}:
            known = " or ".join(UNCLAIMED)
            raise ConfigError(f"{what} {said!r}: {known} is expected")
    if options.checks not in CHECKS:
        known = " or ".join(CHECKS)
        raise ConfigError(f"checks {options.checks!r}: {known} is expected")
    utf8.check(options.append, "append")
    floats = options.ports == "float" or (not options.ports and bool(options.firmware))
    config = MachineConfig(
        cpus=options.cpus,
        memory=numerals.size(options.memory or BARE_MEMORY),
        profile=profile_named(options.profile, profiles),
        quantum=options.quantum,
        float_ports=floats,
        float_mmio=options.mmio == "float",
        machine=options.machine or BARE,
        seed=options.seed,
        cpu=options.cpu,
        hypervisor=options.hypervisor,
        costs=costs.read("none" if options.cost is None else options.cost),
        tsc_hz=NS if options.tsc_hz is None else options.tsc_hz,
        on_reset=options.on_reset,
        strict=options.strict or options.checks == "all",
        usual=options.checks == "usual" and not options.strict,
    )
    config.check()
    return config


@dataclass(frozen=True, slots=True)
class Origin:
    """All that a machine is made of, apart from its devices."""

    options: SessionOptions
    image: Image
    """The guest, or the firmware when `options` name one."""
    attached: tuple[Attached, ...] = ()
    """The files that come with it, modules in their order."""


def files(options: SessionOptions) -> Origin:
    """Read all files that were named; raise `ConfigError` or `GuestError`."""
    _check_files(options)
    return Origin(options, _image(options), tuple(_attached(options)))


def _check_files(options: SessionOptions) -> None:
    """Raise `ConfigError` for files that do not go together."""
    if options.firmware and options.guest:
        raise ConfigError(
            f"guest {options.guest!r} and firmware {options.firmware!r} exclude "
            f"each other: a machine starts one image"
        )
    with_kernel = [options.initrd, *options.modules]
    if any(with_kernel) and not options.guest:
        raise ConfigError(
            "an initrd or a module goes with a kernel, and there is none: firmware "
            "loads them from its disk"
        )
    if options.flash_vars and not options.firmware:
        raise ConfigError("flash variables belong to firmware: give --firmware FILE")
    if options.disk and not (options.firmware or options.guest):
        raise ConfigError(
            "a disk is booted by firmware: give --firmware FILE, such as the "
            "bios-256k.bin of SeaBIOS, or a kernel that uses it"
        )
    if len(options.modules) > MOST_MODULES:
        raise ConfigError(f"{len(options.modules)} modules: {MOST_MODULES} is the most")


def _image(options: SessionOptions) -> Image:
    if options.firmware:
        return guests.firmware(options.firmware)
    return guests.find(options.guest or DEFAULT_GUEST)


def _attached(options: SessionOptions) -> Iterator[Attached]:
    if options.initrd:
        yield attached.read(INITRD, options.initrd)
    for module in options.modules:
        yield attached.read(MODULE, *attached.split(module))
    if options.disk:
        yield attached.read(DISK, options.disk)
    if options.flash_vars:
        yield attached.read(FLASH, options.flash_vars)
