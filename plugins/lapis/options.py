"""What a machine is told to be, as keywords of a function."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final, TypedDict

from lapis_sessions.origin import SessionOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = str | PathLike[str]


class MachineOptions(TypedDict, total=False):
    """What `lapis.open` can be told of a machine, beside its guest and its seed."""

    cpus: int
    memory: str
    profile: str
    firmware: Path | None
    append: str
    machine: str
    initrd: Path | None
    modules: Iterable[str]
    disk: Path | None
    flash_vars: Path | None
    ports: str
    mmio: str
    time: str
    strict: bool
    checks: str


FILES: Final = ("firmware", "initrd", "disk", "flash_vars")
"""Options that name a file."""


def of(guest: Path, options: Mapping[str, Any], seed: int = 0) -> SessionOptions:
    """Return `MachineOptions` as a session takes them.

    Raises `TypeError` for a name that is none of theirs, as Python does.
    """
    for name in options:
        if name not in MachineOptions.__annotations__:
            raise TypeError(f"there is no option {name!r} of a machine")
    said = dict(options)
    for name in FILES:
        said[name] = "" if said.get(name) is None else fspath(said[name])
    said["modules"] = tuple(said.get("modules", ()))
    return SessionOptions(guest=fspath(guest), seed=seed, **said)
