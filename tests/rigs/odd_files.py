"""Names of files that are no files to read, for whoever opens files that users name."""

import os
import socket
from pathlib import Path

ODD = {
    "a FIFO": "fifo",
    "a socket": "socket",
    "a folder": "folder",
    "a link to itself": "loop",
    "a link to nothing": "dangling",
    "a link to a FIFO": "to-fifo",
    "a link to a device": "to-zero",
    "a device": "/dev/zero",
    "a device that is full": "/dev/full",
    "nothing": "nowhere",
    "below a file": "file/below",
    "in no folder": "no/folder",
    "too long": "A" * 300,
    "too long a path": "a/" * 3000,
    "with a NUL": "nul\0nul",
    "not UTF-8": "odd\udcff\udc80",
    "endless in /proc": "/proc/self/pagemap",
    "not readable in /proc": "/proc/self/mem",
}
"""What is odd about it, and how it is named in the folder that `made` fills."""


def made(folder: Path) -> Path:
    """Make in `folder` what the names of `ODD` name."""
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "file").write_bytes(b"")
    for name, target in (
        ("loop", "loop"), ("dangling", "gone"), ("to-fifo", "fifo"),
        ("to-zero", "/dev/zero"),
    ):  # fmt: skip
        (folder / name).symlink_to(target)
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(folder)  # a socket's whole name is bounded
        try:
            one.bind("socket")
        finally:
            os.chdir(here)
    return folder
