"""The exports by name, each from a branch to the bytes of a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lapis_engine.replay.digest import Digester
from lapis_sessions.recording.edit import pack
from lapis_sessions.recording.export import (
    asciicast,
    facts,
    perfetto,
    pytest_file,
    script,
)
from lapis_sessions.recording.play.player import Player
from lapis_sessions.recording.play.rebuild import rebuild

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.recording.play.named import Named

FORMS = ("perfetto", "asciicast", "script", "pytest")


def export(
    named: Named, form: str, extensions: Extensions, beside: str = ""
) -> Iterator[bytes]:
    """Yield an export; raise `RecordingError`, or what building or replaying raises.

    Args:
        named: The branch.
        form: One of `FORMS`.
        extensions: What plug-ins offer.
        beside: File of the test, when that is to name the recording and not to hold it.
    """
    match form:
        case "perfetto":
            yield from perfetto.trace(named, Player(named, extensions))
        case "asciicast":
            yield from asciicast.film(
                named, rebuild(named.recording.header, extensions)
            )
        case "script":
            player = Player(named, extensions)
            player.to_act(len(player.entries))
            yield script.text(named, Digester(player.machine).digest()).encode()
        case _:
            yield _test(named, extensions, beside).encode()


def _test(named: Named, extensions: Extensions, beside: str) -> str:
    found = facts.gather(Player(named, extensions))
    branch = named.branch.name
    if beside:
        folder = Path(beside).resolve().parent
        path = os.path.relpath(Path(named.recording.name).resolve(), folder)
        return pytest_file.beside(branch, found, path)
    packed = b"".join(pack.pack(named.recording))
    return pytest_file.within(branch, found, packed)
