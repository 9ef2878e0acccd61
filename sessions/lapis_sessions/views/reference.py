"""Raw values in words, and the commands themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.explain.fields import Explanation
    from lapis_sessions.registry import Command


@dataclass(frozen=True, slots=True)
class CommandView:
    """The description of a command."""

    name: str
    usage: str
    aliases: tuple[str, ...]
    help: str
    effect: str
    """read-only, mutating or time-moving."""
    choices: dict[str, tuple[str, ...]] | UnsetType = UNSET
    """What an argument may be, where the usage has no room for it."""


def command(it: Command) -> CommandView:
    """Return the description of a command."""
    choices = {a.name: a.choices for a in it.arguments if a.is_abridged}
    return CommandView(
        it.name, it.usage, it.aliases, it.help, it.effect, choices or UNSET
    )


def explanation_text(view: Explanation) -> str:
    """Return a value in words and in fields."""
    out = [f"{view.what} {view.raw:#x}: {view.text}"]
    for field in view.fields:
        meaning = f"  {field.meaning}" if field.meaning else ""
        bits = f"[{field.bits}]"
        out.append(f"  {bits:<8} {field.name:<22} {field.value:#x}{meaning}")
    return "\n".join(out)


def commands_text(rows: Sequence[CommandView]) -> str:
    """Return help: one line per command, or all of one command."""
    if len(rows) == 1:
        row = rows[0]
        other = f"\nalso: {', '.join(row.aliases)}" if row.aliases else ""
        known = {} if row.choices is UNSET else row.choices
        choices = "".join(f"\n{k.upper()}: {', '.join(v)}" for k, v in known.items())
        return f"{row.usage}\n{row.help} ({row.effect}){other}{choices}"
    return "\n".join(f"{row.usage:<36} {row.help}" for row in rows)
