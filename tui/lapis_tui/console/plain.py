"""A console on a dumb terminal or a pipe: lines in, lines out, no escape codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from lapis_sessions.text.visible import visible
from lapis_tui import output
from lapis_tui.console.lines import StreamLines, standard

if TYPE_CHECKING:
    from lapis_tui.console.interrupts import Interrupts
    from lapis_tui.console.lines import Lines
    from lapis_tui.console.shell import Shell

PROMPT: Final = "lapis> "
MORE: Final = "> "
"""Before a line of a command that is being made."""


class PlainFace:
    """Results on standard output; errors and all else on standard error."""

    def __init__(self, *, is_interactive: bool) -> None:
        """Ask only if it `is_interactive`."""
        self.is_interactive = is_interactive
        self.lines: Lines = StreamLines()
        """Where an answer comes from."""

    def show(self, text: str, *, ok: bool, is_paged: bool) -> None:  # noqa: ARG002 - nothing is paged here
        """Show what came of a line."""
        if text:
            output.say(text if ok else f"error: {text}", err=not ok)

    def tell(self, sentence: str) -> None:
        """Say something that no line asked for."""
        output.tell(sentence)

    def guest(self, port: str, rows: list[str]) -> None:
        """Show rows that the guest printed."""
        for row in rows:
            output.say(f"{port}| {visible(row)}")

    def events(self, rows: list[str]) -> None:
        """Show what happened."""
        for row in rows:
            output.say(row)

    def status(self, text: str | None) -> None:
        """Say nothing of how a run gets on: a row could not be taken back."""

    def ask(self, question: str) -> bool:
        """Ask for a yes; the end of what is typed is one."""
        output.say(f"{question} (y or n) ", end="")
        sys.stdout.flush()
        answer = self.lines.next()
        return not answer or answer.strip().lower() in {"y", "yes"}


def serve(shell: Shell, face: PlainFace, interrupts: Interrupts) -> None:
    """Take lines until there are no more; `face` is the shell's."""
    with standard() as face.lines:
        while not shell.is_left:
            if face.is_interactive:
                output.say(MORE if shell.definitions.is_open else PROMPT, end="")
                sys.stdout.flush()
            _take(shell, face, interrupts)


def _take(shell: Shell, face: PlainFace, interrupts: Interrupts) -> None:
    """Take a line, and do it."""
    try:
        with interrupts.waiting():
            line = face.lines.next()
    except KeyboardInterrupt:
        output.say("")
        shell.definitions.drop()
        return
    if line:
        shell.enter(line)
        return
    output.say("", end="\n" if face.is_interactive else "")
    shell.leave(ask=True)
