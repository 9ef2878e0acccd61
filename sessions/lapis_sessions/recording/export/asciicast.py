"""A recording as a film of a terminal (asciicast v2, as asciinema plays it).

The acts become the commands that do them, which are typed and done; what is shown is
what each says. When they were typed nobody recorded: the film keeps a pace of its own.
A player sends a terminal what the film says, so that all text in it is made visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.recording.export import script
from lapis_sessions.text.visible import json_text, printed, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.recording.play.named import Named
    from lapis_sessions.session import Session

WIDTH, HEIGHT = 100, 30
KEY, ANSWER, PAUSE = 40, 250, 1200
"""ms between two keys, before a command's answer, and after it."""
PROMPT = "> "


class _Film:
    """Lines of the file, each with its moment."""

    def __init__(self) -> None:
        self.now = 0
        """ms."""

    def event(self, code: str, data: str, after: int = 0) -> bytes:
        """Return a line, so many ms after the last one."""
        self.now += after
        return _line([self.now / 1000, code, data])

    def typed(self, text: str) -> Iterator[bytes]:
        """Type a line at the prompt."""
        yield self.event("o", PROMPT)
        for letter in visible(text):
            yield self.event("o", letter, KEY)
        yield self.event("o", "\r\n", KEY)

    def shown(self, text: str) -> bytes:
        """Show an answer."""
        rows = printed(text).expandtabs().replace("\n", "\r\n")
        return self.event("o", f"{rows}\r\n", ANSWER)


def film(named: Named, session: Session) -> Iterator[bytes]:
    """Yield the file; `session` is the recorded machine, which gets the acts."""
    head = named.recording.header
    title = visible(f"lapis {' '.join(script.options(head))}")
    env = {"TERM": "xterm-256color"}
    yield _line(
        {"version": 2, "width": WIDTH, "height": HEIGHT, "title": title, "env": env}
    )
    out = _Film()
    for told in script.told(named.branch):
        if told.note:
            note = visible(told.note)
            yield out.event("m", note)
            yield out.shown(f"# {note}")
        for line in told.lines:
            yield from out.typed(line)
            outcome = session.execute(line)
            yield out.shown(outcome.text if outcome.ok else f"error: {outcome.error}")
            out.now += PAUSE


def _line(value: object) -> bytes:
    return f"{json_text(value)}\n".encode()
