"""A console from its start to its end."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import platformdirs

from lapis_engine.errors import LapisError
from lapis_tui import output, scripts
from lapis_tui.console import plain
from lapis_tui.console.interrupts import Interrupts
from lapis_tui.console.shell import Shell
from lapis_tui.ending import EndedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lapis_sessions.session import Session
    from lapis_tui.console.face import Face
    from lapis_tui.ending import Ending


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """What a console is asked for at its start."""

    files: Sequence[str] = ()
    """Of lines that are done first, after the rc file."""
    lines: Sequence[str] = ()
    """That are done after those."""
    stops_on_error: bool = False
    rc: Path | None = None
    """The user's lines for each start, where there is such a file."""
    history: Path | None = None
    """Where lines that were entered are kept."""
    is_vi: bool = False
    is_paged: bool = True
    has_colours: bool = True


def rc_file() -> Path:
    """Return where the lines for each start are on this system."""
    return platformdirs.user_config_path("lapis") / "console.rc"


def history_file() -> Path:
    """Return where the lines that were entered are kept on this system."""
    return platformdirs.user_state_path("lapis") / "console-history"


def is_terminal() -> bool:
    """Tell whether somebody sits there."""
    return bool(sys.stdin and sys.stdout and sys.stdin.isatty() and sys.stdout.isatty())


def run(
    session: Session, ending: Ending, options: ConsoleOptions, *, can_edit: bool
) -> bool:
    """Serve until the user leaves, or `ending` is asked for; tell if all went well.

    For somebody at a terminal it did, unless he asked to stop at an error. `can_edit`
    says that the terminal is one whose cursor can be moved.
    """
    interrupts = Interrupts(ending)
    plain_face = plain.PlainFace(is_interactive=is_terminal())
    face: Face = plain_face
    is_edited = can_edit and is_terminal()
    if is_edited:
        from lapis_tui.console.editor import Editor  # noqa: PLC0415 - loads prompt-toolkit

        editor = Editor(options.history, has_colours=options.has_colours)
        face = editor.face
    shell = Shell(session, face, interrupts)
    shell.stops_on_error = options.stops_on_error
    shell.is_paged = options.is_paged
    shell.editing = "vi" if options.is_vi else "emacs"
    try:
        with interrupts.listening(is_terminal=is_terminal()):
            if not _begun(shell, options):
                return False
            if is_edited:
                editor.serve(shell, interrupts)
            else:
                plain.serve(shell, plain_face, interrupts)
    except EndedError:
        pass
    return face.is_interactive or not shell.failures


def _begun(shell: Shell, options: ConsoleOptions) -> bool:
    """Do what comes before the first prompt; tell whether there is to be one."""
    shell.notice()
    ok = _sourced(shell, options.rc) if options.rc and options.rc.exists() else True
    for path in options.files:
        ok = ok and not shell.is_left and shell.do_all(scripts.script(path), path)
        if not ok and shell.stops_on_error:
            return False
    ok = shell.do_all(options.lines, "-c") if options.lines else True
    return ok or not shell.stops_on_error


def _sourced(shell: Shell, path: Path) -> bool:
    """Do the rc file; what is wrong with it keeps nobody from a console."""
    try:
        shell.do_all(scripts.script(str(path)), str(path))
    except LapisError as error:
        output.tell(str(error))
    return True
