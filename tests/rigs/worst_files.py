"""The worst files that are not refused, or hardly: what each costs to open.

`python tests/rigs/worst_files.py [NAME ...]` from the checkout says for each how many
seconds of the processor and MiB `session info`, the reading of `session verify` and
`replay -c where` take, and what is said of it. The aim is of 64 MiB: 5 s, 512 MiB.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

TESTS = Path(__file__).resolve().parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from rigs import framing  # noqa: E402 - found by the line above
from rigs.framing import chunk, nmi  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FULL = 63 << 20
"""Bytes of a file that is as large as the aim speaks of."""
SECONDS, MIB = 5.0, 512
READING = """
import sys
from lapis_plugins.host import discover
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
replaying.session_of(reader.read(sys.argv[1]), discover().extensions)
"""
LAPIS = [sys.executable, "-m", "lapis_tui"]
WAYS = {
    "info": [*LAPIS, "session", "info", "FILE"],
    "reading": [sys.executable, "-c", READING, "FILE"],
    "where": [*LAPIS, "replay", "FILE", "-c", "where"],
}


class Cost(NamedTuple):
    """What it took to open a file."""

    seconds: float
    """Of the processor, with the kernel's."""
    mib: int
    """At the most at once."""
    status: int
    said: str
    """The last line of what went wrong."""

    @property
    def is_fine(self) -> bool:
        """Whether it is within the aim."""
        return self.seconds < SECONDS and self.mib < MIB


def acts(count: int, at_once: int, make: Callable[[int], list[Any]]) -> Iterator[bytes]:
    """Yield chunks of so many acts."""
    for first in range(0, count, at_once):
        rows = [make(n) for n in range(first, min(first + at_once, count))]
        yield chunk(b"ACTS", rows, packed=True)


def run(number: int) -> list[Any]:
    """Return a run of one instruction that used up its budget."""
    return ["run", {}, number + 1, number, number, "budget"]


def touch(number: int) -> list[Any]:
    """Return an act like no other."""
    args = {"number": 0, "address": number, "size": 8}
    return ["touch", args, number, number, number, ""]


def up_to(size: int, each: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield chunks of so many bytes in all."""
    number = 0
    while size > 0:
        made = each(number)
        size, number = size - len(made), number + 1
        yield made


def digests(count: int, seed: int) -> dict[str, str]:
    """Return fields of a checkpoint that do not shrink."""
    rng = random.Random(seed)
    return {f"memory {n:x}": rng.randbytes(16).hex() for n in range(count)}


def text(size: int, seed: int) -> str:
    """Return letters that do not shrink, of four bytes each in memory."""
    rng = random.Random(seed)
    return "".join(chr(rng.randrange(0x10000, 0x1FFFF)) for _ in range(size))


def nested(depth: int, wide: int) -> Any:
    """Return lists in lists."""
    value: Any = 0
    for _ in range(depth - 1):
        value = [value] * (wide if depth < 4 else 1)
    return {"a": [value] * wide}


def saved(number: int, value: Any) -> list[Any]:
    """Return an act with a large argument."""
    args = {"number": number % 4, "source": str(number), "lenient": True}
    return ["import_apic", args | {"saved": value}, 0, 0, 0, ""]


def forks(count: int, each: int) -> Iterator[bytes]:
    """Yield branches, each of the one before, of so many acts."""
    for number in range(count):
        name, parent = f"branch-{number}", f"branch-{number - 1}" if number else "main"
        yield chunk(b"FORK", [name, parent, [run(n) for n in range(each)]])


def broken(seed: int) -> Iterator[bytes]:
    """Yield what looks like chunks at every eighth byte, and is none."""
    yield b"\x01\0\0\0ACTS"
    yield random.Random(seed).randbytes(8) + b"\x04\0\0\0note" * (FULL >> 3)


FILES: dict[str, Callable[[], Iterator[bytes]]] = {
    "acts alike": lambda: acts(299_999, 4096, nmi),
    "acts unlike": lambda: acts(49_990, 4096, touch),
    "too many unlike": lambda: acts(299_999, 4096, touch),
    "runs": lambda: acts(299_999, 4096, run),
    "runs one by one": lambda: acts(49_990, 1, run),
    "acts unlike, one by one": lambda: acts(49_990, 1, touch),
    "acts of all branches": lambda: forks(9_999, 29),
    "short branches": lambda: forks(9_999, 0),
    "checkpoints": lambda: up_to(
        FULL, lambda n: chunk(b"CKPT", [0, 0, "0", digests(9_000, n)], packed=True)
    ),
    "a checkpoint": lambda: iter([
        chunk(b"CKPT", [0, 0, "0", digests(1_040_000, 1)], packed=True)
    ]),
    "small checkpoints": lambda: up_to(
        FULL, lambda n: chunk(b"CKPT", [0, 0, "0", digests(14, n)])
    ),
    "notes": lambda: up_to(
        FULL, lambda n: chunk(b"note", [0, 0, text(300, n)])
    ),
    "many notes": lambda: iter([chunk(b"note", [0, 0, "x"])] * 49_990),
    "large notes": lambda: up_to(
        FULL, lambda n: chunk(b"note", [0, 0, text(60_000, n)], packed=True)
    ),
    "turns": lambda: iter([chunk(b"TURN", ["main"])] * 49_990),
    "hashes": lambda: iter([chunk(b"hash", [0, 0, "0" * 64])] * 49_990),
    "unknown": lambda: up_to(FULL, lambda _: chunk(b"warp", b"x" * 700)),
    "lists": lambda: acts(
        95_000, 60, lambda n: saved(n, {"a": [n] * 60 if n < 8_000 else []})
    ),
    "deep lists": lambda: acts(30_000, 1000, lambda n: saved(n, nested(14, 1))),
    "tail": lambda: broken(1),
}  # fmt: skip


def write(path: Path, name: str) -> None:
    """Write a file of the table."""
    with path.open("wb") as file:
        file.write(framing.BEGIN + chunk(b"HEAD", framing.header(), packed=True))
        for each in FILES[name]():
            file.write(each)


def cost(way: str, path: Path) -> Cost:
    """Open a file in a process of its own."""
    argv = [path if word == "FILE" else word for word in WAYS[way]]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.read().decode().strip().split("\n")[-1]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = usage.ru_utime + usage.ru_stime
    return Cost(took, usage.ru_maxrss >> 10, process.returncode, said)


def main(names: list[str]) -> None:
    """Make each and say what it costs."""
    for name in names or FILES:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "worst.lapis"
            write(path, name)
            size = path.stat().st_size / (1 << 20)
            for way in WAYS:
                begun = time.perf_counter()
                found = cost(way, path)
                wall = time.perf_counter() - begun
                said = found.said.replace(str(path), "FILE")[:150]
                sys.stdout.write(
                    f"{'' if found.is_fine else '! '}{name}, {size:.1f} MiB: {way} "
                    f"{found.seconds:.2f} s ({wall:.1f} by the clock), {found.mib} "
                    f"MiB, {found.status} {said}\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
