"""The page of the commands of a session, by what one wants to do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lapis_tui.reference.markdown import block, code, joined, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lapis_sessions.registry import Argument, Command, Registry

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "Run and step": ("running", "stepping"),
    "Look": ("inspection", "system", "boot", "devices", "panes"),
    "Memory and code": ("memory", "searching", "examining", "symbols"),
    "Expressions": ("values",),
    "Ask why": ("why", "why_stops", "diff"),
    "Where it stops": ("breakpoints", "io_watches", "catches"),
    "Settle requests": ("requests", "traps"),
    "IPIs and interrupts": ("ipi", "interference", "fabric"),
    "Go back and forth": (
        "timeline", "places", "seeking", "going", "history", "acts",
    ),
    "Record a session": ("recording",),
    "Consoles and buttons": ("console", "panel"),
    "Files of APICs": ("apic_files",),
    "Check the guest": ("lints",),
    "Let others in": ("gdb",),
    "Explain values, and these commands": ("reference",),
}  # fmt: skip
"""Modules of `lapis_sessions.commands` by the heading that they come under. What is in
none of them comes last, by its module."""
HEAD: Final = """\
# Commands of a session

They are the same in `lapis console`, behind `:` on the screen, with `lapis exec -c`, in
scripts and in Python (`session.do`). Names of other debuggers are understood as well:
see [every spelling](../coming-from/spellings.md). What a command does at most is
*read-only*, *mutating* or *time-moving*; an argument in brackets may be left out.
"""


def page(registry: Registry) -> str:
    """Return the page."""
    groups = dict(_grouped(registry))
    listing = table(
        ("for", "commands"),
        (
            (prose(title), ", ".join(map(_link, found)))
            for title, found in groups.items()
        ),
    )
    return joined([HEAD, listing, *_sections(groups)])


def _grouped(registry: Registry) -> Iterator[tuple[str, list[Command]]]:
    left = {command.name: command for command in registry.commands}
    for title, modules in GROUPS.items():
        found = [each for each in left.values() if _module(each) in modules]
        for each in found:
            del left[each.name]
        if found:
            yield title, found
    for module in dict.fromkeys(map(_module, left.values())):
        title = f"Of {module.replace('_', ' ')}"
        yield title, [each for each in left.values() if _module(each) == module]


def _module(command: Command) -> str:
    perform: Any = command.perform
    while isinstance(perform, partial):
        perform = perform.func
    return str(perform.__module__).rpartition(".")[2]


def _link(command: Command) -> str:
    return f"[{code(command.name)}](#{anchor(command.name)})"


def anchor(name: str) -> str:
    """Return the anchor of a heading that is the name of a command.

    >>> anchor("ipi dry-run"), anchor("x/")
    ('ipi-dry-run', 'x')
    """
    kept = "".join(c for c in name.lower() if c.isalnum() or c in " -_")
    return "-".join(kept.split())


def _sections(groups: Mapping[str, Sequence[Command]]) -> Iterator[str]:
    for title, found in groups.items():
        yield f"## {title}\n"
        for command in found:
            yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    yield f"### {command.name}\n"
    yield block(command.usage)
    also = f" Also {', '.join(map(code, command.aliases))}." if command.aliases else ""
    help_ = prose(command.help)
    yield f"{help_[:1].upper()}{help_[1:]} *({command.effect})*.{also}\n"
    rows = [_argument(each) for each in command.arguments]
    yield table(("argument", "what", "it may be"), rows)


def _argument(it: Argument) -> tuple[str, str, str]:
    name = f"--{it.name}" if it.option else it.name.upper()
    kind: str = "several words" if it.many else it.kind
    if it.after is not None:
        kind = f"{kind}, behind the word {it.after}"
    kind = kind if it.required else f"{kind}, optional"
    return code(name), prose(kind), ", ".join(map(code, it.choices))
