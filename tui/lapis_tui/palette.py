"""The palette (Ctrl-P): everything that can be done, found by any part of its words.

An entry is a command line, of the session or of the screen, with the key that does the
same where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content

from lapis_sessions.text.visible import visible
from lapis_tui.bindings import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.command import Hits

    from lapis_sessions.registry import Argument, Command, Registry
    from lapis_tui.bindings import Key


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be done."""

    title: str
    """The whole line in general, its optional arguments too."""
    line: str
    """What is done, or, with `argument`, what is put on the command line."""
    help: str
    keys: str | None = None
    """The keys that do it, as they are written for people."""
    argument: tuple[int, int] | None = None
    """Of an entry that needs an argument: where in `line` its place is, and how long
    that is."""


class Chooser(Protocol):
    """What the palette asks of the application."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, in the order in which they are listed."""
        ...

    def choose_entry(self, entry: Entry) -> None:
        """Do an entry, or begin its line."""


def entries(*registries: Registry, keys: Sequence[Key] = KEYS) -> tuple[Entry, ...]:
    """Return an entry for each command, for each of few choices, and for each key."""
    by_line = {key.line: key.shown for key in keys if key.line is not None}
    out = []
    for command in (c for registry in registries for c in registry.commands):
        shown = by_line.pop(command.name, None)
        choices = [*_choices(command, by_line)]
        if command.usage not in {each.title for each in choices}:
            out.append(_of_command(command, shown))
        out += choices
    for key in keys:
        if key.line is None or key.line in by_line:
            out.append(Entry(key.twin, key.twin, key.help, key.shown))
    return tuple(out)


def _of_command(command: Command, keys: str | None) -> Entry:
    needed = [_place(each) for each in command.arguments if each.required]
    if not needed:
        return Entry(command.usage, command.name, command.help, keys)
    line = " ".join([command.name, *(before + place for before, place in needed)])
    before, place = needed[0]
    at = len(command.name) + 1 + len(before)
    return Entry(command.usage, line, command.help, keys, (at, len(place)))


def _place(argument: Argument) -> tuple[str, str]:
    """Return what stands before the place of an argument, and what holds it."""
    if not argument.option:
        return "", argument.usage
    before = f"--{argument.name} "
    return before, argument.usage.removeprefix(before)


def _choices(command: Command, by_line: dict[str, str]) -> Iterator[Entry]:
    """Yield an entry for each choice of a command that is but a choice."""
    if len(command.arguments) != 1 or command.arguments[0].is_abridged:
        return  # several arguments, or so many choices that they have a name
    for word in command.arguments[0].choices:
        line = f"{command.name} {word}"
        yield Entry(line, line, command.help, by_line.pop(line, None))


def prompt(entry: Entry, title: Content) -> Content:
    """Return the rows of an entry: its line and its key, and below it what it does."""
    keys = f"   {entry.keys}" if entry.keys is not None else ""
    return title + Content.styled(keys, "bold") + Content(f"\n  {visible(entry.help)}")


class PaletteProvider(Provider):
    """Finds entries by their lines, and those of which the help has the words."""

    @property
    def _front(self) -> Chooser:
        return cast("Chooser", self.app)

    async def discover(self) -> Hits:
        """Offer everything."""
        for entry in self._front.entries:
            title = Content(visible(entry.title))
            yield DiscoveryHit(prompt(entry, title), self._choosing(entry), entry.title)

    async def search(self, query: str) -> Hits:
        """Offer what has the letters of `query` in its line, or the words in its help.

        What is found by its help comes last.
        """
        matcher = self.matcher(query)
        for entry in self._front.entries:
            text = visible(entry.title)
            title = Content(text)
            score, offsets = matcher.fuzzy_search.match(query, text)
            for at in offsets:
                title = title.stylize(matcher.match_style, at, at + 1)
            if not score and query.casefold() in entry.help.casefold():
                score = 0.001
            if score:
                command = self._choosing(entry)
                yield Hit(score, prompt(entry, title), command, entry.title)

    def _choosing(self, entry: Entry) -> Choosing:
        return Choosing(self._front, entry)


@dataclass(frozen=True, slots=True)
class Choosing:
    """What is called when an entry is chosen."""

    front: Chooser
    entry: Entry

    def __call__(self) -> None:
        """Choose it."""
        self.front.choose_entry(self.entry)
