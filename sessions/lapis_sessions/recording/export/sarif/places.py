"""Where a finding is: a line of source if one is known, and a place in the machine."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from lapis_engine.errors import LapisError
from lapis_sessions.symbols import reading

if TYPE_CHECKING:
    from lapis_sessions.plain import Data
    from lapis_sessions.session import Session
    from lapis_sessions.symbols.book import Places
    from lapis_sessions.symbols.lines import SourceLine
    from lapis_sessions.views.lints import FoundRow

ROOT: Final = "%SRCROOT%"
"""What relative paths are relative to, as consumers of SARIF call it."""
OURS: Final = "lapisFinding/v1"
OF_LINES: Final = "primaryLocationLineHash"
"""Names of fingerprints."""
FIRST_LINE: Final = {"startLine": 1}
"""Code scanning insists on a line, also of a file that has none."""


def places_of(session: Session) -> Places:
    """Return the symbols of a session, and the source lines of its image if it has any.

    The image's own go behind all that was loaded.
    """
    symbols = session.symbols
    image = session.origin.image if session.origin is not None else None
    if image is not None and not any(len(each.lines) for each in symbols.sources):
        try:
            own = reading.read(image.name, image.data)
        except LapisError:  # it has none, or they are damaged
            return symbols.places
        return type(symbols)((own, *symbols.sources)).places
    return symbols.places


def uri(path: str) -> Data:
    """Return the `artifactLocation` (3.4) of a file.

    A file at or below the working directory is named from there, so that another
    machine finds it in its own copy.
    """
    whole = Path(path)
    if whole.is_absolute():
        here = Path.cwd()
        if not whole.is_relative_to(here):
            return {"uri": f"file://{quote(os.fsencode(whole))}"}
        whole = whole.relative_to(here)
    return {"uri": quote(os.fsencode(whole)), "uriBaseId": ROOT}


def location(row: FoundRow, places: Places, artifact: str) -> Data:
    """Return the `location` (3.28) of a finding.

    Args:
        row: The finding.
        places: What names and lines addresses have.
        artifact: The file that stands for it where no line of source is known.
    """
    rip = row.finding.rip
    source = None if rip is None else places.source(rip)
    physical = _artifact(source, artifact)
    logical: list[Data] = []
    if rip is not None:
        near = places.near(rip)
        physical["address"] = _address(near)
        if near:
            name = symbol(places, rip)
            logical.append(
                {"name": name, "fullyQualifiedName": near, "kind": "function"}
            )
    if row.finding.vcpu >= 0:
        logical.append({"name": f"vCPU {row.finding.vcpu}", "kind": "processor"})
    found: Data = {"physicalLocation": physical}
    return found | ({"logicalLocations": logical} if logical else {})


def _address(near: str) -> Data:
    """Return the `address` (3.32) of an instruction, by its name.

    It has no number: a finding has its RIP, which is an offset in CS, and has it as a
    property.
    """
    name = {"fullyQualifiedName": near} if near else {}
    return {"kind": "instruction", **name}


def _artifact(source: SourceLine | None, artifact: str) -> Data:
    if source is None:
        return {"artifactLocation": uri(artifact), "region": FIRST_LINE}
    region = {"startLine": source.line}
    return {"artifactLocation": uri(source.file), "region": region}


def symbol(places: Places, at: int) -> str:
    """Return the name of what an address lies in, or nothing."""
    start = places.start(at)
    return "" if start is None else places.near(start)


def fingerprints(row: FoundRow, places: Places) -> Data:
    """Return what tells findings of two runs apart: the lint, and the code it is in.

    The code is named by its symbol, else by the RIP, else by what the lint goes by: an
    address in a kernel that was built anew is another one. Code scanning goes by a hash
    of the line alone, which it makes where there is one.
    """
    rip = row.finding.rip
    code = row.finding.place if rip is None else symbol(places, rip) or f"{rip:#x}"
    text = f"{row.name}/{code}".encode(errors="replace")
    own = blake2b(text, digest_size=8).hexdigest()
    has_line = rip is not None and places.source(rip) is not None
    return {OURS: own} if has_line else {OURS: own, OF_LINES: f"{own}:1"}
