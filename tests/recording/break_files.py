"""Cuts a recording at every byte, and changes single bytes of it, and asks what it is.

    python tests/recording/break_files.py [FILE] [--flips 2000] [--seed 1]

The oracle is what was done to the file: a beginning of it is cut off, a change damages
it, and in what comes before the end of its header neither can be opened at all.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

TESTS = Path(__file__).resolve().parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from lapis_sessions.recording.format import chunks  # noqa: E402 - found by that line
from lapis_tui.cli.main import main  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WHOLE, UNREADABLE, CUT, DAMAGED = 0, 2, 3, 4
DEFAULT = TESTS / "fixtures" / "recordings" / "schema-2" / "answers.lapis"


def header_ends(data: bytes) -> int:
    """Return the byte at which the chunk after the header begins."""
    start = len(chunks.MAGIC) + chunks.VERSIONS.size
    length = int.from_bytes(data[start : start + 4], "little")
    return start + chunks.LEADER.size + length + chunks.TRAILER.size


def cuts(data: bytes, at: Iterable[int]) -> Iterator[tuple[str, bytes, set[int]]]:
    """Yield (what was done, the file, the statuses that are right)."""
    head = header_ends(data)
    for size in at:
        yield f"cut at {size}", data[:size], {UNREADABLE if size < head else CUT}


def flips(data: bytes, seed: int, many: int) -> Iterator[tuple[str, bytes, set[int]]]:
    """Yield the same for `many` changes of one byte each."""
    random, head = Random(seed), header_ends(data)
    for _ in range(many):
        at, by = random.randrange(len(data)), random.randrange(1, 256)
        changed = bytearray(data)
        changed[at] ^= by
        right = {UNREADABLE} if at < head else {DAMAGED}
        yield f"byte {at} ^ {by:#04x}", bytes(changed), right


def status_of(path: Path, data: bytes) -> int:
    """Return the exit status of `lapis session verify`."""
    path.write_bytes(data)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        return main(["session", "verify", str(path)])


def judge(
    files: Iterable[tuple[str, bytes, set[int]]], path: Path
) -> tuple[Counter[int], list[str], float]:
    """Return (how many of each status, what was wrong, the longest one in seconds)."""
    found: Counter[int] = Counter()
    wrong, longest = [], 0.0
    for what, data, right in files:
        begun = perf_counter()
        status = status_of(path, data)
        longest = max(longest, perf_counter() - begun)
        found[status] += 1
        if status not in right:
            wrong.append(f"{what}: status {status}, and {right} is right")
    return found, wrong, longest


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    whole = given.file.read_bytes()
    with TemporaryDirectory() as folder:
        target = Path(folder) / "broken.lapis"
        print("whole: status", status_of(target, whole))  # noqa: T201 - a program
        for title, made in (
            (f"cut at each of {len(whole)} bytes", cuts(whole, range(len(whole)))),
            (f"{given.flips} changes", flips(whole, given.seed, given.flips)),
        ):
            counts, bad, slowest = judge(made, target)
            print(f"{title}: {dict(sorted(counts.items()))}, at most {slowest:.2f} s")  # noqa: T201 - the same
            print("\n".join(bad[:20]) or "all of them right")  # noqa: T201 - the same
