"""Every page that is made from the code, by its path below `docs/pages`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lapis_plugins.host import discover
from lapis_sessions.spellings import page as spellings
from lapis_tui import statuses
from lapis_tui.bench import picture
from lapis_tui.cli.main import lapis
from lapis_tui.reference import (
    commands,
    configuration,
    departures,
    events,
    expressions,
    hooks,
    lints,
    profiles,
    program,
    recording_format,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lapis_sessions.extensions import Extensions


def _ours() -> Extensions:
    """Return what comes with Lapis, whatever else is installed."""
    return discover(installed=False).extensions


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/commands.md": lambda: commands.page(_ours().registry),
    "reference/lapis.md": lambda: program.page(lapis),
    "reference/statuses.md": statuses.page,
    "reference/expressions.md": lambda: expressions.page(_ours().explainers),
    "reference/events.md": events.page,
    "reference/lints.md": lambda: lints.page(_ours().lints),
    "reference/profiles.md": lambda: profiles.page(_ours().profiles),
    "reference/hooks.md": hooks.page,
    "reference/configuration.md": configuration.page,
    "reference/recording-format.md": recording_format.page,
    "reference/departures.md": departures.page,
    "coming-from/spellings.md": spellings.page,
    "screens/pictures.md": picture.page,
}
"""How each is made. The pictures themselves take long: `lapis_tui.bench.picture`."""
