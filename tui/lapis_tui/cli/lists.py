"""`lapis profiles`, `lapis machines` and `lapis plugins`: what there is to choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lapis_engine.machine.config import MachineConfig
from lapis_sessions.text.visible import visible
from lapis_sessions.views import platforms as views_machines
from lapis_sessions.views import profiles as views_profiles
from lapis_tui import output, statuses
from lapis_tui.cli import headless, plugged

if TYPE_CHECKING:
    from lapis_plugins.plugin import Plugin


@click.group(invoke_without_command=True)
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every switch.")
@click.pass_context
def profiles(ctx: click.Context, as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the profiles."""
    if ctx.invoked_subcommand is None:
        rows = views_profiles.profiles(plugged.extensions().profiles)
        output.result(rows, views_profiles.text, as_json=as_json)
    return headless.OK


@profiles.command("diff")
@click.argument("first")
@click.argument("second")
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def profiles_diff(
    first: str,
    second: str,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Show in which switches two profiles differ, and who says so."""
    known = plugged.extensions().profiles
    view = views_profiles.difference(known, first, second)
    output.result(view, views_profiles.difference_text, as_json=as_json)
    return headless.OK


@click.command()
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def machines(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the platforms that --machine takes."""
    rows = views_machines.machines(plugged.extensions().machines)
    output.result(rows, views_machines.text, as_json=as_json)
    return headless.OK


@click.command(epilog=statuses.epilog("plugins"))
@plugged.OPTION
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """List the plug-ins: whence they come, what they implement, how they do.

    The status is 1 when one failed.
    """
    host = plugged.host()
    host.devices(MachineConfig())
    _ = host.extensions
    if as_json:
        output.data([plugin.to_dict() for plugin in host.plugins])
    else:
        output.say("\n".join(map(_listed, host.plugins)))
    return headless.FAILED if host.failures else headless.OK


def _listed(plugin: Plugin) -> str:
    kind = "built in"
    if not plugin.builtin:
        kind = f"{plugin.distribution or 'file'} {plugin.version or ''}".rstrip()
    state = "active" if plugin.why is None else f"disabled: {plugin.why}"
    hooks = " ".join(hook.removeprefix("lapis_") for hook in plugin.hooks)
    head = f"{visible(plugin.name):<12} {visible(kind):<20} {visible(plugin.origin)}"
    rows = (f"    {visible(row)}" for row in (hooks, state) if row)
    return "\n".join([head, *rows])
