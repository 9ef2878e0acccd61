"""Boots real guests as a user does, by `lapis exec`, and looks at what they print.

    python tests/guests/real.py [NAME...] [--write] [--list] [--at FOLDER]

Without a name all of them. Their files are Debian's packages, unpacked below FOLDER or
installed; `python tests/guests/real.py --fetch --at FOLDER` gets them by apt. A guest
whose files are not there is told as such. With `--write` what was seen and how long it
took is kept in `real.json`, beside this file; times are of the machine that it ran on.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lapis_tui.bench.real_files import GuestFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parent
FIGURES = HERE / "real.json"
PACKAGES = (
    "linux-image-cloud-amd64", "busybox-static", "ovmf", "seabios", "memtest86+",
    "xen-hypervisor-4.17-amd64",
)  # fmt: skip
ESCAPES = re.compile(r"\\x1b\[[0-9;=]*[A-Za-z]")
"""What moves and colours text, as `console` shows it."""
DISK_SIZE = 1 << 20
LIMIT = 3000
"""Seconds that one guest may take."""


@dataclass(frozen=True)
class Guest:
    """A guest, what is done with it, and what is to be seen."""

    name: str
    text: str
    arguments: Callable[[GuestFiles], list[str]]
    """Of `lapis exec`, but for the commands."""
    commands: tuple[str, ...]
    sees: tuple[str, ...]
    """Regular expressions, in this order, in what is printed."""
    row: str | None = None
    """What it is called in the table of docs/pages/guests.md, if it stands there."""


def linux(cpus: int, *, x2apic: bool) -> Guest:
    """A shell on COM1 that answers, and a power-off by ACPI."""
    mode = "x2apic" if x2apic else "xapic"
    hypervisor = ["--hypervisor", "kvm"] if x2apic else []
    return Guest(
        f"linux-{cpus}-{mode}",
        f"Debian's cloud kernel and busybox, {cpus} CPUs by {mode}",
        lambda files: [
            files["linux"], "--initrd", files["initrd"],
            "--append", "console=ttyS0 panic=-1", "--cpus", str(cpus), *hypervisor,
        ],
        (
            "catch console '# '", "run 20000000000",
            r"type 'cat /proc/interrupts\n'", "run 20000000000",
            r"type 'dmesg | grep -ci x2apic; poweroff -f\n'", "run 20000000000",
            "console com1",
        ),
        (
            rf"READY {cpus} cpus",
            r"LOC:" + r" +\d+" * cpus + r" +Local timer interrupts",
            r"reboot: Power down",
        ),
        row=f"Linux, {cpus} vCPUs" if cpus in {2, 4} and not x2apic else None,
    )  # fmt: skip


QUICK = Guest(
    "linux-2-quick",
    "the same without the kernel's tests of its ciphers, on and off",
    lambda files: [
        files["linux"], "--initrd", files["initrd"], "--cpus", "2",
        "--append", "console=ttyS0 panic=-1 cryptomgr.notests",
    ],
    (
        "catch console '# ' --once", "run 20000000000",
        r"type 'poweroff -f\n'", "run 20000000000", "console com1",
    ),
    (r"READY 2 cpus", r"reboot: Power down"),
)  # fmt: skip


def ovmf(cpus: int, *, large: bool) -> Guest:
    """The UEFI shell on COM1, and a variable that outlives a reset."""
    name, size = ("ovmf-4m", "4M") if large else ("ovmf", "2M")
    return Guest(
        f"{name}-{cpus}",
        f"OVMF {size}, {cpus} CPUs, to the UEFI shell; a variable outlives a reset",
        lambda files: [
            "--firmware", files[name], "--flash-vars", files[f"{name}-vars"],
            "--cpus", str(cpus), "--on-reset", "reboot",
        ],
        (
            "catch console 'Shell>' --port com1", "run 20000000000",
            r"type 'set lapis 4711\r'", "run 2000000000",
            r"type 'reset\r'", "run 20000000000",
            r"type 'set lapis\r'", "run 2000000000", "console com1",
        ),
        (r"UEFI Interactive Shell", r"Shell>", r"Interactive Shell", r"lapis = 4711"),
        row=f"OVMF {size}" if cpus == 4 else None,
    )  # fmt: skip


SHELL = Guest(
    "ovmf-1-shell",
    "OVMF 2M, 1 CPU, to the UEFI shell",
    lambda files: [
        "--firmware", files["ovmf"], "--flash-vars", files["ovmf-vars"], "--cpus", "1",
    ],
    ("catch console 'Shell>' --port com1", "run 20000000000"),
    (r"com1 printed 'Shell>'",),
)  # fmt: skip


def seabios(cpus: int, *, large: bool) -> Guest:
    """A boot sector of ours on a disk, which it writes to, and resets the machine."""
    name, size = ("seabios-256k", "256K") if large else ("seabios", "128K")
    return Guest(
        f"{name}-{cpus}",
        f"SeaBIOS {size}, {cpus} CPUs, boots from --disk what counts its starts there",
        lambda files: [
            "--firmware", files[name], "--disk", files["disk"], "--cpus", str(cpus),
            "--on-reset", "reboot",
        ],
        ("run 2000000000", "console debugcon", "console com1"),
        (rf"Found {cpus} cpu\(s\)", r"3 times written"),
        row="SeaBIOS 256K" if large and cpus == 16 else None,
    )  # fmt: skip


MEMTEST = Guest(
    "memtest-4",
    "memtest86+, 4 CPUs in parallel, one test and a half without an error",
    lambda files: [
        files["memtest"], "--memory", "16M", "--cpus", "4",
        "--append", "console=ttyS0,115200", "--cost", "firmware",
    ],
    ("run 2000000000", "console vga"),
    (r"Memtest86\+ v6", r"SMP: 4T \(PAR\)", r"Pass: +0 +Errors: 0"),
    row="memtest86+",
)  # fmt: skip
XEN = Guest(
    "xen-4",
    "Xen 4.17, 4 CPUs, and the same Linux as dom0",
    lambda files: [
        files["xen"],
        "--module", f"{files['linux']} console=hvc0 earlyprintk=xen panic=-1",
        "--module", files["initrd"], "--memory", "1G", "--cpus", "4",
        "--append", "console=com1 com1=115200,8n1 dom0_mem=512M",
        "--cost", "firmware,port=20000",
    ],
    ("catch console 'Linux version'", "run 20000000000", "console com1"),
    (r"Brought up 4 CPUs", r"Linux version"),
    row="Xen 4.17",
)  # fmt: skip
GUESTS: tuple[Guest, ...] = (
    *(seabios(cpus, large=large) for large in (False, True) for cpus in (1, 4, 16)),
    *(linux(cpus, x2apic=x2apic) for x2apic in (False, True) for cpus in (1, 2, 4, 8)),
    *(ovmf(cpus, large=large) for large in (False, True) for cpus in (1, 4)),
    MEMTEST,
    XEN,
    QUICK,
    SHELL,
)


@dataclass
class Seen:
    """What came of a guest."""

    name: str
    missing: str | None
    """The first of what was to be seen that was not; None when all was."""
    seconds: float
    cpu_seconds: float
    output: str


def boot(guest: Guest, files: GuestFiles) -> Seen:
    """Run a guest to its end; raise `LookupError` when it is not here."""
    argv = [sys.executable, "-m", "lapis_tui", "exec", *guest.arguments(files)]
    for command in guest.commands:
        argv += ["-c", command]
    before, begun = _cpu(), time.monotonic()
    done = subprocess.run(
        argv, capture_output=True, timeout=LIMIT, check=False, stdin=subprocess.DEVNULL
    )
    seconds, cpu = time.monotonic() - begun, _cpu() - before
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    return Seen(guest.name, missing(guest.sees, output), seconds, cpu, output)


class Files(GuestFiles):
    """The same with a disk of ours."""

    def __init__(self, at: Path, made: Path) -> None:
        super().__init__(at, made)
        self._disk = made / "disk"
        sector = (HERE / "boot-sector.bin").read_bytes()
        self._disk.write_bytes(sector.ljust(DISK_SIZE, b"\0"))

    def __getitem__(self, role: str) -> str:
        return str(self._disk) if role == "disk" else super().__getitem__(role)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def missing(wanted: Sequence[str], output: str) -> str | None:
    """Return the first expression that does not come in its turn, or None."""
    at, output = 0, ESCAPES.sub("", output)
    for each in wanted:
        found = re.compile(each).search(output, at)
        if found is None:
            return each
        at = found.end()
    return None


def fetch(at: Path) -> None:
    """Get Debian's packages and unpack them below `at`, without installing them."""
    at.mkdir(parents=True, exist_ok=True)
    depends = subprocess.run(
        ["apt-cache", "depends", PACKAGES[0]], capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    names = [*re.findall(r"Depends: (linux-image-\S+)", depends), *PACKAGES[1:]]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "-q", *names], cwd=folder, check=True)
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, at], check=True)


def rows(guests: Sequence[Guest], files: GuestFiles) -> Iterator[dict[str, Any]]:
    """Boot each and yield what is kept of it."""
    for guest in guests:
        try:
            seen = boot(guest, files)
        except LookupError as error:
            yield {"guest": guest.name, "seen": f"no file {error}"}
            continue
        if seen.missing is not None:
            print(seen.output[-3000:])
        yield {
            "guest": guest.name,
            "seen": "all" if seen.missing is None else f"not {seen.missing}",
            "seconds": round(seen.seconds, 1),
            "cpu_seconds": round(seen.cpu_seconds, 1),
        }


def main() -> int:
    """Return 1 when something was not seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--at", type=Path, default=Path("build/guests"))
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.fetch:
        fetch(given.at)
        return 0
    chosen = [g for g in GUESTS if not given.names or g.name in given.names]
    with tempfile.TemporaryDirectory() as made:
        files = Files(given.at, Path(made))
        if given.list:
            for guest in chosen:
                print(f"{guest.name:18} {guest.text}")
                print(f"    lapis exec {shlex.join(guest.arguments(files))}")
            return 0
        found = []
        for row in rows(chosen, files):
            print(json.dumps(row), flush=True)
            found.append(row)
    if given.write:
        kept = json.loads(FIGURES.read_text()) if FIGURES.exists() else []
        names = {row["guest"] for row in found}
        kept = [row for row in kept if row["guest"] not in names] + found
        FIGURES.write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if all(row["seen"] == "all" for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
