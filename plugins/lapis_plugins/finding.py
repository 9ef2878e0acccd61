"""Where plug-ins come from: entry points, files, and what the environment chooses."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from lapis_plugins.plugin import Plugin
from lapis_sessions import regular
from lapis_sessions.regular import FileError, NoFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUP = "lapis.plugins"
VARIABLE = "LAPIS_PLUGINS"
"""Names of the installed plug-ins to load, separated by commas; `-NAME` for all but
that; empty for none. Ours and those of `--plugin` are loaded whatever it says."""
SUFFIX = ".py"
MOST_BYTES = 16 << 20
"""Of the file of a plug-in."""
OURS = "lapis_plugins.builtin."


@dataclass(frozen=True, slots=True)
class Wish:
    """What the environment says about installed plug-ins."""

    names: tuple[str, ...] | None
    """As they stand there; None when nothing is said."""

    def takes(self, name: str) -> bool:
        """Tell whether a plug-in is to be loaded."""
        if self.names is None:
            return True
        wanted = [each for each in self.names if not each.startswith("-")]
        if f"-{name}" in self.names:
            return False
        return name in wanted if wanted or not self.names else True

    def why(self, name: str) -> str:
        """Say why a plug-in is not loaded."""
        how = "switches it off" if f"-{name}" in (self.names or ()) else "leaves it out"
        return f"{VARIABLE} {how}"

    def unknown(self, known: set[str]) -> list[str]:
        """Return the names that are of no plug-in."""
        return [n for n in self.names or () if n.removeprefix("-") not in known]


def wish() -> Wish:
    """Return what the environment says."""
    said = os.environ.get(VARIABLE)
    if said is None:
        return Wish(None)
    return Wish(tuple(name.strip() for name in said.split(",") if name.strip()))


def installed() -> Iterator[tuple[Plugin, Callable[[], object]]]:
    """Yield the plug-ins of other distributions, by name, and what imports each."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        if entry.value.startswith(OURS):
            continue
        made = entry.dist
        name, version = (made.name, made.version) if made is not None else (None, None)
        yield (
            Plugin(
                entry.name,
                builtin=False,
                origin=entry.value,
                distribution=name,
                version=version,
            ),
            entry.load,
        )


class _Loader(SourceFileLoader):
    """Imports a file that somebody named, which need not be one."""

    def get_data(self, path: str) -> bytes:
        """Read the source, or what Python keeps of it; raise `OSError`."""
        try:
            return regular.read(path, MOST_BYTES, "file")
        except NoFileError as error:
            raise FileNotFoundError(str(error)) from None
        except FileError as error:
            raise OSError(str(error)) from None


def of_file(path: str) -> tuple[Plugin, Callable[[], object]]:
    """Return the plug-in of a Python file, and what imports it."""
    name = Path(path).stem

    def source() -> object:
        # Dataclasses look their module up by name. No other name is touched.
        unique = f"_lapis_plugin_file_{name}"
        if not path.endswith(SUFFIX):
            raise ImportError(
                f"{path!r} is no Python file, whose name ends in {SUFFIX}"
            )
        spec = spec_from_file_location(unique, path, loader=_Loader(unique, path))
        if spec is None or spec.loader is None:
            raise ImportError(f"{path!r} cannot be imported")
        module = module_from_spec(spec)
        sys.modules[unique] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[unique]
            raise
        return module

    return Plugin(name, builtin=False, origin=path), source
