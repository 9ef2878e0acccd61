"""What a recording may hold in all, and how much of that is used up.

A file is opened by strangers: it is refused before it takes what it asks for. Each
chunk is bounded by itself (`chunks`); this adds them up, while a file is read and while
one is written, so that what is written can be read. Nothing here decodes anything.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lapis_engine.units import MIB
from lapis_sessions.errors import RecordingError
from lapis_sessions.text.visible import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits, chosen so that to read 64 MiB takes at most 512 MiB and 5 s.

    A session that does again what a file holds takes longer.
    """

    file: int = 160 * MIB
    """Bytes of the file: the largest image, and as much again of what was done."""
    expanded: int = 256 * MIB
    """Bytes of all bodies when they are expanded."""
    memory: int = 352 * MIB
    """Bytes that all that is kept takes, as a session of it too."""
    chunks: int = 50_000
    """Half a day of running; the writer takes longer for the later ones."""
    acts: int = 300_000
    unlike: int = 50_000
    """Acts that were asked for like none of the last ones (`rows.Shapes`)."""
    branches: int = 10_000
    notes: int = 100_000
    hashes: int = 200_000
    """Hashes and checkpoints."""
    fields: int = 4_000_000
    """Fields of checkpoints: as many as are in 64 MiB, of which each is a hash."""
    values: int = 500_000
    """Values in the lists and maps of arguments and headers."""
    depth: int = 16
    """Lists and maps within each other."""
    name: int = 200
    """Letters of the name of a branch, a profile, a device, a lint, a switch."""
    text: int = 1 << 16
    """Letters of any other text."""


DEFAULT = Budget()
# Bytes of each as Python keeps it, measured by `tracemalloc` and rounded up.
ACT = 320
"""A row, its three numbers, and the entry of a timeline with its place."""
ARGS = 80
"""Arguments that no other act has, beside themselves: the act of the timeline."""
VALUE = 40
"""One more value in a list or a map, a number of its own included."""
BRANCH, NOTE, HASH = 2000, 300, 300


@dataclass(slots=True)
class Spent:
    """What one file has used up of a budget; each method raises `RecordingError`.

    `part` is what of the file asks for it: it is put into words for a refusal only.
    """

    budget: Budget = DEFAULT
    used: dict[str, int] = field(default_factory=dict)

    def take(self, what: str, part: object, count: int = 1) -> None:
        """Use up `count` of the limit `what`."""
        used = self.used[what] = self.used.get(what, 0) + count
        most = getattr(self.budget, what)
        if used > most:
            raise RecordingError(
                f"{part}: with it there are {used:,} {WORDS[what]} in the file; "
                f"{most:,} is the most"
            )

    def room(self, part: object, size: int) -> None:
        """Refuse what is only looked at, where there is not that much left."""
        if self.used.get("memory", 0) + size > self.budget.memory:
            raise RecordingError(
                f"{part}: to look at it takes {size:,} bytes of memory more, and "
                f"{self.budget.memory:,} is the most in all"
            )

    def act(self, part: object, count: int) -> None:
        """Take so many acts."""
        self.take("acts", part, count)
        self.take("memory", part, count * ACT)

    def branch(self, part: object, name: str) -> None:
        """Take a branch."""
        self.name(part, name, "the name of a branch")
        self.take("branches", part)
        self.take("memory", part, BRANCH + sys.getsizeof(name))

    def note(self, part: object, texts: Iterable[str]) -> None:
        """Take an annotation."""
        size = 0
        for text in texts:
            self.text(part, text)
            size += sys.getsizeof(text)
        self.take("notes", part)
        self.take("memory", part, NOTE + size)

    def hash(self, part: object, digest: str, packed: int = 0, fields: int = 0) -> None:
        """Take a hash, or a checkpoint of so many bytes when packed."""
        self.name(part, digest, "a digest")
        self.take("hashes", part)
        self.take("fields", part, fields)
        self.take("memory", part, HASH + packed)

    def args(self, part: object, args: object) -> None:
        """Take an act unlike others: its arguments, with all that is within them."""
        self.take("unlike", part)
        self.take("memory", part, ARGS + self.value(part, args))

    def value(self, part: object, value: object, depth: int = 0) -> int:
        """Take a value with all that is within it; return the bytes that it takes."""
        if isinstance(value, str):
            self.text(part, value)
        if not isinstance(value, (dict, list)):
            return sys.getsizeof(value)
        if depth >= self.budget.depth:
            raise RecordingError(
                f"{part}: lists and maps lie {depth + 1} deep; "
                f"{self.budget.depth} is the most"
            )
        if depth:  # what is at the top there is of each act, and is counted with it
            self.take("values", part, len(value))
        size = sys.getsizeof(value) + VALUE
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            is_short = type(each) is str and len(each) <= self.budget.text
            if is_short or type(each) is int:
                size += sys.getsizeof(each)
            else:
                size += self.value(part, each, depth + 1)
        return size

    def name(self, part: object, name: str, what: str | None = None) -> None:
        """Look at a name, which is its own where it is not said of `what`."""
        if len(name) > self.budget.name:
            what = quoted(name, 20) if what is None else what
            raise _too_long(part, what, name, self.budget.name)

    def names(self, part: object, names: Collection[str]) -> None:
        """Look at a list of names."""
        self.take("values", part, len(names))
        for each in names:
            self.name(part, each)
        self.take("memory", part, sum(VALUE + sys.getsizeof(each) for each in names))

    def text(self, part: object, text: str, what: str = "a text") -> None:
        """Look at a text."""
        if len(text) > self.budget.text:
            raise _too_long(part, what, text, self.budget.text)


def _too_long(part: object, what: str, text: str, most: int) -> RecordingError:
    return RecordingError(
        f"{part}: {what} has {len(text):,} letters; {most:,} is the most"
    )


WORDS = {
    "file": "bytes",
    "expanded": "bytes when expanded",
    "memory": "bytes of memory to keep what is",
    "chunks": "chunks",
    "acts": "acts",
    "unlike": "acts unlike others",
    "branches": "branches",
    "notes": "annotations",
    "hashes": "hashes and checkpoints",
    "fields": "fields of checkpoints",
    "values": "values of lists and maps",
}
"""What each limit counts."""
