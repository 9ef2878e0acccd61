"""What plug-ins add, gathered once by whoever starts the program.

A session is built with one record of all of it; nothing below knows where a part came
from. Ours are in it as anyone's are: without it there is no device and no command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lapis_engine.devices.device import Device
from lapis_engine.machine.config import MachineConfig

if TYPE_CHECKING:
    from pathlib import Path

    from lapis_engine.boot.detect import Loader
    from lapis_engine.explain.fields import Explanation
    from lapis_engine.lints.lint import Lint
    from lapis_engine.profiles.switches import Profile
    from lapis_sessions.registry import Registry

DeviceMaker = Callable[[MachineConfig], Sequence[Device]]
"""Makes the devices that belong on a machine."""
Role = Literal[
    "", "dim", "label", "title", "strong", "changed", "address", "symbol", "good",
    "warn", "bad",
]  # fmt: skip
"""What a piece of text is; a front end chooses how it looks."""
Cell = tuple[str, Role]
Row = Sequence[Cell]
Size = tuple[int, int]
"""Columns and rows of a terminal."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of machine: the devices that it has, beside those of plug-ins."""

    name: str
    text: str
    """What it is, in half a sentence."""
    devices: DeviceMaker
    offered: bool = True
    """It is listed; else it is for a command that needs it."""


@dataclass(frozen=True, slots=True)
class Explainer:
    """Puts the raw values of one register into words."""

    name: str
    explain: Callable[[int], Explanation]
    """Of a value of 64 bits."""


@dataclass(frozen=True, slots=True)
class Pane:
    """A part of the screen, as data: any front end can show it."""

    name: str
    title: str
    fields: tuple[str, ...]
    """Heads of the columns, one cell of a row in each; none for rows of free text."""
    render: Callable[[Any, Size], Sequence[Row]]
    """From a `views.snapshot.Snapshot`, which lies above, and the size to the rows. It
    depends on these alone, and is done in a second."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Writes a branch of a recording for another program."""

    name: str
    text: str
    """What it writes, in half a sentence."""
    write: Callable[[Any, Extensions, str], Iterable[bytes]]
    """From a `recording.play.named.Named`, which lies above, all extensions, and the
    file that is written if it is to name the recording and not to hold it, to the
    bytes; raises `LapisError`."""


@dataclass(frozen=True, slots=True)
class ApicFormat:
    """One format of files that hold a local APIC."""

    name: str
    text: str
    """What it is, with its article."""
    takes: Callable[[bytes], bool]
    """Tells from the whole file whether it is of this format."""
    read: Callable[[str, bytes], Any]
    """From the file's name and its bytes to `apic_files.contents.Contents`, one APIC,
    or `Described`, several and what is beside them; both lie above. Raises
    `ApicFileError` for a damaged one."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the conditions of `explore` and `shrink`."""

    name: str
    text: str
    """What its value is, in half a sentence."""
    call: Callable[..., Any]
    """Given the `Session`, which lies above, and the arguments: numbers, text, lists.
    Raises `LookupError`, `TypeError` or `ValueError` where there is no value."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """Everything that plug-ins offer, by name and in the order of loading."""

    devices: DeviceMaker
    registry: Registry
    """Every command."""
    lints: Mapping[str, Lint] = field(default_factory=dict)
    exporters: Mapping[str, Exporter] = field(default_factory=dict)
    panes: Mapping[str, Pane] = field(default_factory=dict)
    explainers: Mapping[str, Explainer] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    loaders: tuple[Loader, ...] = ()
    apic_formats: tuple[ApicFormat, ...] = ()
    functions: Mapping[str, Function] = field(default_factory=dict)
    machines: Mapping[str, Platform] = field(default_factory=dict)
    scenarios: Mapping[str, Path] = field(default_factory=dict)
    """The file of each scenario."""
    reports: list[str] = field(default_factory=list)
    """Sentences on plug-ins that failed, which nobody has been told yet."""

    def news(self) -> list[str]:
        """Return the reports, once."""
        told, self.reports[:] = list(self.reports), []
        return told


def aligned(pane: Pane, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows of a pane as they are shown: in columns, below their heads."""
    if not pane.fields:
        yield from rows
        return
    table: list[Row] = [[(head, "label") for head in pane.fields], *rows]
    widths = [max(map(len, column)) for column in zip(*_texts(table), strict=True)]
    for row in table:
        cells = zip(row, widths, strict=True)
        yield [(text.ljust(width + 2), role) for (text, role), width in cells]


def _texts(table: Iterable[Row]) -> Iterator[list[str]]:
    for row in table:
        yield [text for text, _ in row]
