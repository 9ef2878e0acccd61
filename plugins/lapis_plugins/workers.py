"""What the plug-ins offer, had anew in each process that takes part in some work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_plugins.host import discover

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_plugins.plugin import Report
    from lapis_sessions.extensions import Extensions


@dataclass(frozen=True, slots=True)
class ExtensionsOf:
    """Returns what the plug-ins offer that are found where this is called.

    Two of the same files are equal, in whichever process.
    """

    files: tuple[str, ...] = ()
    """Of plug-ins that are not installed."""
    tell: Callable[[Report], None] | None = None
    """A function of a module, which any process can import: told what fails at work;
    what becomes of a plug-in when it is loaded was told where the work was given."""

    def __call__(self) -> Extensions:
        """Load them."""
        found = discover(files=self.files)
        gathered = found.extensions
        gathered.news()
        if self.tell is not None:
            found.listen(self.tell)
        return gathered
