"""What of Lapis is compiled in this installation."""

from __future__ import annotations

from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import lapis_engine
from lapis_engine.compiled import is_chosen
from lapis_engine.cpu import selfcheck

if TYPE_CHECKING:
    from collections.abc import Iterator


def core() -> str:
    """Return how instructions are counted: `blocks` or `count`."""
    return "count" if isinstance(selfcheck.blocks_library(), str) else "blocks"


def build() -> str:
    """Return what the engine runs as: `compiled`, `python`, or some of each."""
    runs = [is_extension(name) for name in modules()]
    if all(runs):
        return "compiled"
    if not any(runs):
        return "python"
    return f"compiled but for {runs.count(False)} of {len(runs)} modules"


def is_compiled() -> bool:
    """Tell whether all of the engine is compiled that can be."""
    return build() == "compiled"


def modules() -> Iterator[str]:
    """Yield the modules that are compiled where the engine's Python is."""
    root = Path(lapis_engine.__path__[0])
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        if path.name != "__init__.py" and is_chosen(name):
            yield f"lapis_engine.{name}"


def is_extension(module: str) -> bool:
    """Tell whether it is no Python, of the module that runs or that would."""
    spec = find_spec(module)
    return spec is not None and isinstance(spec.loader, ExtensionFileLoader)
