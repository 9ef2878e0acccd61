"""The command registry: what a command is, how its line is read.

One description of a command serves parsing, completion and help in every front end.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from lapis_sessions.errors import CommandError
from lapis_sessions.text import numerals
from lapis_sessions.text.near import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Kind = Literal["count", "value", "address", "vcpu", "word", "flag"]
Effect = Literal["read-only", "mutating", "time-moving"]
MOST_COUNT = 10**15
MOST_SHOWN = 48
"""Letters of choices in a usage line; more of them go by the argument's name."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command."""

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    """For a word: what it may be; empty for any."""
    option: bool = False
    """Written `--name VALUE`, or `--name` alone for a flag, anywhere in the line."""
    table: str | None = None
    """For a word: the table of `Registry` whose names it may be, besides `choices`."""
    acts: bool = False
    """The command is read-only without it, or without another one that acts."""
    many: bool = False
    """For the last word: it may be several, which are put together with blanks."""

    @property
    def is_abridged(self) -> bool:
        """Whether a usage line has no room for its choices."""
        return len("|".join(self.choices)) > MOST_SHOWN

    @property
    def usage(self) -> str:
        """How it stands in a usage line."""
        shown = "|".join(self.choices)
        if not shown or self.is_abridged:
            shown = f"{self.name.upper()}{'...' if self.many else ''}"
        if self.option:
            shown = (
                f"--{self.name}" if self.kind == "flag" else f"--{self.name} {shown}"
            )
        return shown if self.required else f"[{shown}]"


class Bound:
    """The arguments of one command line, by name; those not given are absent."""

    def __init__(self, values: Mapping[str, int | str]) -> None:
        """Hold `values`, already read."""
        self._values = values

    def __contains__(self, name: str) -> bool:
        """Tell whether the argument was given."""
        return name in self._values

    def number(self, name: str, default: int = 0) -> int:
        """Return a number, or `default`."""
        return int(self._values.get(name, default))

    def word(self, name: str, default: str = "") -> str:
        """Return a word, or `default`."""
        return str(self._values.get(name, default))


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    name: str
    help: str
    effect: Effect
    """The most that it does."""
    perform: Callable[[Any, Bound], Any]
    """Does it on a `Session`, which is built with the registry and lies above it;
    returns a view (`plain` makes JSON of it), or raises `LapisError`."""
    render: Callable[[Any], str]
    """Puts the view into words."""
    arguments: tuple[Argument, ...] = ()
    aliases: tuple[str, ...] = ()
    """Other names; they may be of two words."""

    @property
    def usage(self) -> str:
        """The line in general."""
        return " ".join([self.name, *(a.usage for a in self.arguments)])


@dataclass(frozen=True, slots=True)
class Call:
    """A command line that was understood."""

    command: Command
    bound: Bound

    @property
    def effect(self) -> Effect:
        """What it does with these arguments."""
        acting = [a.name for a in self.command.arguments if a.acts]
        if acting and not any(name in self.bound for name in acting):
            return "read-only"
        return self.command.effect


class Registry:
    """All commands, found by name or alias."""

    def __init__(
        self,
        commands: Iterable[Command],
        tables: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> None:
        """Take `commands` in the order in which help lists them.

        `tables` have the names that arguments refer to.
        """
        known = {table: tuple(names) for table, names in tables.items()}
        self.commands = tuple(_with_choices(command, known) for command in commands)
        self._by_name: dict[str, Command] = {}
        for command in self.commands:
            for name in (command.name, *command.aliases):
                assert name not in self._by_name, name
                self._by_name[name] = command

    @property
    def names(self) -> list[str]:
        """Every name and alias."""
        return sorted(self._by_name)

    def named(self, name: str) -> Command:
        """Return a command; raise `CommandError` with the nearest name."""
        try:
            return self._by_name[name]
        except KeyError:
            begun = [n for n in self.names if n.startswith(f"{name} ")]
            near = nearest(name, self.names)
            hint = "try help"
            if near is not None:
                usage = self._by_name[near].usage
                hint = f"did you mean {near}? usage: {usage}"
            hint = f"there are {', '.join(begun)}" if begun else hint
            raise CommandError(f"there is no command {name[:40]!r}; {hint}") from None

    def find(self, words: Sequence[str]) -> tuple[Command, list[str]]:
        """Return the command that `words` begin with, and the rest of them."""
        pair = " ".join(words[:2])
        if len(words) > 1 and pair in self._by_name:
            return self._by_name[pair], list(words[2:])
        return self.named(words[0]), list(words[1:])

    def parse(self, line: str, symbols: Mapping[str, int]) -> Call:
        """Understand a whole line; raise `CommandError` saying what is wrong."""
        words = split(line)
        if not words:
            raise CommandError("the command is empty; try help")
        command, rest = self.find(words)
        try:
            return Call(command, Bound(_bind(command, rest, symbols)))
        except CommandError as error:
            raise CommandError(f"{error}; usage: {command.usage}") from None


def _with_choices(command: Command, tables: Mapping[str, tuple[str, ...]]) -> Command:
    """Return the command with the choices of its arguments, tables and all."""
    if not any(argument.table for argument in command.arguments):
        return command
    arguments = tuple(
        replace(a, choices=(*a.choices, *tables.get(a.table, ())), table=None)
        if a.table is not None
        else a
        for a in command.arguments
    )
    return replace(command, arguments=arguments)


def split(line: str) -> list[str]:
    """Split a line into words as a shell does; raise `CommandError`."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise CommandError(f"the command cannot be read: {error}") from None


def _bind(
    command: Command, words: Sequence[str], symbols: Mapping[str, int]
) -> dict[str, int | str]:
    values: dict[str, int | str] = {}
    options = {f"--{a.name}": a for a in command.arguments if a.option}
    positional = [a for a in command.arguments if not a.option]
    rest = iter(words)
    for word in rest:
        argument = _argument(command, word, options, positional)
        if argument.many:
            values[argument.name] = f"{values.get(argument.name, '')} {word}".strip()
            continue
        if argument.name in values:
            raise CommandError(f"{command.name}: {word[:40]} is given twice")
        if argument.kind == "flag":
            values[argument.name] = 1
            continue
        text = next(rest, None) if argument.option else word
        if text is None:
            raise CommandError(f"{command.name}: {word} needs a value")
        values[argument.name] = _read(command, argument, text, symbols)
    required = [a.name for a in command.arguments if a.required]
    missing = [name.upper() for name in required if name not in values]
    if missing:
        raise CommandError(f"{command.name} needs {' and '.join(missing)}")
    return values


def _argument(
    command: Command,
    word: str,
    options: Mapping[str, Argument],
    positional: list[Argument],
) -> Argument:
    """Return the argument that `word` begins, taking it from `positional`."""
    if word.startswith("--"):
        if word not in options:
            known = f"it has {', '.join(options)}" if options else "it has none"
            raise CommandError(f"{command.name} has no option {word[:40]}; {known}")
        return options[word]
    if not positional:
        raise CommandError(f"{command.name}: {numerals.shown(word)} is too much")
    return positional[0] if positional[0].many else positional.pop(0)


def _read(
    command: Command, argument: Argument, text: str, symbols: Mapping[str, int]
) -> int | str:
    what = f"{command.name}: {argument.name}"
    match argument.kind:
        case "count":
            return numerals.number(text, what, MOST_COUNT)
        case "value" | "vcpu":
            return numerals.number(text, what)
        case "address":
            return numerals.address(text, symbols, what)
        case _:
            if argument.choices and text not in argument.choices:
                known = ", ".join(argument.choices)
                raise CommandError(
                    f"{what} {numerals.shown(text)} is not one of {known}"
                )
            return text
