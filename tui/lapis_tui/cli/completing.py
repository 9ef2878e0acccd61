"""What the shell completes: names and files, found without the engine.

What only the engine knows is written here as well, and the tests hold it against that.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from click.shell_completion import CompletionItem, shell_complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click

    Completing = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

VARIABLE: Final = "_LAPIS_COMPLETE"
"""In the environment: what the script of a shell asks for."""
SHELLS: Final = ("bash", "zsh", "fish")
PROFILES: Final = (
    "sdm", "illumos", "illumos-pre-13645", "illumos-pre-13275", "illumos-pre-13253",
    "illumos-pre-13139", "illumos-pre-12936", "illumos-pre-12989", "illumos-pre-12960",
    "freebsd", "freebsd-pre-d37452", "freebsd-13.1-compat", "freebsd-13.1-broken",
    "freebsd-13.1-off-by-one",
)  # fmt: skip
MACHINES: Final = ("bare", "pc")
RECORDING: Final = ".lapis"


def answer(program: click.Command, instruction: str) -> int:
    """Print what a shell asks for; return the status."""
    return shell_complete(program, {}, "lapis", VARIABLE, instruction)


def words(*names: str) -> Completing:
    """Complete some names."""

    def complete(
        _ctx: click.Context, _parameter: click.Parameter, begun: str
    ) -> list[CompletionItem]:
        return _beginning(names, begun)

    return complete


def files(
    _ctx: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Have the shell complete the names of files.

    This goes before names: the script of bash forgets what came before it.
    """
    return [CompletionItem(begun, type="file")]


def guests(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete embedded guests, those that were opened last, and files."""
    return [*files(ctx, parameter, begun), *guest_names(begun)]


def guest_names(begun: str) -> list[CompletionItem]:
    """Complete embedded guests and those that were opened last."""
    from lapis_sessions import guests as known  # noqa: PLC0415 - only if it is asked
    from lapis_tui import recent  # noqa: PLC0415 - the same

    embedded = known.names()
    others = [name for name in recent.recent() if name not in embedded]
    return _beginning([*embedded, *(others if begun else ())], begun)


def scenarios(
    _ctx: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete the scenarios of the gallery."""
    return _beginning(scenario_names(), begun)


def recordings(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete recordings, and files and folders where there is none of that name."""
    return [*files(ctx, parameter, begun), *_beginning(_recordings(begun), begun)]


def played(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete what can be replayed: recordings and scenarios."""
    return recordings(ctx, parameter, begun) + scenarios(ctx, parameter, begun)


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with Lapis."""
    folder = Path(str(resources.files("lapis_sessions"))) / "gallery"
    return sorted(path.stem for path in folder.glob("*.toml"))


def _recordings(begun: str) -> list[str]:
    """Return the recordings in the folder that a name begins with."""
    folder, _, _ = begun.rpartition("/")
    head = f"{folder}/" if "/" in begun else ""
    try:
        there = Path(head or ".").expanduser().iterdir()
        names = sorted(path.name for path in there)
    except OSError:
        return []
    return [head + name for name in names if name.endswith(RECORDING)]


def _beginning(names: Iterable[str], begun: str) -> list[CompletionItem]:
    """Return the names that begin so, but for those that no line of a shell has."""
    return [
        CompletionItem(name)
        for name in names
        if name.startswith(begun) and name.isprintable()
    ]
