"""Chooses the loader of an image by its content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.boot import (
    compressed,
    elf,
    elf_format,
    flat,
    foreign,
    linux,
    machine_image,
    multiboot,
    pvh,
)
from lapis_engine.boot.multiboot2 import loader as multiboot2
from lapis_engine.boot.request import PC
from lapis_engine.errors import ImageError, UnknownImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lapis_engine.boot.image import BootPlan
    from lapis_engine.boot.request import BootRequest


@dataclass(frozen=True, slots=True)
class Loader:
    """One format of kernel images."""

    name: str
    takes: Callable[[bytes], bool]
    """Tells from the whole file whether it is of this format."""
    load: Callable[[bytes, BootRequest], BootPlan]
    """From the file and what goes with it to what starts it; raises `ImageError` for a
    damaged one, and for what it cannot take."""
    machine: str = "bare"
    """Name of the platform that such an image expects."""


LOADERS: Final = (
    Loader("multiboot", lambda data: multiboot.find(data) is not None, multiboot.load),
    Loader("multiboot 2", multiboot2.takes, multiboot2.load, PC),
    Loader("PVH", pvh.takes, pvh.load, PC),
    Loader("elf", lambda data: data.startswith(elf_format.MAGIC), elf.load),
    Loader("Linux", linux.takes, linux.load, PC),
    Loader("machine image", machine_image.takes, machine_image.load, PC),
)
"""Asked in this order. A flat binary is none: it has nothing to be known by."""


def loader_of(data: bytes, loaders: Iterable[Loader]) -> Loader | None:
    """Return the loader of the file `data`; None for a damaged one, or without one."""
    try:
        data = compressed.expanded(data)
    except ImageError:
        return None
    return next((each for each in loaders if each.takes(data)), None)


def detect(
    data: bytes,
    request: BootRequest,
    *,
    as_flat: bool = False,
    loaders: Iterable[Loader] = LOADERS,
) -> BootPlan:
    """Plan to start the kernel image `data`.

    Args:
        data: The whole file, which may be compressed with gzip.
        request: The machine, and what the user adds.
        as_flat: Whether an image that no loader takes is a flat binary.
        loaders: The formats.

    Raises:
        ImageError: It is nothing that can be started, or it is damaged.
    """
    data = compressed.expanded(data)
    for loader in loaders:
        if loader.takes(data):
            return loader.load(data, request)
    what = foreign.named(data)
    if what is not None:
        raise ImageError(f"the image is {what}")
    if as_flat:
        return flat.start(data, request)
    raise UnknownImageError(
        "the image is not understood: a Linux or multiboot kernel, an ELF executable "
        "for x86 or, if you say so, a flat binary of at most 512 KiB is expected; "
        "firmware is loaded as firmware"
    )
