"""`lapis session dump`, `cut`, `pack`, `annotate`, `export`: recordings into others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lapis_sessions import files
from lapis_sessions.errors import RecordingError
from lapis_sessions.recording import view
from lapis_sessions.recording.edit import annotate, compose, cut, pack
from lapis_sessions.recording.export import dump, export
from lapis_sessions.recording.format import reader
from lapis_sessions.recording.format.schema import Annotation
from lapis_sessions.recording.play import named
from lapis_sessions.text import utf8
from lapis_sessions.text.visible import json_text, quoted_path, shown, visible
from lapis_tui import ending, output
from lapis_tui.cli import headless, plugged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_sessions.draft import Target
    from lapis_sessions.recording.format.reader import Recording
    from lapis_sessions.recording.play.named import Named


def _warn(recording: Recording) -> None:
    for warning in view.warnings(recording):
        output.tell(f"{recording.name!r}: {warning}")


def _find(text: str) -> Named:
    """Read a branch; say on standard error what is odd, and what is left aside."""
    found = named.find(text)
    _warn(found.recording)
    others = [b.name for b in found.recording.branches if b is not found.branch]
    if others and text == found.recording.name:
        output.tell(
            f"{text!r} has {len(others) + 1} branches and this is "
            f"{found.branch.name}; write {text}@{others[-1]} for another"
        )
    return found


def _written(
    out: str, target: str | Target, pieces: Iterable[bytes], *, force: bool = False
) -> int:
    """Write a file, which a signal breaks off with nothing left; return the status."""
    with ending.listening() as end:
        try:
            size = files.write(target, ending.until_asked(pieces, end), force=force)
        except ending.EndedError as error:
            ending.tell(f"{error}, and {quoted_path(out)} is not written")
        else:
            output.say(f"{visible(out)}: {size:,} bytes")
    return end.status if end.asked else headless.OK


def dumped(
    *,
    file: str,
    ndjson: bool,
    events: bool,
    out: str,
    force: bool,
) -> int:
    """Do what `lapis session dump` is told."""
    recording = reader.read(file)
    _warn(recording)
    rows = dump.rows(recording)
    if events:
        rows = dump.with_events(recording, plugged.extensions())
    lines = (json_text(row) if ndjson else dump.text(shown(row)) for row in rows)
    if out:
        pieces = (utf8.encode(f"{line}\n") for line in lines)
        return _written(out, out, pieces, force=force)
    for line in lines:
        output.say(line)
    return headless.OK


def cutting(*, file: str, piece: str, out: str, force: bool) -> int:
    """Do what `lapis session cut` is told."""
    wanted = cut.piece(piece)
    found = _find(file)
    place = files.check(out, force=force)
    branch = cut.cut(found, wanted, plugged.extensions())
    pieces = compose.compose(found.recording.header, [branch])
    return _written(out, place, pieces)


def packing(*, file: str, out: str, force: bool) -> int:
    """Do what `lapis session pack` is told."""
    recording = reader.read(file)
    _warn(recording)
    return _written(out, out, pack.pack(recording), force=force)


def annotating(
    *,
    file: str,
    text: str,
    at: str,
    ask: str,
    answer: str,
    out: str,
    force: bool,
) -> int:
    """Do what `lapis session annotate` is told."""
    if not text:
        raise RecordingError("an annotation needs a text")
    # Before it is read: two who annotate at once do not lose each other's.
    target = out or named.parts(file)[0]
    place = files.check(target, force=force or not out)
    found = _find(file)
    if not out:
        _check_whole(found.recording)
    branches = annotate.annotated(found, at, Annotation(0, 0, text, ask, answer))
    recording = found.recording
    pieces = compose.compose(recording.header, branches, recording.last.name)
    return _written(target, place, pieces)


def _check_whole(recording: Recording) -> None:
    """Refuse to write a file anew that would lose something by it."""
    warnings = view.warnings(recording)
    if warnings:
        raise RecordingError(
            f"{recording.name!r} is not written anew: {warnings[0]}; -o OUT makes a "
            f"copy"
        )


def exporting(
    *,
    file: str,
    word: str,
    form: str,
    out: str,
    force: bool,
    by_reference: bool,
) -> int:
    """Do what `lapis session export` is told."""
    extensions = plugged.extensions()
    if word and form:
        raise click.UsageError(f"{word} and --form {form} exclude each other")
    form = form or word
    found = _find(file)
    if not form:
        for each in extensions.exporters.values():
            output.say(f"{visible(each.name):<12} {visible(each.text)}")
        return headless.OK
    export.check(form, extensions)
    if not out:
        raise click.UsageError("Missing option '-o' / '--output'.")
    place = files.check(out, force=force)
    pieces = export.export(found, form, extensions, out if by_reference else "")
    return _written(out, place, pieces)
