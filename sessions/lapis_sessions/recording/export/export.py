"""The exports, each from a branch to the bytes of a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lapis_engine.replay.digest import Digester
from lapis_sessions.errors import RecordingError
from lapis_sessions.extensions import Exporter
from lapis_sessions.recording.edit import pack
from lapis_sessions.recording.export import (
    asciicast,
    facts,
    perfetto,
    pytest_file,
    script,
    vcd,
)
from lapis_sessions.recording.export.report import report
from lapis_sessions.recording.export.sarif import document
from lapis_sessions.recording.play.player import Player
from lapis_sessions.recording.play.rebuild import rebuild
from lapis_sessions.text import utf8
from lapis_sessions.text.visible import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.play.named import Named


def export(
    named: Named, form: str, extensions: Extensions, beside: str = ""
) -> Iterable[bytes]:
    """Return the pieces of an export.

    Args:
        named: The branch.
        form: One of the exporters.
        extensions: What plug-ins offer.
        beside: File of the test, when that is to name the recording and not to hold it.

    Raises:
        RecordingError: There is no such form; or what building or replaying raises,
            with the first piece.
    """
    check(form, extensions)
    return extensions.exporters[form].write(named, extensions, beside)


def check(form: str, extensions: Extensions) -> None:
    """Raise `RecordingError` when there is no such form."""
    if form not in extensions.exporters:
        known = ", ".join(extensions.exporters)
        raise RecordingError(f"there is no form {quoted(form)}: {known}")


def _trace(named: Named, extensions: Extensions, _beside: str) -> Iterable[bytes]:
    return perfetto.trace(named, Player(named, extensions))


def _film(named: Named, extensions: Extensions, _beside: str) -> Iterable[bytes]:
    return asciicast.film(named, rebuild(named.recording.header, extensions))


def _waves(named: Named, extensions: Extensions, _beside: str) -> Iterator[bytes]:
    return vcd.waves(named, Player(named, extensions))


def _page(named: Named, extensions: Extensions, _beside: str) -> Iterator[bytes]:
    return report.report(named, Player(named, extensions))


def _findings(named: Named, extensions: Extensions, _beside: str) -> Iterator[bytes]:
    player = Player(named, extensions)
    player.to_act(len(player.entries))
    yield document.log(player.session, named.recording.name)


def _script(named: Named, extensions: Extensions, _beside: str) -> Iterator[bytes]:
    player = Player(named, extensions)
    player.to_act(len(player.entries))
    text = script.text(named, Digester(player.machine).digest())
    yield utf8.encode(text)


def _pytest(named: Named, extensions: Extensions, beside: str) -> Iterator[bytes]:
    yield utf8.encode(_test(named, extensions, beside))


def _test(named: Named, extensions: Extensions, beside: str) -> str:
    found = facts.gather(Player(named, extensions))
    branch = named.branch.name
    if beside:
        folder = Path(beside).resolve().parent
        path = os.path.relpath(Path(named.recording.name).resolve(), folder)
        return pytest_file.beside(branch, found, path)
    packed = b"".join(pack.pack(named.recording))
    return pytest_file.within(branch, found, packed)


EXPORTERS = (
    Exporter("perfetto", "a trace for ui.perfetto.dev", _trace),
    Exporter("asciicast", "a film for asciinema", _film),
    Exporter("script", "lines for lapis exec --script", _script),
    Exporter("pytest", "a test that passes while the replay does the same", _pytest),
    Exporter("vcd", "waves of vCPUs, vectors, pins and lines for GTKWave", _waves),
    Exporter("html", "a report to read in a browser, one file without scripts", _page),
    Exporter("sarif", "what the lints found, for code scanning in CI", _findings),
)
"""Ours."""
