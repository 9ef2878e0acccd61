"""What `lapis bench` finds out: figures, each beside its ceiling."""

from __future__ import annotations

import platform
import sysconfig
from dataclasses import dataclass

from lapis_tui import built

FINE = frozenset({"ms", "s", "MiB"})
"""Units whose hundredths are told, too."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure beside its ceiling."""

    name: str
    value: float
    unit: str
    ceiling: float
    """What it stands beside, in the same unit."""
    ratio: float
    target: str
    met: bool
    beside: str
    """What `ceiling` is a figure of: plain Unicorn, calls by ctypes, less work."""


def compared(
    name: str, unit: str, ours: float, ceiling: float, beside: str, least: int = 0
) -> Figure:
    """Return the figure of a rate; `least` is its target, 0 if it is only reported."""
    target = f">= {least}/s" if least else "reported"
    met = ours >= least
    return Figure(name, ours, unit, ceiling, ours / ceiling, target, met, beside)


@dataclass(frozen=True, slots=True)
class Where:
    """What was measured: each row of JSON says it, so that rows can be collected."""

    interpreter: str
    core: str
    """`blocks` or `count`: how instructions are counted."""
    build: str
    """`compiled` or `python`: what the engine runs as."""

    def __str__(self) -> str:
        """Return a line for the head of the report."""
        return f"{self.interpreter}; core: {self.core}, engine: {self.build}"


def where() -> Where:
    """Return what runs here."""
    return Where(interpreter(), built.core(), built.build())


def interpreter() -> str:
    """Return kind, version, compiler and build of the interpreter: PGO is 1.1 times."""
    given = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    has_profile = "--enable-optimizations" in given
    how = "profile-guided" if has_profile else "plain build"
    kind, version = platform.python_implementation(), platform.python_version()
    return f"{kind} {version} ({platform.python_compiler()}, {how})"


def line(f: Figure) -> str:
    """Return a line for a figure."""
    verdict = "" if f.target == "reported" else " met" if f.met else " MISSED"
    value = f"{f.value:13,.2f}" if f.unit in FINE else f"{f.value:13,.0f}"
    return (
        f"{f.name:28} {value} {f.unit:14} {f.ratio:8.4f} of {f.beside}"
        f"; {f.target}{verdict}"
    )
