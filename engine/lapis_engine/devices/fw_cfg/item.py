"""Builds the items of fw_cfg, the file directory among them."""

from __future__ import annotations

import struct

from lapis_engine.devices.fw_cfg import regs
from lapis_engine.errors import ConfigError

Items = tuple[tuple[int, bytes], ...]


def build(fixed: Items, files: tuple[tuple[str, bytes], ...]) -> Items:
    """Return all items, ascending: `fixed`, the directory, and one a file."""
    names = [name for name, _ in files]
    if len(set(names)) != len(names):
        raise ConfigError("fw_cfg: two files have the same name")
    directory = struct.pack(">I", len(files))
    items = list(fixed)
    for number, (name, data) in enumerate(files, regs.FILE_FIRST):
        directory += struct.pack(">IHH", len(data), number, 0) + _name_field(name)
        items.append((number, data))
    items.append((regs.FILE_DIR, directory))
    return tuple(sorted(items))


def _name_field(name: str) -> bytes:
    if not name.isascii() or not name.isprintable() or not name:
        raise ConfigError(f"fw_cfg: file name {name!r} is not printable ASCII")
    if len(name) >= regs.FILE_NAME_SIZE:
        raise ConfigError(f"fw_cfg: file name {name!r} is longer than 55 characters")
    return name.encode("ascii").ljust(regs.FILE_NAME_SIZE, b"\0")
