"""The configuration of one command line: option `--config`, and what applies of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from lapis_engine.errors import LapisError
from lapis_tui.cli import completing
from lapis_tui.config import reading
from lapis_tui.config.record import Config, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lapis_sessions.extensions import Extensions
    from lapis_sessions.session import Session

KEY: Final = "lapis.config"
GUEST: Final = "guest"
"""The argument of the commands whose options have a configured default."""


def _read(ctx: click.Context, _option: click.Parameter, file: str | None) -> None:
    if ctx.resilient_parsing:
        return
    found = ctx.meta[KEY] = reading.load(file)
    if any(parameter.name == GUEST for parameter in ctx.command.params):
        ctx.default_map = dict(found.open)


OPTION: Final = click.option(
    "--config",
    default=None,
    metavar="FILE",
    shell_complete=completing.files,
    is_eager=True,
    expose_value=False,
    callback=_read,
    help="Go by the configuration in FILE, and not by the user's.",
)


def config() -> Config:
    """Return what is configured for this command line."""
    ctx = click.get_current_context(silent=True)
    found = ctx.meta.get(KEY) if ctx is not None else None
    return found if found is not None else Config()


def tell(session: Session) -> None:
    """Have a session say what is wrong with the configuration, if something is."""
    notice = config().notice
    if notice is not None:
        session.notices.append(notice)


def opened(
    options: Mapping[str, Any],
    extensions: Extensions,
    open_: Callable[[Mapping[str, Any], Extensions], Session],
) -> Session:
    """Open a guest; a configured default that cannot be is left out and told.

    Raises what `open_` does when that is nothing of the configuration's.
    """
    try:
        session = open_(options, extensions)
    except LapisError as error:
        given = _defaults()
        together = [tuple(given)] if len(given) > 1 else []
        for names in [*((name,) for name in given), *together]:
            without = {name: given[name] for name in names}
            try:
                session = open_({**options, **without}, extensions)
            except LapisError:
                continue
            session.notices.append(_left_out(names, error))
            break
        else:
            raise
    tell(session)
    return session


def _defaults() -> dict[str, Any]:
    """Return what the options that come from the configuration would be without it."""
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return {}
    return {
        str(parameter.name): parameter.default
        for parameter in ctx.command.params
        if ctx.get_parameter_source(parameter.name or "") is ParameterSource.DEFAULT_MAP
    }


def _left_out(names: Sequence[str], why: LapisError) -> str:
    """Return what is told of configured defaults without which a guest opens."""
    found = config()
    key = f"open.{names[0]}" if len(names) == 1 else "open"
    problem = Problem(
        found.file or "",
        min(found.lines[f"open.{name}"] for name in names),
        key,
        str(why),
    )
    return f"{problem}; that is left out"
