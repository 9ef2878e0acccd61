"""Commands that only the screen knows: how it looks, a picture of it, leaving it.

They are read, completed and listed as those of a session are, and no session has them:
what they do is done to the application before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from lapis_sessions.registry import Argument, Command, NoNames, Registry
from lapis_sessions.text.near import nearest
from lapis_tui.bindings import KEYS
from lapis_tui.layouts import LAYOUTS, NEEDS
from lapis_tui.theme import THEMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapis_sessions.registry import Bound


class Front(Protocol):
    """What such a command can do to the application."""

    def part(self, *, ask: bool) -> None:
        """Leave the program; with `ask` only if nothing is lost or the user says so."""

    def wear(self, theme: str) -> str:
        """Put on a theme and keep it; return what is to be said of it."""

    def tour(self) -> str:
        """Begin the tour, or go on with it; return what is to be said of it."""
        ...

    def leave_tour(self) -> str:
        """Leave the tour; return what is to be said of it."""
        ...

    def action_layout(self, name: str) -> None:
        """Show a layout."""

    async def run_action(self, action: str) -> bool:
        """Do what a key does."""
        ...

    def worn(self) -> str:
        """Return which theme is on, and which there are."""

    async def take(self, path: str, pane: str | None, *, force: bool) -> str:
        """Write a picture of the screen, or of a pane in view; return what to say.

        `pane` may be "" for the one in focus. Raises `LapisError`.
        """


async def _quit(front: Front, _bound: Bound) -> str:
    front.part(ask=True)
    return ""


async def _quit_at_once(front: Front, _bound: Bound) -> str:
    front.part(ask=False)
    return ""


async def _tour(front: Front, bound: Bound) -> str:
    return front.leave_tour() if "leave" in bound else front.tour()


async def _layout(front: Front, bound: Bound) -> str:
    front.action_layout(bound.word("name"))
    return ""


async def _key(front: Front, bound: Bound) -> str:
    action = next(key.action for key in KEYS if key.id == bound.word("name"))
    await front.run_action(action)
    return ""


async def _theme(front: Front, bound: Bound) -> str:
    return front.wear(bound.word("name")) if "name" in bound else front.worn()


async def _screenshot(front: Front, bound: Bound) -> str:
    return await front.take(bound.word("file"), None, force="force" in bound)


async def _export(front: Front, bound: Bound) -> str:
    path, pane = bound.word("file"), bound.word("pane")
    return await front.take(path, pane, force="force" in bound)


FILE: Final = Argument("file", "word", required=True)
FORCE: Final = Argument("force", "flag", option=True)
LEAVE: Final = ("leave",)

OWN: Final = Registry((
    Command(
        "theme", "choose how the screen looks, or say which look it has", "read-only",
        _theme, str, (Argument("name", "word", choices=tuple(THEMES)),),
    ),
    Command(
        "tour", "show a new user around in ap-bringup, step by step: begin, go on, or "
        "leave", "read-only", _tour, str, (Argument("leave", "word", choices=LEAVE),),
    ),
    Command(
        "layout", "show a layout", "read-only", _layout, str,
        (Argument("name", "word", required=True,
            choices=tuple(each.name for each in LAYOUTS)),),
    ),
    Command(
        "key", "do what a key does, by its name in the key map", "read-only", _key, str,
        (Argument("name", "word", required=True, choices=tuple(k.id for k in KEYS)),),
    ),
    Command(
        "screenshot", "put a picture of the screen into FILE, .svg or .txt",
        "read-only", _screenshot, str, (FILE, FORCE),
    ),
    Command(
        "export svg",
        "put a picture of a pane in view into FILE, .svg or .txt: of the one in focus, "
        "or of PANE; z enlarges it first",
        "read-only", _export, str,
        (FILE, Argument("pane", "word", choices=(*NEEDS, "pending")), FORCE),
    ),
    Command(
        "quit", "quit; asks when something is in no recording", "read-only", _quit, str,
        aliases=("q", "exit"),
    ),
    Command(
        "quit!", "quit, whatever is lost", "read-only", _quit_at_once, str,
        aliases=("q!", "exit!"),
    ),
))  # fmt: skip
"""All of them. What `perform` takes is a `Front`, and what it returns is awaited."""


def knows(line: str) -> bool:
    """Tell whether a line is one of these, right or wrong in the rest of it."""
    words = line.split()
    firsts = {name.split()[0] for name in OWN.names}
    return bool(words) and words[0] in firsts


def is_meant(line: str, others: Iterable[str]) -> bool:
    """Tell whether a line that is nobody's is most like one of these.

    `others` are the names of the session's commands.
    """
    word, *_ = line.split() or [""]
    names = [name for name in OWN.names if " " not in name]
    is_others = any(each.split()[0] == word for each in others)
    return not is_others and nearest(word, [*names, *others]) in names


def topics() -> list[tuple[str, str, str]]:
    """Return (usage, aliases, help) of each, as a session does of its own."""
    return [(c.usage, ", ".join(c.aliases), c.help) for c in OWN.commands]


async def perform(front: Front, line: str) -> str:
    """Do a line; return what is to be said of it. Raises `LapisError`."""
    call = OWN.parse(line, NoNames())
    said: str = await call.command.perform(front, call.bound)
    return said
