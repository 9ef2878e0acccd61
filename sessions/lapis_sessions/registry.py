"""The command registry: what a command is, how its line is read.

One description of a command serves parsing, completion and help in every front end.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lapis_sessions.errors import CommandError
from lapis_sessions.spellings.translation import translated
from lapis_sessions.text import numerals
from lapis_sessions.text.expressions import Expression, ExpressionError
from lapis_sessions.text.near import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

Kind = Literal["count", "value", "address", "vcpu", "word", "flag", "expression"]
Effect = Literal["read-only", "mutating", "time-moving"]
MOST_COUNT = 10**15
_SLASHED = re.compile(r"\s*(\w+/)(?=\S)", re.ASCII)
_WORD = re.compile(r"\w*", re.ASCII)
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
    after: str | None = None
    """For an expression: the word that it stands behind. Without one it is all of the
    line but options; either way it is taken as it is written, quotes and all."""

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
        if self.after is not None:
            shown = f"{self.after} {shown}"
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
        words = " ".join([self.name, *(a.usage for a in self.arguments)])
        return words.replace("/ ", "/", 1) if self.name.endswith("/") else words


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


class Names(Protocol):
    """What the words of a line can stand for: a `Session`, which lies above."""

    @property
    def symbols(self) -> Mapping[str, int]:
        """What names of the guest stand for."""
        ...

    def value(self, text: str) -> Any:
        """Return what an expression comes to; raise `ExpressionError`."""
        ...


class NoNames:
    """The names of who has no machine: words stand for nothing but numbers."""

    symbols: Mapping[str, int] = MappingProxyType({})

    def value(self, text: str) -> Any:
        """Raise `ExpressionError` for a name."""
        return Expression(text, ()).evaluate({})


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
        words = [*self._parted(words[0]).split(), *words[1:]]
        pair = " ".join(words[:2])
        if len(words) > 1 and pair in self._by_name:
            return self._by_name[pair], list(words[2:])
        return self.named(words[0]), list(words[1:])

    def _parted(self, line: str) -> str:
        """Part what a command of a name with a slash is given from its name.

        Such are gdb's: `x/20i` is the command `x/` with 20i as its first argument.
        """
        begun = _SLASHED.match(line)
        if begun is None or begun[1] not in self._by_name:
            return line
        return f"{begun[1]} {line[begun.end() :]}"

    def parse(self, line: str, names: Names) -> Call:
        """Understand a whole line, in our words or in another debugger's.

        Raises `CommandError` saying what is wrong.
        """
        line = self._parted(translated(line, self._by_name))
        begun = line.split()[:2]
        if not begun:
            raise CommandError("the command is empty; try help")
        command, beyond = self.find(begun)
        taken = next((a for a in command.arguments if a.kind == "expression"), None)
        try:
            if taken is None:
                _, rest = self.find(split(line))
                return Call(command, Bound(_bind(command, rest, names)))
            text = line.split(maxsplit=len(begun) - len(beyond))
            tail = text[-1] if len(text) > len(begun) - len(beyond) else ""
            return Call(command, Bound(_with_expression(command, taken, tail, names)))
        except ExpressionError:
            raise
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


def _with_expression(
    command: Command, taken: Argument, text: str, names: Names
) -> dict[str, int | str]:
    """Bind a line that ends with an expression, which is not split into words."""
    flags = {f"--{a.name}" for a in command.arguments if a.kind == "flag"}
    if taken.after is None:
        head, found = _leading(command, text)
    else:
        head, found = _parted(text, taken.after)
    trailing: list[str] = []
    while (last := found.rpartition(" "))[2] in flags:
        found = last[0].rstrip()
        trailing.append(last[2])
    values = _bind(command, [*split(head), *trailing], names, {taken.name})
    if found:
        values[taken.name] = found
    elif taken.required:
        raise CommandError(f"{command.name} needs {taken.name.upper()}")
    return values


def _leading(command: Command, text: str) -> tuple[str, str]:
    """Part options and words at the beginning from the expression behind them."""
    options = {f"--{a.name}": a for a in command.arguments if a.option}
    head: list[str] = []
    text = text.strip()
    while text.startswith("--"):
        word, _, rest = text.partition(" ")
        head.append(word)
        if word in options and options[word].kind != "flag":
            value, _, rest = rest.lstrip().partition(" ")
            head.append(value)
        text = rest.lstrip()
    for argument in command.arguments:
        if argument.kind == "expression":
            break
        if not argument.option:
            word, _, text = text.partition(" ")
            head.append(word)
            text = text.lstrip()
    return " ".join(head), text


def _parted(text: str, word: str) -> tuple[str, str]:
    """Part a line at the first `word` that is not between quotes.

    >>> _parted("main --vcpu 1 if rax == 'if'", "if")
    ('main --vcpu 1', "rax == 'if'")
    """
    for found in re.finditer(rf"""'[^']*'|"[^"]*"|(?<!\S)({word})(?!\S)""", text):
        if found[1]:
            return text[: found.start()].rstrip(), text[found.end() :].strip()
    return text, ""


def _bind(
    command: Command,
    words: Sequence[str],
    names: Names,
    bound: Collection[str] = (),
) -> dict[str, int | str]:
    """Give words to the arguments of a command, but those that are `bound` already."""
    values: dict[str, int | str] = {}
    options = {f"--{a.name}": a for a in command.arguments if a.option}
    positional = [a for a in command.arguments if not a.option and a.name not in bound]
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
        values[argument.name] = _read(command, argument, text, names)
    required = [a.name for a in command.arguments if a.required and a.name not in bound]
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
    command: Command, argument: Argument, text: str, names: Names
) -> int | str:  # fmt: skip
    what = f"{command.name}: {argument.name}"
    match argument.kind:
        case "count":
            return numerals.number(text, what, MOST_COUNT)
        case "vcpu":
            return numerals.number(text, what)
        case "value":
            return _value(text, what, names, numerals.number)
        case "address":
            located = partial(numerals.address, symbols=names.symbols)
            return _value(
                text, what, names, lambda text, what: located(text, what=what)
            )
        case _:
            if argument.choices and text not in argument.choices:
                known = ", ".join(argument.choices)
                raise CommandError(
                    f"{what} {numerals.shown(text)} is not one of {known}"
                )
            return text


def _value(text: str, what: str, names: Names, read: Callable[[str, str], int]) -> int:
    """Read a number, or else what an expression comes to."""
    try:
        return read(text, what)
    except CommandError as error:
        wrong = error
    is_number = text[:1].isdigit() and _WORD.fullmatch(text)
    if is_number or len(text) > numerals.MOST_DIGITS:
        raise wrong
    try:
        value = names.value(text)
    except ExpressionError:
        # Of one word there is no more to be said than that it is no number.
        if _WORD.fullmatch(text):
            raise wrong from None
        raise
    if isinstance(value, int) and 0 <= value <= numerals.LARGEST:
        return int(value)
    raise CommandError(f"{what} {numerals.shown(text)} comes to no number of 64 bits")
