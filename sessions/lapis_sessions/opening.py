"""From an origin to a session: the machine is built, with all that plug-ins offer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.boot import detect
from lapis_engine.boot import firmware as rom
from lapis_engine.boot.request import BootRequest, Module
from lapis_engine.errors import ImageError, UnknownImageError
from lapis_engine.machine.machine import Machine
from lapis_sessions import attached, guests
from lapis_sessions.attached import DISK, FLASH, INITRD, MODULE
from lapis_sessions.origin import BARE, configuration
from lapis_sessions.platforms import origin_of
from lapis_sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_engine.boot.detect import Loader
    from lapis_engine.boot.image import BootPlan
    from lapis_engine.machine.config import MachineConfig
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.origin import Origin, SessionOptions


def open_session(options: SessionOptions, extensions: Extensions) -> Session:
    """Build the machine and its session.

    Raises `ConfigError`, `ImageError`, `GuestError`, or `ProcessorError` for a build of
    Unicorn that the engine does not know.
    """
    return build(origin_of(options, extensions), extensions)


def build(origin: Origin, extensions: Extensions) -> Session:
    """Build a session whose image is at hand; raises as `open_session`."""
    config = _with_files(origin, configuration(origin.options, extensions.profiles))
    plan = _plan(origin, config, extensions.loaders)
    machine = Machine(config, plan, extensions.devices(config), extensions.lints)
    return Session(machine, origin.image.name, extensions, origin)


def _with_files(origin: Origin, config: MachineConfig) -> MachineConfig:
    """Return the configuration with what its devices are to hold."""
    flash = 0
    if origin.options.firmware and config.machine != BARE:
        flash = len(origin.image.data) + len(
            attached.one(origin.attached, FLASH) or b""
        )
    disk, is_pc = attached.one(origin.attached, DISK), config.machine != BARE
    return replace(config, flash=flash, disk=disk, virtual_wire=is_pc)


def _plan(origin: Origin, config: MachineConfig, loaders: Sequence[Loader]) -> BootPlan:
    options, image = origin.options, origin.image
    if options.firmware:
        variables = attached.one(origin.attached, FLASH) or b""
        return _named(image.name, lambda: rom.load(variables + image.data))
    plan = _named(
        image.name,
        lambda: detect.detect(
            image.data,
            _request(origin, config),
            as_flat=image.is_flat,
            loaders=loaders,
        ),
    )
    return replace(plan, symbols=image.symbols or plan.symbols)


def _request(origin: Origin, config: MachineConfig) -> BootRequest:
    """Return what the loader of a kernel is given beside it."""
    return BootRequest(
        config.memory,
        origin.options.append,
        config.cpus,
        config.machine,
        attached.one(origin.attached, INITRD),
        tuple(
            Module(each.data, each.args, each.name)
            for each in origin.attached
            if each.role == MODULE
        ),
    )


def _named(name: str, load: Callable[[], BootPlan]) -> BootPlan:
    """Load an image, naming the file in what is said about it."""
    try:
        return load()
    except UnknownImageError as error:
        hint = f"(a flat binary is a file named *{guests.FLAT_SUFFIX})"
        raise ImageError(f"{name}: {error} {hint}") from None
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
