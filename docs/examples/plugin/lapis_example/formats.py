"""Files in and out: an export, a loader, a format of APIC files; and a profile."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

from lapis_engine.boot import flat
from lapis_engine.boot.detect import Loader
from lapis_engine.errors import ImageError
from lapis_engine.profiles.catalog import SDM
from lapis_sessions.apic_files import document
from lapis_sessions.apic_files.contents import ApicFileError
from lapis_sessions.extensions import ApicFormat, Exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.boot.image import BootPlan
    from lapis_engine.boot.request import BootRequest
    from lapis_sessions.apic_files.contents import Contents
    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.play.named import Named

MARK = b"; hex\n"
GZIP_MAGIC = b"\x1f\x8b"


def write(named: Named, _extensions: Extensions, _beside: str) -> Iterator[bytes]:
    """Write what was done in a recording as CSV, a line an act."""
    yield b"act,instructions,ns\n"
    for row in named.branch.acts:
        yield f"{row.verb},{row.retired},{row.now}\n".encode()


CSV = Exporter("csv", "what was done, as comma-separated values", write)


def load(data: bytes, request: BootRequest) -> BootPlan:
    """Plan to start code that is written in hex after a first line `; hex`."""
    try:
        code = bytes.fromhex(data.removeprefix(MARK).decode())
    except ValueError as error:
        raise ImageError(f"hex text: {error}") from None
    return flat.load(code, memory_bytes=request.memory)


HEX = Loader("hex", lambda data: data.startswith(MARK), load)


def read(name: str, data: bytes) -> Contents:
    """Read what `apic export` wrote and gzip compressed."""
    try:
        text = gzip.decompress(data).decode()
    except (OSError, EOFError, ValueError) as error:
        raise ApicFileError(f"APIC file {name!r}: {error}") from None
    return document.read(name, text)


GZIP = ApicFormat(
    "lapis-apic-gz", "the same compressed by gzip",
    lambda data: data.startswith(GZIP_MAGIC), read,
)  # fmt: skip

SLOW = replace(
    SDM,
    name="slow-timer",
    summary="As the SDM, with an APIC timer of 1 MHz.",
    apic_timer_hz=1_000_000,
)
