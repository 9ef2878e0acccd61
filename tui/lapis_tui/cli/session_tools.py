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

FILE = click.argument("file", metavar="FILE[@BRANCH]")
OUT = click.option("-o", "--output", "out", required=True, metavar="OUT", help="File.")
FORCE = click.option("--force", is_flag=True, help="Replace OUT if it is there.")


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


@click.command("dump")
@click.argument("file")
@click.option("--ndjson", is_flag=True, help="Print one JSON object per line.")
@click.option("--events", is_flag=True, help="Replay, and print every event, too.")
@plugged.OPTION
@click.option("-o", "--output", "out", default="", metavar="OUT", help="To a file.")
@FORCE
def dumped(
    file: str,
    ndjson: bool,  # noqa: FBT001 - click passes it by name; so the next two
    events: bool,  # noqa: FBT001
    out: str,
    force: bool,  # noqa: FBT001
) -> int:
    """Print what is in a recording: header, acts, hashes and annotations."""
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


@click.command("cut")
@FILE
@click.argument("piece", metavar="A:B")
@OUT
@FORCE
@plugged.OPTION
def cutting(file: str, piece: str, out: str, force: bool) -> int:  # noqa: FBT001 - click
    """Keep what was done up to B, and what is noted from A on.

    A and B are instruction counts, #EVENT, actN, start or end. The acts before A stay,
    since nothing after it can be computed without them.
    """
    wanted = cut.piece(piece)
    found = _find(file)
    place = files.check(out, force=force)
    branch = cut.cut(found, wanted, plugged.extensions())
    pieces = compose.compose(found.recording.header, [branch])
    return _written(out, place, pieces)


@click.command("pack")
@click.argument("file")
@OUT
@FORCE
def packing(file: str, out: str, force: bool) -> int:  # noqa: FBT001 - click
    """Make a recording ready to travel: the image within, runs in one piece."""
    recording = reader.read(file)
    _warn(recording)
    return _written(out, out, pack.pack(recording), force=force)


@click.command("annotate")
@FILE
@click.argument("text")
@click.option("--at", required=True, metavar="WHERE", help="COUNT, actN, start, end.")
@click.option("--ask", default="", metavar="TEXT", help="A question for the reader.")
@click.option("--answer", default="", metavar="TEXT", help="The answer to it.")
@click.option(
    "-o", "--output", "out", default="", metavar="OUT", help="A copy; else FILE itself."
)
@FORCE
def annotating(
    file: str,
    text: str,
    at: str,
    ask: str,
    answer: str,
    out: str,
    force: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Add TEXT to a recording, at an instruction count or after an act."""
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


@click.command("export")
@FILE
@click.argument("word", metavar="[FORM]", required=False, default="")
@click.option("--form", default="", metavar="FORM", help="The same as the argument.")
@click.option("-o", "--output", "out", default="", metavar="OUT", help="File.")
@FORCE
@plugged.OPTION
@click.option(
    "--by-reference", is_flag=True, help="A test names the recording, and holds none."
)
def exporting(
    file: str,
    word: str,
    form: str,
    out: str,
    force: bool,  # noqa: FBT001 - click passes it by name; so the next
    by_reference: bool,  # noqa: FBT001
) -> int:
    """Write a recording for another program; without FORM, list the forms.

    perfetto: a trace for ui.perfetto.dev; asciicast: a film for asciinema; script:
    lines for lapis exec --script; pytest: a test that passes while the replay does the
    same. Plug-ins may have more.
    """
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
