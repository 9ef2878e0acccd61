"""What of Lapis is compiled in this installation."""

from __future__ import annotations

from lapis_engine.cpu import selfcheck
from lapis_engine.vmm import run


def core() -> str:
    """Return how instructions are counted: `blocks` or `count`."""
    return "count" if isinstance(selfcheck.blocks_library(), str) else "blocks"


def build() -> str:
    """Return what the engine's modules are: `compiled` or `python`."""
    return "python" if str(run.__file__).endswith(".py") else "compiled"


def is_compiled() -> bool:
    """Tell whether the engine's modules are compiled."""
    return build() == "compiled"
