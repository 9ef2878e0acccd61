"""Steps in gdb, one after the other, each with the time that it took."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_tui.bench import rom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GDB: Final = "gdb"
LIMIT = 10.0
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
for line in BEFORE:
    gdb.execute(line, to_string=True)
gdb.execute(f"thread {THREAD}", to_string=True)
for _ in range(COUNT):
    begun = time.perf_counter()
    gdb.execute("stepi", to_string=True)
    tell(time.perf_counter() - begun)
gdb.execute("kill" if IS_KILLED else "detach", to_string=True)
"""
"""What gdb does, behind a line for each name that it needs."""


class TargetError(LapisError):
    """A server that does not start, or that gdb does not come to."""


STARTING: Final = bytes.fromhex(
    "c7042500600000 ebfe0000"  # mov dword [0x6000], 0xfeeb: jmp $
    "be0003e0fe"  # mov esi, 0xfee00300: ICR
    "c70600450c00"  # mov dword [rsi], 0xc4500: INIT to all others
    "c70606460c00 c70606460c00"  # mov dword [rsi], 0xc4606: SIPI to 0x6000, twice
)
"""How the BSP has the AP run, before the loop."""
LOOP: Final = replace(rom.REGISTERS, setup=STARTING)
ROUNDS: Final = rom.MOST_ROUNDS
AT_LOOP: Final = rom.HOME + 0x140 + len(LOOP.start(ROUNDS))
"""Where the loop begins, in RAM."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Steps of one thread of gdb's, after some commands."""

    name: str
    thread: int
    count: int
    loop: rom.Loop = rom.REGISTERS
    before: tuple[str, ...] = ()


KINDS: Final = (
    Kind("stepi of the BSP from reset on", 1, 200),
    Kind(
        "stepi of the BSP beside an AP that runs", 1, 200, LOOP,
        (f"thbreak *{AT_LOOP:#x}", "continue"),
    ),
    Kind("stepi of an AP that waits for SIPI", 2, 50),
)  # fmt: skip


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


def measured(target: Target, kind: Kind) -> list[float] | Lost:
    """Step on a target of its own; return the seconds of each step.

    Raises `TargetError`.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ROM).write_bytes(rom.image(kind.loop, ROUNDS))
        (folder / STEPS).write_text(_script(target, kind), "utf-8")
        with _running(target.command, folder), _running(_GDB, folder) as gdb:
            is_done = _waited(gdb, folder / TAKEN)
        taken = _lines(folder / TAKEN)
        said = " ".join((folder / SAID).read_text("utf-8", "replace").split())
    if not taken:
        raise TargetError(f"gdb did not come to it: {said[-SHOWN:]}")
    if not is_done:
        return Lost(f"did not return in {LIMIT:g} s", LIMIT)
    if len(taken) != 1 + kind.count:
        raise TargetError(f"gdb has ended before it was done: {said[-SHOWN:]}")
    return [float(each) for each in taken[1:]]


_GDB: Final = (GDB, "-nx", "-q", "-batch", "-x", STEPS)


def _script(target: Target, kind: Kind) -> str:
    names = {
        "TAKEN": TAKEN, "SOCKET": SOCKET, "START_LIMIT": START_LIMIT,
        "BEFORE": kind.before, "THREAD": kind.thread, "COUNT": kind.count,
        "IS_KILLED": int(target.is_killed),
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
