"""What the worker tells the screen: frozen data only, never a live object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_engine.events import Logged
    from lapis_sessions.extensions import Row
    from lapis_sessions.views.snapshot import Snapshot
    from lapis_tui.failure import Failure


class Seen(Message):
    """The machine as it is now."""

    def __init__(
        self,
        snapshot: Snapshot,
        events: tuple[Logged, ...],
        *,
        running: bool,
        anew: bool = False,
        ahead: Sequence[Logged] | None = None,
    ) -> None:
        """Carry a picture and what has happened since the one before.

        `running` tells that more will come without a further command, `anew` that the
        machine went back: `events` are all that there are. `ahead` is what is known to
        come, None where that is what it was.
        """
        super().__init__()
        self.snapshot = snapshot
        self.events = events
        self.running = running
        self.anew = anew
        self.ahead = ahead


class Busy(Message):
    """The machine is on its way to another point."""

    def __init__(self, at: int, percent: int | None, left: float | None) -> None:
        """Carry the instruction that it has come to, and how much of it that is.

        `percent` is None where the point is being looked for; `left` are the seconds
        that it will take yet, None where that cannot be told.
        """
        super().__init__()
        self.at = at
        self.percent = percent
        self.left = left


class Noticed(Message):
    """Something happened that no command asked for, such as a full disk."""

    def __init__(self, text: str) -> None:
        """Carry a sentence for the user."""
        super().__init__()
        self.text = text


class Painted(Message):
    """A pane of a plug-in is rendered, or cannot be."""

    def __init__(
        self, name: str, rows: tuple[Row, ...], why: str = "", *, is_news: bool = False
    ) -> None:
        """Carry the rows of pane `name`, or why there are none.

        `is_news` tells that nobody has been told of it.
        """
        super().__init__()
        self.name = name
        self.rows = rows
        self.why = why
        self.is_news = is_news


class Done(Message):
    """A command is finished."""

    def __init__(  # noqa: PLR0913 - one argument per fact
        self,
        line: str,
        text: str,
        *,
        ok: bool,
        quiet: bool,
        leaves: tuple[str, str] | None = None,
        is_sheet: bool = False,
        then: str | None = None,
        is_wrong: bool = False,
        is_peek: bool = False,
        result: Any = None,
    ) -> None:
        """Carry the line and what it brought.

        `quiet` tells that it came from a key, whose effect is on the screen; `leaves`
        that nothing was done, for it would have left the one branch for the other;
        `is_sheet` that its text is to be read at leisure. `then` is what is to be done
        after it, unless it failed. `is_wrong` tells that the line is worth mending,
        `is_peek` that a box over the panes asked, which gets the `result` as data.
        """
        super().__init__()
        self.line = line
        self.text = text
        self.ok = ok
        self.quiet = quiet
        self.leaves = leaves
        self.is_sheet = is_sheet
        self.then = then
        self.is_wrong = is_wrong
        self.is_peek = is_peek
        self.result = result


class Failed(Message):
    """The worker met what it cannot go on from."""

    def __init__(self, failure: Failure) -> None:
        """Carry what it was."""
        super().__init__()
        self.failure = failure
