"""A console on a terminal: completion, history and colours by prompt-toolkit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import is_searching
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.search import accept_search
from prompt_toolkit.styles import Style, merge_styles, style_from_pygments_cls

from lapis_sessions.text.visible import printed, visible
from lapis_tui import output
from lapis_tui.console import colours, paging, toolbar
from lapis_tui.console.completing import LineCompleter
from lapis_tui.console.kept import KeptHistory
from lapis_tui.console.plain import MORE, PROMPT
from lapis_tui.ending import EndedError

if TYPE_CHECKING:
    from pathlib import Path

    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyPressEvent

    from lapis_tui.console.interrupts import Interrupts
    from lapis_tui.console.shell import Shell

LOOK: Final = {
    "bottom-toolbar": "noreverse",
    "state": "reverse",
    "history": "ansicyan",
    "rec": "ansired bold",
    "pending": "ansiyellow bold",
    "hint": "ansibrightblack",
    "prompt": "bold",
}
CLEAR: Final = "\r\x1b[K"
"""Takes a row away that is said over."""


class TerminalFace:
    """Results in colours, long ones in a pager."""

    is_interactive = True

    def __init__(self, *, has_colours: bool) -> None:
        """Begin with nothing said."""
        self._has_colours = has_colours
        self._has_status = False

    def show(self, text: str, *, ok: bool, is_paged: bool) -> None:
        """Show what came of a line."""
        if not text:
            return
        fit = printed(text)
        if not ok:
            output.guest(f"{self._in('31;1', 'error:')} {fit}\n")
            return
        shown = colours.result(fit) if self._has_colours else fit
        if is_paged and paging.is_long(fit):
            paging.show(shown)
        else:
            output.guest(f"{shown}\n")

    def tell(self, sentence: str) -> None:
        """Say something that no line asked for."""
        output.guest(f"{self._in('33', visible(sentence))}\n")

    def guest(self, port: str, rows: list[str]) -> None:
        """Show rows that the guest printed."""
        self.status(None)
        for row in rows:
            output.guest(f"{self._in('36', f'{port}|')} {visible(row)}\n")

    def events(self, rows: list[str]) -> None:
        """Show what happened."""
        self.status(None)
        for row in rows:
            output.guest(f"{self._in('34', visible(row))}\n")

    def status(self, text: str | None) -> None:
        """Say how a run gets on, over what was said before."""
        if text is not None:
            output.guest(f"{CLEAR}{visible(text)}")
        elif self._has_status:
            output.guest(CLEAR)
        self._has_status = text is not None

    def ask(self, question: str) -> bool:
        """Ask for a yes; the end of what is typed is one, and Ctrl-C is none."""
        try:
            answer = PromptSession[str]().prompt(f"{question} (y or n) ")
        except EOFError:
            return True
        except KeyboardInterrupt:
            return False
        return answer.strip().lower() in {"y", "yes"}

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._has_colours else text


class Editor:
    """Takes lines from a terminal whose cursor can be moved."""

    def __init__(self, history: Path | None, *, has_colours: bool) -> None:
        """Keep lines in `history`, if there is one."""
        self.face = TerminalFace(has_colours=has_colours)
        self._has_colours = has_colours
        self._history: History = InMemoryHistory()
        if history is not None:
            self._history = KeptHistory(history, self.face.tell)

    def serve(self, shell: Shell, interrupts: Interrupts) -> None:
        """Take lines until no more are wanted; raise `EndedError`."""
        session = self._session(shell)
        interrupts.wake = partial(_wake, session, interrupts)
        while not shell.is_left:
            session.editing_mode = EditingMode(shell.editing.upper())
            try:
                with interrupts.waiting():
                    line = session.prompt(
                        MORE if shell.definitions.is_open else PROMPT,
                        pre_run=partial(_end_if_asked, session, interrupts),
                    )
            except KeyboardInterrupt:
                shell.definitions.drop()
                continue
            except EOFError:
                shell.leave(ask=True)
                continue
            shell.enter(line)

    def _session(self, shell: Shell) -> PromptSession[str]:
        def bar() -> AnyFormattedText:
            app = get_app()
            line = app.current_buffer.text
            columns = app.output.get_size().columns
            return [*toolbar.parts(shell.session, line, shell.editing, columns)]

        style = merge_styles(
            [style_from_pygments_cls(colours.TerminalStyle), Style.from_dict(LOOK)]
        )
        return PromptSession(
            history=self._history,
            completer=LineCompleter(shell),
            complete_while_typing=False,
            auto_suggest=AutoSuggestFromHistory(),
            enable_history_search=True,
            enable_open_in_editor=True,
            lexer=PygmentsLexer(colours.LineLexer),
            include_default_pygments_style=False,
            style=style,
            color_depth=None if self._has_colours else ColorDepth.DEPTH_1_BIT,
            bottom_toolbar=bar,
            key_bindings=_keys(),
        )


def _keys() -> KeyBindings:
    """Return the keys that are otherwise than prompt-toolkit's own."""
    keys = KeyBindings()

    @keys.add("enter", filter=is_searching)
    def _(event: KeyPressEvent) -> None:
        """Do the line that was found, as a shell does."""
        accept_search()
        event.current_buffer.validate_and_handle()

    return keys


def _wake(session: PromptSession[str], interrupts: Interrupts) -> None:
    """Have the prompt end, from a handler of a signal in the midst of its loop."""
    app = session.app
    if app.loop is not None and app.is_running:
        app.loop.call_soon_threadsafe(partial(_end_if_asked, session, interrupts))


def _end_if_asked(session: PromptSession[str], interrupts: Interrupts) -> None:
    """End the prompt, once: what asks for it may come before it runs, and again."""
    future = session.app.future
    if interrupts.ending.asked and future is not None and not future.done():
        session.app.exit(exception=EndedError(interrupts.ending))
