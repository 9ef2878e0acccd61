"""Mutants of real recordings, and what the reader may do with them.

`python tests/recording/fuzz_reader.py [INPUTS [SEED]]`, 100,000 unless said otherwise;
what came of the last run is beside this file.

A mutant is damaged as a disk or a transfer would (its checksums no longer fit), or as
an enemy would (they do). Damaged ones are refused or read as a beginning of the
original; forged ones are refused, diverge, or are what they say that they are. Nothing
raises anything else, takes a second to read, or 256 MiB.
"""

from __future__ import annotations

import resource
import struct
import sys
import zlib
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

TESTS = Path(__file__).resolve().parents[1]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from rigs import recordings  # noqa: E402 - found by the line above

from lapis_engine.errors import LapisError  # noqa: E402 - the same
from lapis_plugins.host import discover  # noqa: E402 - the same
from lapis_sessions.recording.format import reader  # noqa: E402 - the same
from lapis_sessions.recording.play import replaying  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.recording.format.reader import Recording

INPUTS = 100_000
SECONDS = 1.0
MEMORY = 256 << 10
"""KiB."""
START = 12
REPLAYED = 60_000
"""Instructions of a forged recording that are worth replaying."""
LINES: Sequence[tuple[str, ...]] = (
    recordings.INJECTED,
    ("run 3000", "goto 500", "nmi 1", "run 60", "branch main", "run 10", "step"),
    ("run 100", "annotate here --ask what --answer that", "quantum 3", "run 50"),
)
ODD: Sequence[Any] = (
    0, 1, -1, 127, 128, 255, 1 << 31, 1 << 32, (1 << 63) - 1, (1 << 64) - 1, -(1 << 63),
    1.5, float("nan"), "", "x", "run", "\0", "é" * 99, b"", b"x" * 99, None, True,
    False, [], {}, [[]], {"a": 1}, [0] * 99, {"number": 0}, "main", "budget", "answer",
)  # fmt: skip


def originals(folder: Path) -> list[bytes]:
    """Record something of each kind."""
    found = []
    for number, lines in enumerate(LINES):
        path = folder / f"{number}.lapis"
        recordings.record(path, lines, embed=number == 0, memory="2M")
        found.append(path.read_bytes())
    return found


def pieces(data: bytes) -> list[bytes]:
    """Cut a whole file into what is before the first chunk, and the chunks."""
    found, at = [data[:START]], START
    while at < len(data):
        end = at + 17 + int(struct.unpack_from("<I", data, at)[0])
        found.append(data[at:end])
        at = end
    return found


def damaged(data: bytes, seed: Random) -> bytes:
    """Flip, cut, repeat, swap or overwrite bytes."""
    out = bytearray(data)
    for _ in range(seed.choice((1, 1, 1, 2, 8))):
        at = seed.randrange(max(len(out), 1))
        size = seed.choice((1, 1, 2, 4, 17, 300))
        match seed.randrange(6):
            case 0 if out:
                out[at] ^= 1 << seed.randrange(8)
            case 1:
                out[at : at + size] = seed.randbytes(size)
            case 2:
                del out[at : at + size]
            case 3:
                out[at:at] = out[at : at + size]
            case 4:
                del out[at + 1 :]
            case _:
                out[at : at + 4] = struct.pack("<I", seed.choice((0, 1, 0xFFFF_FFFF)))
    return bytes(out)


def forged(data: bytes, seed: Random) -> bytes:
    """Change chunks, and make their checksums fit."""
    parts = pieces(data)
    for _ in range(seed.choice((1, 1, 2, 5))):
        at = seed.randrange(1, len(parts))
        match seed.randrange(6):
            case 0:
                del parts[at]
            case 1:
                parts.insert(at, parts[seed.randrange(1, len(parts))])
            case 2:
                other = seed.randrange(1, len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case _:
                parts[at] = _bent(parts[at], seed)
        if len(parts) < 2:
            break
    return b"".join(parts)


def _bent(part: bytes, seed: Random) -> bytes:
    kind, codec, body = part[4:8], part[8], part[9:-8]
    if codec == 1:
        try:
            body = zlib.decompress(body)
        except zlib.error:
            codec = 0
    match seed.randrange(8):
        case 0:
            body = damaged(body, seed) if body else b"\x90"
        case 1:
            kind = seed.choice((b"ACTS", b"FORK", b"TURN", b"note", b"hash", b"CKPT"))
        case 2:
            body = seed.choice(
                (b"\xdd\xff\xff\xff\xff", b"\x91" * 9999, b"\xdc\xff\xff")
            )
        case _:
            try:
                body = msgspec.msgpack.encode(
                    _other(msgspec.msgpack.decode(body), seed)
                )
            except (ValueError, RecursionError, OverflowError):
                body += b"\xc1"
    codec = seed.choice((0, 0, 1, 1, seed.randrange(256)))
    if codec == 1:
        body = zlib.compress(body)
    head = struct.pack("<I4sB", len(body), kind, codec)
    return head + body + struct.pack("<II", zlib.crc32(head + body), len(body))


def _other(value: Any, seed: Random) -> Any:
    """Change one thing somewhere in it."""
    if isinstance(value, list) and value and seed.random() < 0.9:
        at = seed.randrange(len(value))
        match seed.randrange(8):
            case 0:
                del value[at]
            case 1:
                value.insert(at, value[seed.randrange(len(value))])
            case _:
                value[at] = _other(value[at], seed)
        return value
    if isinstance(value, dict) and value and seed.random() < 0.9:
        name = seed.choice(sorted(value))
        if seed.random() < 0.2:
            name = seed.choice(("x", "", "limit", "number"))
        return value | {name: _other(value.get(name), seed)}
    if type(value) is int and seed.random() < 0.5:
        return value + seed.choice((-1, 1, 7, 256))
    return seed.choice(ODD)


def judge(data: bytes, original: Recording | None, path: Path) -> str:
    """Read a mutant, and say in a word what became of it; assert that it may.

    `original` is what was damaged, or None when it was forged.
    """
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = perf_counter()
    try:
        recording = reader.read(str(path))
    except LapisError as error:
        return _refused("refused", error)
    finally:
        took = perf_counter() - begun
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert took < SECONDS, f"{took:.2f} s"
        assert grown < MEMORY, f"{grown} KiB"
    if original is not None:
        return _is_beginning(recording, original)
    return _replayed(recording)


def _refused(word: str, error: LapisError) -> str:
    assert "\n" not in str(error), error
    return word


def _is_beginning(recording: Recording, original: Recording) -> str:
    assert recording.header == original.header
    assert len(recording.branches) <= len(original.branches)
    for mine, was in zip(recording.branches, original.branches, strict=False):
        assert (mine.name, mine.parent) == (was.name, was.parent)
        for name in ("acts", "hashes", "checkpoints", "notes"):
            rows = getattr(mine, name)
            assert rows == getattr(was, name)[: len(rows)]
    return "a beginning"


def _replayed(recording: Recording) -> str:
    head = recording.header
    ends = [branch.acts[-1].retired for branch in recording.branches if branch.acts]
    if sum(ends) > REPLAYED or head.cpus > 4 or head.memory != "2M":
        return "not replayed"
    try:
        session = replaying.session_of(recording, discover().extensions)
        verdict = replaying.verify(session, recording)
    except LapisError as error:
        return _refused("refused later", error)
    return "diverged" if verdict.divergence is not None else "replayed"


def fuzz(inputs: int, seed: Random, folder: Path) -> Counter[str]:
    """Judge so many mutants; return how many came to what."""
    made = originals(folder)
    whole = [reader.read(str(folder / f"{n}.lapis")) for n in range(len(made))]
    found: Counter[str] = Counter()
    path = folder / "mutant.lapis"
    for _ in range(inputs):
        which = seed.randrange(len(made))
        if seed.random() < 0.5:
            outcome = judge(damaged(made[which], seed), whole[which], path)
        else:
            outcome = judge(forged(made[which], seed), None, path)
        found[outcome] += 1
    return found


def main(inputs: int, number: int) -> None:
    """Fuzz, and write down what came of it."""
    begun = perf_counter()
    with TemporaryDirectory() as folder:
        found = fuzz(inputs, Random(number), Path(folder))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    lines = [f"{inputs} mutants of seed {number}, {perf_counter() - begun:.0f} s"]
    lines += [f"{count:8} {outcome}" for outcome, count in found.most_common()]
    lines += [f"largest resident size {most} MiB; nothing raised, nothing hung"]
    text = "\n".join(lines) + "\n"
    Path(__file__).with_name("last-fuzz.txt").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *[INPUTS, 1][len(given) :])
