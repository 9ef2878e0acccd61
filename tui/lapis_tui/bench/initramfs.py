"""An initial RAM disk for Linux: busybox, and a shell on the console.

Written here byte by byte, in the "newc" format of cpio (Linux
`Documentation/driver-api/early-userspace/buffer-format.rst`).
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INIT = b"""#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin
echo READY $(nproc) cpus
exec setsid cttyhack sh
"""


def _record(number: int, name: str, mode: int, data: bytes, device: int) -> bytes:
    """Return a file: its head of 14 numbers, its name and its bytes."""
    encoded = name.encode() + b"\0"
    numbers = (
        number, mode, 0, 0, 1, 0, len(data), 0, 0, device >> 8, device & 0xFF,
        len(encoded), 0,
    )  # fmt: skip
    head = b"070701" + b"".join(b"%08x" % each for each in numbers) + encoded
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def build(busybox: Path) -> bytes:
    """Return the archive, with the busybox of that file."""
    folders = [(name, stat.S_IFDIR | 0o755, b"", 0) for name in
               ("bin", "dev", "proc", "sys")]  # fmt: skip
    files = [
        ("dev/console", stat.S_IFCHR | 0o600, b"", 5 << 8 | 1),
        ("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes(), 0),
        ("init", stat.S_IFREG | 0o755, INIT, 0),
        ("TRAILER!!!", 0, b"", 0),
    ]
    return b"".join(
        _record(number, *each) for number, each in enumerate([*folders, *files], 1)
    )
