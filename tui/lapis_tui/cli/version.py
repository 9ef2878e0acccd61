"""`lapis --version`, and which of its parts is compiled."""

from __future__ import annotations

import os
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
    from importlib.metadata import version  # noqa: PLC0415 - a tenth of the start

    from lapis_engine.cpu import selfcheck  # noqa: PLC0415 - loads the processor
    from lapis_tui import built  # noqa: PLC0415 - it too

    output.say(f"lapis, version {version('lapis')}")
    output.say(f"core: {built.core()}, engine: {built.build()}")
    library = selfcheck.blocks_library()
    if isinstance(library, str):
        output.say(f"instructions are counted one by one: {library}")
    context.exit()
