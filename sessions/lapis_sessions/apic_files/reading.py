"""Reading a file that describes local APICs, whichever of the formats it is of."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_sessions import guests
from lapis_sessions.apic_files import document, page, propolis
from lapis_sessions.apic_files.contents import (
    OUR_FORMAT,
    ApicFileError,
    Contents,
    Described,
)
from lapis_sessions.apic_files.texts import PROPOLIS, TEXTS, is_answer, named, text_of
from lapis_sessions.extensions import ApicFormat
from lapis_sessions.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST: Final = 1 << 20
"""Bytes of the largest file that is looked at."""
LONGEST: Final = 60
"""Letters of a line that is left out."""
TEXT_NAMES: Final = frozenset(each.name for each in TEXTS)
ELSEWHERE: Final = (
    ("ARM", rb"(?i)GIC[DRCHV]_|\bgicv?[1-5]?\b|\bICC_|its@|redistributor"),
    ("RISC-V", rb"(?i)\bplic\b|\bclint\b|\bimsic\b|\baplic\b"),
    ("MIPS", rb"(?i)\bmips\b|\bCP0_|cp0 status"),
    ("POWER", rb"(?i)\bxive\b|\bxics\b|\bmpic\b"),
)
"""Words of the interrupt controllers of other architectures."""


def read(
    path: str, formats: Sequence[ApicFormat], only: str | None = None
) -> Described:
    """Read a file, as the format `only` if one is named.

    Raises `GuestError` when it cannot be had, `ApicFileError` when it is of none of
    the formats, damaged or could be read in two ways, `RecordError` for a field of our
    own format.
    """
    data = guests.read_file(path, MOST, "APIC file")
    if only is not None:
        formats = [_format(only, formats)]
    found = [each for each in formats if each.takes(data)]
    if not found:
        raise ApicFileError(_refusal(path, data, formats, only))
    if found[0].name not in TEXT_NAMES:
        return _one(path, found[0], data)
    texts = [each for each in found if each.name in TEXT_NAMES]
    try:
        return _text(path, texts, data)
    except ApicFileError:
        # What the end of the file cuts in two is missing, and the rest is as it was.
        whole, _, cut = data.rpartition(b"\n")
        if not cut or not whole:
            raise
        with contextlib.suppress(ApicFileError):
            return _without(_text(path, texts, whole + b"\n"), cut)
        raise


def _text(path: str, texts: Sequence[ApicFormat], data: bytes) -> Described:
    """Read a text as all the formats that it has."""
    whole = _merged(path, [_one(path, each, data) for each in texts])
    if not whole.apics and whole.ioapic is None and whole.pic is None:
        what = ", ".join(whole.formats)
        raise ApicFileError(
            f"APIC file {path!r} ({what}) has no register of a local APIC, IOAPIC or "
            f"8259 that can be read"
        )
    return whole


def _without(found: Described, cut: bytes) -> Described:
    """Return what was read, with a remark on the last line, which was not."""
    said = visible(" ".join(cut.decode("utf-8", "replace").split())[:LONGEST])
    remark = f"the end of the file cuts its last line, which is left out: {said}"
    return replace(found, remarks=(remark, *found.remarks))


def _format(name: str, formats: Sequence[ApicFormat]) -> ApicFormat:
    for each in formats:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in formats)
    raise ApicFileError(f"there is no format {name[:40]!r}: {known}")


def _refusal(
    path: str, data: bytes, formats: Sequence[ApicFormat], only: str | None
) -> str:
    head = f"APIC file {path!r} ({len(data)} bytes)"
    for name, words in ELSEWHERE:
        said = re.search(words, data)
        if said is not None and text_of(data) is not None:
            word = said[0].decode("ascii", "replace")[:20]
            return (
                f"{head} speaks of {word!r}: it is of {name}, which has no local APIC"
            )
    known = ", nor ".join(each.text for each in formats)
    return f"{head} is {'not' if only else 'neither'} {known}"


def _one(path: str, form: ApicFormat, data: bytes) -> Described:
    """Read a file as one format; a plug-in's may return a lone APIC."""
    found: Contents | Described = form.read(path, data)
    if isinstance(found, Contents):
        return Described(path, (found.format,), (found,))
    return found


def _merged(path: str, parts: Sequence[Described]) -> Described:
    """Put together what each format has of a text; raise `ApicFileError`."""
    whole = parts[0]
    for part in parts[1:]:
        _check_apart(path, whole, part)
        whole = replace(
            whole,
            formats=(*whole.formats, *part.formats),
            apics=(*whole.apics, *part.apics),
            ioapic=whole.ioapic or part.ioapic,
            pic=whole.pic or part.pic,
            lines=(*whole.lines, *part.lines),
            remarks=(*whole.remarks, *part.remarks),
        )
    return replace(whole, apics=_numbered(path, whole.apics))


def _check_apart(path: str, one: Described, other: Described) -> None:
    """Refuse two formats that describe the same thing."""
    both = [
        what
        for what in ("apics", "ioapic", "pic")
        if getattr(one, what) and getattr(other, what)
    ]
    if both:
        first, second = one.formats[-1], other.formats[-1]
        raise ApicFileError(
            f"APIC file {path!r} has {both[0].upper()} in format {first} and in format "
            f"{second}: choose one with --format"
        )


def _numbered(path: str, apics: Sequence[Contents]) -> tuple[Contents, ...]:
    """Return the APICs by number, once each; one without takes the lowest free."""
    found: dict[int, Contents] = {}
    for each in apics:
        if each.vcpu is None:
            continue
        before = found.setdefault(each.vcpu, each)
        if before.saved != each.saved:
            raise ApicFileError(
                f"APIC file {path!r} has two dumps of CPU {each.vcpu}, and they "
                f"differ: leave one in it"
            )
    for each in apics:
        if each.vcpu is None:
            free = next(n for n in range(len(apics)) if n not in found)
            found[free] = replace(each, vcpu=free) if len(apics) > 1 else each
    return tuple(found[number] for number in sorted(found))


def _is_document(data: bytes) -> bool:
    text = text_of(data)
    if text is None or not text.lstrip().startswith("{"):
        return False
    return not PROPOLIS.takes(data) and not is_answer(text)


def _page(size: int) -> ApicFormat:
    def takes(data: bytes) -> bool:
        return len(data) == size and text_of(data) is None

    name = page.FORMATS[size]
    return ApicFormat(name, f"a raw page of {size} bytes", takes, page.read)


FORMATS: Final = (
    ApicFormat(
        OUR_FORMAT, f"JSON of format {OUR_FORMAT}", _is_document,
        lambda name, data: document.read(name, data.decode(errors="replace")),
    ),
    *TEXTS,
    *map(_page, page.FORMATS),
    ApicFormat(
        "bhyve", f"bhyve's record of {propolis.SIZE} bytes",
        lambda data: len(data) == propolis.SIZE and text_of(data) is None,
        named(propolis.read_record),
    ),
    PROPOLIS,
)  # fmt: skip
"""Ours, asked in this order."""
