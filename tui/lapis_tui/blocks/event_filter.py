"""Filters of events: `vcpu:1 eoi`, `kind:ipi,exit`, `vector:0x31`, words, `!word`.

All terms have to hold. What a field of an event decides is decided first; only the rest
is put into words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import LapisError
from lapis_engine.explain.events import describe
from lapis_engine.machine.catches import EVENTS
from lapis_sessions.errors import CommandError
from lapis_sessions.text.numerals import number
from lapis_sessions.text.visible import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.events import Logged

    Holds = Callable[[Logged], bool]

FIELDS: Final = ("vcpu", "kind", "vector")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is shown."""

    text: str
    """As it was typed."""
    fast: tuple[Holds, ...]
    """Terms that look at fields."""
    words: tuple[tuple[str, bool], ...]
    """Words in lower case that the event in words has, or has not."""

    def __call__(self, logged: Logged) -> bool:
        """Tell whether an event is shown."""
        if not all(term(logged) for term in self.fast):
            return False
        if not self.words:
            return True
        said = f"{logged.event.kind} {describe(logged.event)}".casefold()
        return all((word in said) is there for word, there in self.words)


EVERYTHING: Final = EventFilter("", (), ())


def compiled(text: str) -> EventFilter:
    """Return the filter that `text` says; raise `CommandError` for what it cannot be.

    >>> compiled("vcpu:1 eoi").text
    'vcpu:1 eoi'
    """
    fast: list[Holds] = []
    words: list[tuple[str, bool]] = []
    for term in text.split():
        there = not term.startswith("!")
        word = term.removeprefix("!")
        if not word:
            raise CommandError("filter: '!' stands before a word or a field")
        name, colon, value = word.partition(":")
        if colon and name in FIELDS:
            fast.append(_field(name, value, there=there))
        elif colon and name.isalpha():
            fields = ", ".join(f"{each}:" for each in FIELDS)
            raise CommandError(f"filter: there is no {quoted(name + ':')}: {fields}")
        elif KINDS.issuperset(word.split(",")):
            fast.append(_field("kind", word, there=there))
        else:
            words.append((word.casefold(), there))
    return EventFilter(text, tuple(fast), tuple(words))


KINDS: Final = frozenset(EVENTS)
"""Words that are kinds of events."""


def _field(name: str, value: str, *, there: bool) -> Holds:
    """Return the term of a field; its values are apart by commas."""
    values = value.split(",")
    if name == "kind":
        unknown = [each for each in values if each not in KINDS]
        if unknown:
            known = ", ".join(sorted(KINDS))
            raise CommandError(f"filter: no event is {quoted(unknown[0])}: {known}")
        types = frozenset(kind for each in values for kind in EVENTS[each])
        return lambda logged: (type(logged.event) in types) is there
    try:
        wanted = frozenset(number(each, f"filter: {name}") for each in values)
    except LapisError as error:
        raise CommandError(str(error)) from None
    if name == "vcpu":
        return lambda logged: (logged.event.vcpu in wanted) is there
    return lambda logged: (getattr(logged.event, "vector", None) in wanted) is there
