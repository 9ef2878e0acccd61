"""Files that come with the image: an initrd, modules, a disk, variables of firmware.

Each is read once, when the machine is described, and never written: what a guest does
to its disk or its flash is part of the machine's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_engine.machine.config import MAX_FLASH
from lapis_engine.units import SECTOR
from lapis_sessions import guests
from lapis_sessions.text import utf8
from lapis_sessions.text.visible import quoted_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INITRD: Final = "initrd"
MODULE: Final = "module"
DISK: Final = "disk"
FLASH: Final = "flash-vars"
LARGEST: Final[Mapping[str, int]] = MappingProxyType(
    {INITRD: 512 << 20, MODULE: 512 << 20, DISK: 1 << 30, FLASH: MAX_FLASH}
)
"""Bytes of the largest file of each role."""
MOST_MODULES: Final = 64


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that comes with the image."""

    role: str
    """A key of `LARGEST`."""
    name: str
    """As the user wrote it."""
    data: bytes
    args: str = ""
    """What a module is told."""


def read(role: str, name: str, args: str = "") -> Attached:
    """Read a file for its role; raise `GuestError` or `ConfigError`."""
    utf8.check(args, f"arguments of {role} {quoted_path(name)}")
    data = guests.read_file(name, LARGEST[role], role)
    check(role, name, data)
    return Attached(role, name, data, args)


def check(role: str, name: str, data: bytes) -> None:
    """Raise `ConfigError` for a file that cannot be what it is to be."""
    what = f"{role} {quoted_path(name)}"
    if not data:
        raise ConfigError(f"{what} is empty")
    if role == DISK and len(data) % SECTOR:
        raise ConfigError(
            f"{what} has {len(data)} bytes, which is no multiple of {SECTOR}: a disk "
            f"comes by whole sectors"
        )


def split(module: str) -> tuple[str, str]:
    """Return the file of a module as the user wrote it, and what it is told.

    >>> split("vmlinuz console=ttyS0 quiet"), split("initrd.img")
    (('vmlinuz', 'console=ttyS0 quiet'), ('initrd.img', ''))
    """
    name, _, args = module.strip().partition(" ")
    return name, args.strip()


def one(found: Sequence[Attached], role: str) -> bytes | None:
    """Return what the only file of a role holds, or None without one."""
    return next((each.data for each in found if each.role == role), None)
