"""Steps in gdb, one after the other, each with the time that it took."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_tui.bench import rom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GDB: Final = "gdb"
LIMIT = 15.0
"""Seconds after which a step that has not returned is given up."""
LOOK: Final = 0.25
"""Seconds between two looks at how far gdb is."""
START_LIMIT = 60.0
"""Seconds for a server to start, and for gdb to come to it."""
ROM: Final = "bench.rom"
SOCKET: Final = "gdb.sock"
STEPS: Final = "steps.py"
TAKEN: Final = "taken"
SAID: Final = "said"
SHOWN: Final = 200
"""Characters of what a program said that are told."""
SCRIPT: Final = """\
import time
import gdb


def tell(word):
    with open(TAKEN, "a") as file:
        file.write(f"{word}\\n")


gdb.execute("set pagination off")
gdb.execute("set confirm off")
until = time.monotonic() + START_LIMIT
while True:
    try:
        gdb.execute(f"target remote {SOCKET}", to_string=True)
        break
    except gdb.error:
        if time.monotonic() > until:
            raise
        time.sleep(0.05)
tell("here")
for thread, count in KINDS:
    gdb.execute(f"thread {thread}", to_string=True)
    for _ in range(count):
        begun = time.perf_counter()
        gdb.execute("stepi", to_string=True)
        tell(time.perf_counter() - begun)
gdb.execute("kill" if IS_KILLED else "detach", to_string=True)
"""
"""What gdb does, behind a line for each name that it needs."""


class TargetError(LapisError):
    """A server that does not start, or that gdb does not come to."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Steps of one thread of gdb's."""

    name: str
    thread: int
    count: int


KINDS: Final = (
    Kind("stepi of the BSP from reset on", 1, 200),
    Kind("stepi of an AP that waits for SIPI", 2, 50),
)


@dataclass(frozen=True, slots=True)
class Lost:
    """Steps that did not return."""

    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Target:
    """How a server is started, in a folder that holds the ROM."""

    name: str
    command: tuple[str, ...]
    is_killed: bool = False
    """It ends when gdb kills what it debugs."""

    @property
    def program(self) -> str:
        """The program to be found."""
        return self.command[0]


def lapis() -> Target:
    """Return Lapis."""
    return Target(
        "Lapis",
        (sys.executable, "-m", "lapis_tui", "gdb", "--firmware", ROM, "--cpus", "2",
         "--memory", "32M", "--socket", SOCKET, "--once"),
    )  # fmt: skip


def qemu() -> Target:
    """Return QEMU's TCG."""
    return Target(
        "QEMU",
        ("qemu-system-x86_64", "-accel", "tcg", "-M", "pc", "-m", "32", "-smp", "2",
         "-nodefaults", "-display", "none", "-bios", ROM, "-S",
         "-chardev", f"socket,id=gdb,path={SOCKET},server=on,wait=off",
         "-gdb", "chardev:gdb"),
        is_killed=True,
    )  # fmt: skip


def measured(server: Target, kinds: Sequence[Kind]) -> dict[Kind, list[float] | Lost]:
    """Step on a server of its own; return the seconds of each step, by kind.

    A kind whose step does not return is lost, and so are those after it. Raises
    `TargetError`.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ROM).write_bytes(rom.image(rom.REGISTERS, rom.MOST_ROUNDS))
        (folder / STEPS).write_text(_script(server, kinds), "utf-8")
        with _running(server.command, folder), _running(_GDB, folder) as gdb:
            done = _waited(gdb, folder / TAKEN)
        taken = _lines(folder / TAKEN)
        if not taken:
            said = (folder / SAID).read_text("utf-8", "replace").strip()
            raise TargetError(f"gdb did not come to it: {said[-SHOWN:]}")
    return _parted(taken[1:], kinds, is_done=done)


_GDB: Final = (GDB, "-nx", "-q", "-batch", "-x", STEPS)


def _script(server: Target, kinds: Sequence[Kind]) -> str:
    names = {
        "TAKEN": TAKEN, "SOCKET": SOCKET, "START_LIMIT": START_LIMIT,
        "KINDS": [(kind.thread, kind.count) for kind in kinds],
        "IS_KILLED": int(server.is_killed),
    }  # fmt: skip
    head = [f"{name} = {json.dumps(value)}" for name, value in names.items()]
    return "\n".join([*head, SCRIPT])


@contextmanager
def _running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for a while; what it says is kept beside that of the other."""
    with (folder / SAID).open("ab") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            yield process
        finally:
            process.kill()  # nothing, for one that has ended
            process.wait()


def _waited(gdb: subprocess.Popen[bytes], taken: Path) -> bool:
    """Wait for gdb's end; tell whether it came by itself, each step in its time."""
    count, since = 0, monotonic()
    while True:
        try:
            gdb.wait(LOOK)
        except subprocess.TimeoutExpired:
            now = len(_lines(taken))
            if now != count:
                count, since = now, monotonic()
            if monotonic() - since > (LIMIT if count else 2 * START_LIMIT):
                return False
        else:
            return True


def _lines(file: Path) -> list[str]:
    return file.read_text("ascii").splitlines() if file.exists() else []


def _parted(
    taken: list[str], kinds: Sequence[Kind], *, is_done: bool
) -> dict[Kind, list[float] | Lost]:
    """Part what steps took by kind."""
    found: dict[Kind, list[float] | Lost] = {}
    for kind in kinds:
        its, taken = taken[: kind.count], taken[kind.count :]
        if len(its) == kind.count:
            found[kind] = [float(each) for each in its]
        elif is_done:
            found[kind] = Lost("gdb has ended before it was done", 0.0)
        else:
            found[kind] = Lost(f"did not return in {LIMIT:g} s", LIMIT)
    return found
