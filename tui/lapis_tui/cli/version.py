"""`lapis --version`, and which of its parts is compiled."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_tui import output

if TYPE_CHECKING:
    import click

CORE: Final = "LAPIS_CORE"
"""Environment variable: `count` does without what is compiled, `blocks` is usual."""
CORES: Final = ("blocks", "count")


def choose_core() -> None:
    """Count as the environment says; raise `ConfigError` for what is no way to."""
    wanted = os.environ.get(CORE)
    if not wanted:
        return
    if wanted not in CORES:
        raise ConfigError(f"{CORE}={wanted}: it is one of {', '.join(CORES)}")
    from lapis_engine.cpu import selfcheck  # noqa: PLC0415 - loads the processor

    selfcheck.count_by_instruction(on=wanted == "count")


def tell(context: click.Context, _parameter: click.Parameter, given: bool) -> None:  # noqa: FBT001 - click's signature
    """Print it, and end."""
    if not given or context.resilient_parsing:
        return
    from lapis_engine.cpu import selfcheck  # noqa: PLC0415 - loads the processor

    library = selfcheck.blocks_library()
    is_counted = isinstance(library, str)
    core = "count" if is_counted else "blocks"
    output.say(f"lapis, version {version('lapis')}")
    output.say(f"core: {core}, engine: python")
    if is_counted:
        output.say(f"instructions are counted one by one: {library}")
    context.exit()
