"""The thread on which the panes of plug-ins are rendered.

Neither the screen nor the session waits for it. Only the last of what was asked for is
rendered; a pane that takes too long is given up by its guard, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_sessions.extensions import aligned
from lapis_tui.messages import Painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message import Message

    from lapis_sessions.extensions import Pane, Size
    from lapis_sessions.views.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is to be rendered."""

    pane: Pane
    snapshot: Snapshot
    size: Size


class Painter:
    """Renders panes on a thread of its own."""

    def __init__(self, post: Callable[[Message], object]) -> None:
        """Tell what was rendered by `post`, which any thread may call."""
        self._post = post
        self._wanted: SimpleQueue[Sketch | None] = SimpleQueue()
        self._failed: set[str] = set()
        self._thread: Thread | None = None

    def paint(self, sketch: Sketch) -> None:
        """Ask for a pane; the thread begins with the first one."""
        if self._thread is None:
            self._thread = Thread(target=self._serve, name="panes", daemon=True)
            self._thread.start()
        self._wanted.put(sketch)

    def close(self) -> None:
        """Ask for no more; what is at work is left to itself."""
        if self._thread is not None:
            self._wanted.put(None)

    def _serve(self) -> None:
        while (sketch := self._wanted.get()) is not None:
            while not self._wanted.empty():
                later = self._wanted.get()
                if later is None:
                    return
                sketch = later
            self._post(self._painted(sketch))

    def _painted(self, sketch: Sketch) -> Painted:
        pane = sketch.pane
        try:
            rows = pane.render(sketch.snapshot, sketch.size)
        except LapisError as error:
            is_news = pane.name not in self._failed
            self._failed.add(pane.name)
            return Painted(pane.name, (), str(error), is_news=is_news)
        return Painted(pane.name, tuple(aligned(pane, rows)))
