"""What a loader is given beside the image: the machine, and what the user adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lapis_engine.errors import ImageError

PC: Final = "pc"
"""The platform on which a kernel finds what a BIOS leaves."""


@dataclass(frozen=True, slots=True)
class Module:
    """A file that a kernel is given in memory."""

    data: bytes
    arguments: str = ""
    """What the kernel is told of it."""
    name: str = ""
    """The file's, as the user wrote it: a first word for some protocols."""


@dataclass(frozen=True, slots=True)
class BootRequest:
    """What is to be started with an image, and on what."""

    memory: int
    """RAM in bytes (`lapis_engine.ram` says where it is)."""
    append: str = ""
    """Command line, for a kernel that takes one."""
    cpus: int = 1
    machine: str = "bare"
    """Name of the platform."""
    initrd: bytes | None = None
    """Initial RAM disk of a Linux kernel."""
    modules: tuple[Module, ...] = ()
    """Of a multiboot or PVH kernel, in their order."""


def without_files(request: BootRequest, what: str) -> None:
    """Raise `ImageError` when an initrd or modules come with `what`."""
    without_initrd(request, what)
    without_modules(request, what)


def without_initrd(request: BootRequest, what: str) -> None:
    """Raise `ImageError` when an initrd comes with `what`."""
    if request.initrd is not None:
        raise ImageError(f"{what} takes no initrd")


def without_modules(request: BootRequest, what: str) -> None:
    """Raise `ImageError` when modules come with `what`."""
    if request.modules:
        raise ImageError(f"{what} takes no modules")
