"""Chooses the loader of an image by its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_engine.boot import elf, elf_format, flat, multiboot
from lapis_engine.errors import ImageError

if TYPE_CHECKING:
    from lapis_engine.boot.image import BootPlan


def detect(
    data: bytes, memory_bytes: int, append: str = "", *, as_flat: bool = False
) -> BootPlan:
    """Plan to start the kernel image `data`.

    Args:
        data: The whole file.
        memory_bytes: RAM from address 0.
        append: Command line for kernels that take one.
        as_flat: Whether an image without any header is a flat binary.

    Raises:
        ImageError: It is nothing that can be started, or it is damaged.
    """
    header = multiboot.find(data)
    if header is not None:
        return multiboot.load(data, header, memory_bytes, append)
    if data.startswith(elf_format.MAGIC):
        return elf.load(data, memory_bytes, append)
    if as_flat:
        return flat.load(data, memory_bytes=memory_bytes)
    raise ImageError(
        "the image is not understood: a multiboot kernel, an ELF executable for x86 "
        "or, if you say so, a flat binary of at most 512 KiB is expected; firmware is "
        "loaded as firmware"
    )
