"""What a session asks of the recording that is being made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


class Recorder(Protocol):
    """What a session asks of the recording that is being made of it."""

    @property
    def path(self) -> Path:
        """The file, once it is complete."""
        ...

    @property
    def name(self) -> str:
        """What the file is called for now."""
        ...

    @property
    def acts(self) -> int:
        """Acts that are on disk of the present branch."""
        ...

    @property
    def failed(self) -> str:
        """Why it ended before it was closed, or nothing."""
        ...

    def annotate(self, text: str, ask: str = "", answer: str = "") -> None:
        """Add a text at this point."""

    def checkpoint(self) -> None:
        """Add every field of the state."""

    def close(self, *, intact: bool = True) -> None:
        """Finish the file and give it its name; raise `RecordingError`.

        A machine that is not `intact` is not what its acts made of it: no state of it
        goes into the file.
        """
