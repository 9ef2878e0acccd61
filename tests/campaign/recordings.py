"""Recordings whose framing and checksums are right, and whose content is hostile.

Each case takes a small recording apart, changes what it says in one to three ways,
frames it again, and gives it to what `session info`, `session verify` and `replay` do
with a file. None may take 512 MiB or five seconds, raise what is no refusal, or verify
as right when it was made to say something else.

The guests come to a halt by themselves: what a recording claims of how far they ran
costs nothing to try.
"""

from __future__ import annotations

import contextlib
import gc
import io
import resource
import struct
import zlib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from rigs import recordings
from rigs.peak import peak

from campaign import hostile
from lapis_engine.errors import LapisError
from lapis_plugins.host import discover
from lapis_sessions.recording import view
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.play import replaying
from lapis_tui.cli.main import main

if TYPE_CHECKING:
    from random import Random

    from campaign.case import Case
    from campaign.hostile import Chunks
    from lapis_sessions.extensions import Extensions

SECONDS, MIB, ADDRESSES = 5.0, 512, 48 << 30
LARGE = 24 << 20
"""Bytes of all bodies of a file, about: packing more takes longer than reading."""
GUESTS = Path(__file__).resolve().parents[1] / "guests"
BEGIN = b"\x89LAPIS\r\n\x04\0\x04\0"
START = len(BEGIN)
LINES = {
    "hlt-loop": (
        ("run 40", "annotate here", "nmi 1", "run 20", "quantum 7", "step 3",
         "act touch '{\"number\": 0, \"address\": 0, \"size\": 8}'", "run 10"),
        ("run 10", "goto 1", "nmi 0", "run 30", "branch main", "run 10"),
    ),
    "inout": (
        ("run 100", "annotate asked --ask what --answer that", "answer 0x12",
         "run 100"),
    ),
}  # fmt: skip


class Judged(NamedTuple):
    """What the three came to: whole, cut off, damaged, diverged, or refused."""

    info: str
    verified: str


@cache
def extensions() -> Extensions:
    return discover().extensions


@cache
def originals() -> tuple[Chunks, ...]:
    """Record something of each kind, and take it apart."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    found = []
    with TemporaryDirectory() as folder:
        for guest, histories in LINES.items():
            for lines in histories:
                path = Path(folder) / "made.lapis"
                session = recordings.record(
                    path, (), str(GUESTS / f"{guest}.bin"), cpus=2, memory="1M",
                    close=False,
                )  # fmt: skip
                for number, line in enumerate(lines):
                    session.execute(line)
                    if number == 3:
                        session.writer.checkpoint()  # type: ignore[union-attr]  # it has one
                session.close()
                found.append(apart(path.read_bytes()))
                path.unlink()
    return tuple(found)


def apart(data: bytes) -> Chunks:
    """Return (type, what it holds) of each chunk of a file."""
    found, at = [], START
    while at < len(data):
        size, kind, codec = struct.unpack_from("<I4sB", data, at)
        body = data[at + 9 : at + 9 + size]
        body = zlib.decompress(body) if codec else body
        found.append((kind, msgspec.msgpack.decode(body)))
        at += 17 + size
    return found


def copied(found: Chunks) -> Chunks:
    """Return a copy that may be changed."""
    packed = msgspec.msgpack.encode([value for _, value in found])
    values = msgspec.msgpack.decode(packed)
    return [(kind, value) for (kind, _), value in zip(found, values, strict=True)]


def framed(found: Chunks, rng: Random, begin: bytes = BEGIN) -> bytes:
    """Return the file; bytes in place of a value are a body as it is."""
    out, left = [begin], LARGE
    for kind, value in found:
        if left < 0:
            break
        body = value
        if not isinstance(value, bytes):
            body = msgspec.msgpack.encode(value)
        left -= len(body)
        codec = int(len(body) > 4000 or rng.random() < 0.3)
        body = zlib.compress(body, 1) if codec else body
        head = struct.pack("<I4sB", len(body), kind, codec)
        crc = zlib.crc32(head + body)
        out += [head, body, struct.pack("<II", crc, len(body))]
    return b"".join(out)


def one(case: Case) -> None:
    """Make a hostile recording and see what becomes of it."""
    rng = case.rng
    chunks = copied(rng.choice(originals()))
    is_lie = rng.random() < 0.25
    ways = (hostile.LIES,) if is_lie else (hostile.WAYS,) * rng.choice((1, 1, 2, 3))
    names = []
    for table in ways:
        name = rng.choice(sorted(table))
        with contextlib.suppress(AttributeError, IndexError, TypeError):
            # What a way before it has left there may be nothing that it can change.
            if table[name](chunks, rng):
                names.append(name)
    what = " ".join(names)
    path = case.folder / "hostile.lapis"
    path.write_bytes(framed(chunks, rng, hostile.beginning(rng, BEGIN)))
    case.doing(f"{what}, {path.stat().st_size} bytes")
    judged = _measured(case, path, what)
    case.tally(f"info {judged.info}")
    case.tally(f"verify {judged.verified}")
    if is_lie and names and judged.verified in {"whole", "cut off"}:
        case.find("a lie that verifies", f"{what}: {judged}")
    if judged.info == "refused" and judged.verified != "refused":
        case.find("info refuses what is replayed", f"{what}: {judged}")
    if not case.number % 20:
        _by_command(case, path, what, judged)


def _measured(case: Case, path: Path, what: str) -> Judged:
    begun = process_time()
    judged = Judged(_info(str(path)), _verify(str(path)))
    took = process_time() - begun
    case.timed(what, took)
    most = peak() >> 10
    if took > SECONDS:
        case.find("too slow", f"{what}: {took:.1f} s")
    if most > MIB:
        case.find("too large", f"{what}: {most} MiB")
    if not case.number % 16:
        gc.collect()  # a machine is a ring, and each reserves a GiB of addresses
    return judged


def _info(path: str) -> str:
    try:
        found = view.info(reader.outline(path))
        view.info_text(found)
    except LapisError as error:
        return _refused(error)
    return found.state


def _verify(path: str) -> str:
    """Replay as `replay` does, then as `session verify` does."""
    try:
        recording = reader.read(path)
        session = replaying.session_of(recording, extensions())
        outcome = session.execute("goto end")
        assert outcome.ok or outcome.error, "it says nothing"
        found = replaying.verify(session, recording)
        told = view.verdict(recording, found)
        view.verdict_text(told)
    except LapisError as error:
        return _refused(error)
    return told.state


def _refused(error: LapisError) -> str:
    assert 10 < len(str(error)) < 3000, str(error)[:5000]
    assert "\n" not in str(error), error
    return "refused"


STATUS = {"whole": 0, "diverged": 1, "refused": 2, "cut off": 3, "damaged": 4}


def _by_command(case: Case, path: Path, what: str, judged: Judged) -> None:
    """Ask the commands themselves; their status is what was found."""
    for words, state in (("info", judged.info), ("verify", judged.verified)):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["session", words, str(path)])
        if status != STATUS[state] or "Traceback" in err.getvalue():
            case.find("status", f"{what}: {words} {status}, {state}: {err.getvalue()}")
