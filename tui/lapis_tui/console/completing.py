"""Completion of a line that is typed, for prompt-toolkit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

from lapis_sessions import completion
from lapis_sessions.text.visible import visible
from lapis_tui.console import own

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from lapis_tui.console.shell import Shell

MOST_HELP = 60
"""Letters of a command's help beside its name."""


class LineCompleter(Completer):
    """Completes commands of the console and of its session, and their arguments."""

    def __init__(self, shell: Shell) -> None:
        """Complete for `shell`."""
        self._shell = shell

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - prompt-toolkit's signature
    ) -> Iterator[Completion]:
        """Yield what the last word may become."""
        line = document.text_before_cursor.lstrip()
        session = self._shell.session
        found = completion.complete(session, line)
        found += completion.within(own.OWN, line)
        if " " not in line:
            found += [n for n in self._shell.definitions.made if n.startswith(line)]
        start = line.rfind(" ") + 1
        for whole in sorted(dict.fromkeys(found)):
            yield Completion(
                whole[start:],
                start_position=start - len(line),
                display=visible(whole[start:]),
                display_meta=self._help(whole) if start == 0 else "",
            )

    def _help(self, name: str) -> str:
        for registry in (self._shell.session.registry, own.OWN):
            if name in registry.names:
                return visible(registry.named(name).help)[:MOST_HELP]
        return ""
