"""Where the files of real guests are: Debian's packages, installed or unpacked."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_tui.bench import initramfs

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "linux": "boot/vmlinuz-*-cloud-amd64",
        "busybox": "bin/busybox",
        "ovmf": "usr/share/OVMF/OVMF_CODE.fd",
        "ovmf-vars": "usr/share/OVMF/OVMF_VARS.fd",
        "ovmf-4m": "usr/share/OVMF/OVMF_CODE_4M.fd",
        "ovmf-4m-vars": "usr/share/OVMF/OVMF_VARS_4M.fd",
        "seabios": "usr/share/seabios/bios.bin",
        "seabios-256k": "usr/share/seabios/bios-256k.bin",
        "memtest": "boot/memtest86+x64.bin",
        "xen": "boot/xen-4.17-amd64.gz",
    }
)
"""File of each role, below a root."""


class GuestFiles:
    """The files of guests, below a folder or the root, and those that are made."""

    def __init__(self, at: Path, made: Path) -> None:
        """Look below `at` first; what is made goes to the folder `made`."""
        self._roots, self._made = (at, Path("/")), made

    def __getitem__(self, role: str) -> str:
        """Return the path of the file of a role; raise `LookupError` without one."""
        if role == "initrd":
            path = self._made / "initrd"
            path.write_bytes(initramfs.build(Path(self["busybox"])))
            return str(path)
        for root in self._roots:
            found = sorted(root.glob(PLACES[role]))
            if found:
                return str(found[-1])
        raise LookupError(f"{PLACES[role]} is neither below {self._roots[0]} nor /")
