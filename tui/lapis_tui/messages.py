"""What the worker tells the screen. Frozen data only, never a live object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from lapis_engine.events import Logged
    from lapis_sessions.snapshot import Snapshot


@dataclass(eq=False)
class Seen(Message):
    """The machine as it is now, and what happened since the message before."""

    snapshot: Snapshot
    events: tuple[Logged, ...]
    running: bool
    """More is to come without a further command."""
    marks: bool
    """It has stopped anew: changes are counted from the stop before."""

    def __post_init__(self) -> None:
        """Let Textual set up its part."""
        super().__init__()


@dataclass(eq=False)
class Done(Message):
    """A command is finished."""

    line: str
    """As it was typed, or would have been."""
    ok: bool
    text: str
    """The result, or why there is none."""
    quiet: bool
    """It came from a key, whose effect is on the screen."""

    def __post_init__(self) -> None:
        """Let Textual set up its part."""
        super().__init__()


@dataclass(eq=False)
class Failed(Message):
    """The worker met what it cannot go on from."""

    text: str

    def __post_init__(self) -> None:
        """Let Textual set up its part."""
        super().__init__()
