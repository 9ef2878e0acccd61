"""`lapis bench guests`: what real guests take, from reset to a text on a console.

Of each: instructions, exits by kind, seconds, instructions a second, and which share
of the time went into Python. That is found by looking, some hundred times a second, at
what the thread that runs the guest is doing.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.errors import ConfigError
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.text.visible import json_text, quoted, quoted_path
from lapis_tui import output
from lapis_tui.bench.real_files import GuestFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lapis_engine.machine.machine import Machine

USUAL: Final = "build/guests"
"""Where files are looked for first, unless something is said."""
MOST: Final = 20_000_000_000
"""Instructions of a guest, at most."""
LOOK: Final = 0.003
"""Seconds between two looks."""
INSIDE: Final = frozenset({("blocks.py", "start"), ("counted.py", "start")})
"""Functions (file, name) within which the processor runs."""
KINDS: Final = 8
"""Kinds of exits that are listed."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest, and what it prints when it is there."""

    name: str
    options: Callable[[GuestFiles], SessionOptions]
    console: str
    text: bytes


def _linux(cpus: int) -> Guest:
    def options(files: GuestFiles) -> SessionOptions:
        return SessionOptions(
            guest=files["linux"],
            initrd=files["initrd"],
            append="console=ttyS0 panic=-1",
            cpus=cpus,
        )

    return Guest(f"linux-{cpus}", options, "com1", b"READY")


def _ovmf(cpus: int) -> Guest:
    def options(files: GuestFiles) -> SessionOptions:
        return SessionOptions(
            firmware=files["ovmf"], flash_vars=files["ovmf-vars"], cpus=cpus
        )

    return Guest(f"ovmf-{cpus}", options, "com1", b"Shell>")


def _seabios(cpus: int) -> Guest:
    def options(files: GuestFiles) -> SessionOptions:
        return SessionOptions(firmware=files["seabios"], cpus=cpus)

    return Guest(f"seabios-{cpus}", options, "debugcon", b"No bootable device")


XEN_COST: Final = "firmware,port=20000"
"""Xen polls the clock for a second, and waits by RDTSC for each processor that it
starts: dearer accesses make that some thousand exits and not a million."""


def _xen(files: GuestFiles) -> SessionOptions:
    return SessionOptions(
        guest=files["xen"],
        modules=(f"{files['linux']} console=hvc0 earlyprintk=xen", files["initrd"]),
        append="console=com1 com1=115200,8n1 dom0_mem=512M",
        cost=XEN_COST,
        memory="1G",
        cpus=4,
    )


GUESTS: Final = (
    _seabios(1), _seabios(4), _linux(1), _linux(2), _linux(4), _ovmf(1), _ovmf(4),
    Guest("xen-4", _xen, "com1", b"Linux version"),
)  # fmt: skip


@dataclass(slots=True)
class Share:
    """How often a thread was looked at, and how often the processor ran then."""

    looks: int = 0
    inside: int = 0

    @property
    def python(self) -> float | None:
        """Return the share of Python; None where it cannot be told."""
        return 1 - self.inside / self.looks if self.inside else None


@dataclass(frozen=True, slots=True)
class Row:
    """What one guest took."""

    guest: str
    why_not: str | None
    """Why there is nothing to tell; None when there is."""
    instructions: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    python: float | None = None
    """Share of the time that went into Python, 0 to 1."""
    exits: dict[str, int] = field(default_factory=dict)
    """By kind, the most frequent first."""


def measure(guest: Guest, files: GuestFiles) -> Row:
    """Boot a guest and tell what it took."""
    try:
        options = guest.options(files)
    except LookupError as error:
        return Row(guest.name, str(error.args[0]))
    machine = open_session(options, discover().extensions).machine
    machine.catches.add("console", text=guest.text, port=guest.console)
    begun, spent = perf_counter(), process_time()
    stop, share = _run(machine)
    seconds, cpu = perf_counter() - begun, process_time() - spent
    tally = sorted(machine.vm.tally.items(), key=lambda item: -item[1])
    machine.close()
    why = None if stop == "catch" else f"it did not come to {guest.text!r}: {stop}"
    retired = sum(vcpu.retired for vcpu in machine.vcpus)
    return Row(guest.name, why, retired, seconds, cpu, share.python, dict(tally))


def _run(machine: Machine) -> tuple[str, Share]:
    """Run until it is there; look on meanwhile."""
    share, over = Share(), threading.Event()
    this = threading.get_ident()

    def look() -> None:
        while not over.wait(LOOK):
            frame = sys._current_frames().get(this)  # noqa: SLF001 - it has no other name
            code = frame.f_code if frame is not None else None
            share.looks += 1
            if code and (Path(code.co_filename).name, code.co_name) in INSIDE:
                share.inside += 1

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        return machine.run(MOST).reason, share
    finally:
        over.set()
        watcher.join()


def _text(row: Row) -> str:
    if row.why_not is not None:
        return f"{row.guest:12} {row.why_not}"
    rate = row.instructions / max(row.seconds, 1e-9) / 1e6
    python = "?" if row.python is None else f"{row.python:.0%}"
    kinds = list(row.exits.items())
    exits = ", ".join(f"{count:,} {kind}" for kind, count in kinds[:KINDS])
    return (
        f"{row.guest:12} {row.seconds:7.1f} s {row.instructions:15,} instructions "
        f"{rate:6.1f} M/s  Python {python}\n{'':12} {sum(row.exits.values()):,} exits: "
        f"{exits}"
    )


def _check(names: Sequence[str], at: str) -> None:
    known = [guest.name for guest in GUESTS]
    for name in names:
        if name not in known:
            raise ConfigError(f"guest {quoted(name)}: {', '.join(known)} are there")
    try:
        is_folder = at == USUAL or Path(at).is_dir()
    except OSError:
        is_folder = False
    if not is_folder:
        raise ConfigError(f"{quoted_path(at)} is no folder")


def main(names: Sequence[str], at: str, *, as_json: bool) -> bool:
    """Measure the guests of these names, or all; tell whether each came to its end.

    Raises `ConfigError` for a name that no guest has, and for what is no folder.
    """
    _check(names, at)
    fine = True
    with tempfile.TemporaryDirectory() as made:
        files = GuestFiles(Path(at), Path(made))
        for guest in GUESTS:
            if names and guest.name not in names:
                continue
            row = measure(guest, files)
            fine &= row.why_not is None
            data: dict[str, Any] = asdict(row)
            output.say(json_text(data) if as_json else _text(row))
    return fine
