"""The scenarios that come with Lapis: what each is about, and where its files are.

Nothing is replayed here.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lapis_engine.machine.config import QUANTUM
from lapis_sessions import regular
from lapis_sessions.errors import SessionError
from lapis_sessions.origin import SessionOptions
from lapis_sessions.regular import FileError
from lapis_sessions.text.numerals import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

SUFFIX = ".toml"
MOST_BYTES = 1 << 20
"""Of a scenario's file."""


class ScenarioError(SessionError):
    """A scenario is not there, or is not what it should be."""

    title = "Bad scenario"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a scenario's file."""


class Expectation(_Part, frozen=True):
    """What must hold at a point."""

    command: str
    """A command that moves nothing."""
    what: str
    """An expression on its `result`, as `result[1].state`."""
    value: bool | int | str | list[int | str]
    """What the expression must be."""


class Point(_Part, frozen=True):
    """A point of a recording."""

    do: list[str]
    """Commands that lead here from the point before."""
    text: str
    """What there is to be seen."""
    branch: str = "main"
    """The branch on which it lies."""
    show: list[str] = []
    """Commands whose results belong to the text."""
    expect: list[Expectation] = []
    ask: str = ""
    """What the reader may predict before going on, or nothing."""
    answer: str = ""
    """The answer in a word or a number."""
    accept: list[str] = []
    """Other answers that are as right."""
    because: str = ""
    """Why that is the answer."""


class Tape(_Part, frozen=True):
    """One recording of a scenario."""

    name: str
    about: str
    points: list[Point]
    guest: str = "ap-bringup"
    cpus: int = 2
    memory: str = "2M"
    profile: str = "sdm"
    quantum: int = QUANTUM

    @property
    def options(self) -> SessionOptions:
        """What its machine is made from."""
        return SessionOptions(
            guest=self.guest,
            cpus=self.cpus,
            memory=self.memory,
            profile=self.profile,
            quantum=self.quantum,
        )


class Scenario(_Part, frozen=True):
    """What there is to see, and the recordings in which to see it."""

    title: str
    summary: str
    """One sentence."""
    source: str
    """Where it comes from: a manual's section, a bug of illumos, a commit."""
    text: str
    """What happens, told before the first point."""
    tapes: list[Tape]
    name: str = ""
    """The name of its file."""
    home: str = ""
    """The folder of its file."""

    @property
    def questions(self) -> int:
        """Points at which something is asked."""
        return sum(bool(point.ask) for tape in self.tapes for point in tape.points)

    def tape(self, name: str = "") -> Tape:
        """Return the recording called `name`, or the first; raise `ScenarioError`."""
        for tape in self.tapes:
            if name in {"", tape.name}:
                return tape
        there = ", ".join(tape.name for tape in self.tapes)
        raise ScenarioError(
            f"{self.name} has no recording {name[:40]!r}: it has {there}"
        )

    def path(self, tape: Tape, folder: Path | None = None) -> Path:
        """Return where the recording of `tape` lies, or lies within `folder`."""
        return (folder or Path(self.home)) / f"{self.name}-{tape.name}.lapis"


def home() -> Path:
    """Return the folder of the gallery."""
    return Path(str(resources.files("lapis_sessions"))) / "gallery"


def within(folder: Path) -> dict[str, Path]:
    """Return the files of the scenarios in a folder, by name."""
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def is_near(name: str, known: Mapping[str, Path]) -> bool:
    """Tell whether a scenario is called that, or nearly, and no file can be meant."""
    is_path = "/" in name or name.endswith(".lapis")
    return not is_path and bool(get_close_matches(name, known, 1, 0.8))


def find(name: str, known: Mapping[str, Path]) -> Scenario:
    """Return one of the scenarios `known`; raise `ScenarioError` with the nearest."""
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ScenarioError(f"there is no scenario {name[:40]!r}; {hint}")
    return read(known[name])


def read(path: Path) -> Scenario:
    """Read a scenario's file; raise `ScenarioError` saying what is wrong with it."""
    try:
        data = regular.read(str(path), MOST_BYTES, "scenario")
        found = msgspec.convert(_parsed(data), Scenario)
    except FileError as error:
        raise ScenarioError(str(error)) from None
    except (ValueError, RecursionError) as error:  # Python's own of long numbers, too
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ScenarioError(f"scenario {path.stem!r}: {why}") from None
    return msgspec.structs.replace(found, name=path.stem, home=str(path.parent))


def _parsed(data: bytes) -> dict[str, Any]:
    """Return the tables; raise `ValueError` or `RecursionError` for what is none."""
    found = tomllib.loads(data.decode("utf-8"))
    _check_numbers(found)
    return found


def _check_numbers(part: object) -> None:
    """Refuse what has too many digits to be printed, let alone meant."""
    match part:
        case dict():
            for each in part.values():
                _check_numbers(each)
        case list():
            for each in part:
                _check_numbers(each)
        case int() if abs(part) > LARGEST:
            raise ValueError(f"a number has {part.bit_length():,} bits, 64 is the most")


def everything(known: Mapping[str, Path]) -> list[Scenario]:
    """Return all scenarios that are `known`."""
    return [read(path) for path in known.values()]
