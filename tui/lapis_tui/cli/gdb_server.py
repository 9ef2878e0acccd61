"""`lapis gdb`: a session that gdb drives, over a socket or over two pipes."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lapis_engine.errors import ConfigError
from lapis_sessions.gdb import connection, listener, server
from lapis_sessions.recording.format import reader
from lapis_sessions.text.visible import quoted_path
from lapis_tui import ending, output, recent
from lapis_tui.cli import configured, headless, plugged, recordings, running
from lapis_tui.cli import options as cli_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_sessions.gdb.listener import Listener
    from lapis_sessions.session import Session
    from lapis_tui.ending import Ending

STDIN, STDOUT = 0, 1


@dataclass(frozen=True, slots=True)
class GdbDoor:
    """By what way gdb comes, and what it finds."""

    port: int | None = None
    socket: str = ""
    is_stdio: bool = False
    architecture: str = "auto"
    """What it is told that the machine is."""

    def listener(self) -> Listener | None:
        """Listen, if there is to be a listener; raise `ListenError`."""
        if self.is_stdio:
            return None
        if self.socket:
            return listener.on_path(self.socket)
        return listener.on_port(listener.PORT if self.port is None else self.port)


def serve(
    way: GdbDoor,
    options: dict[str, Any],
    commands: Sequence[str],
    told: Sequence[str],
    *,
    is_once: bool,
) -> int:
    """Do what `lapis gdb` is told, with the options in `told`; return the status."""
    with ExitStack() as stack:
        if way.is_stdio:
            pipes = stack.enter_context(_pipes())
        end = stack.enter_context(ending.listening())
        listening = way.listener()
        if listening is not None:
            stack.callback(listening.close)
        session = _opened(options, told)
        stack.enter_context(ending.closing(session, end))
        status = headless.perform(session, commands, end, as_json=False)
        session.front = None  # there is no other gdb inside of this one
        if status != headless.OK:
            return status
        session.pace, session.watch = _paced(end), end.watch
        serving = server.Server(
            session,
            headless.Teller(end),
            server.beginning(way.architecture, is_beside=way.is_stdio),
            listening,
        )
        if listening is None:
            serving.converse(connection.of_pipes(*pipes))
        else:
            output.tell(server.welcome(listening))
            serving.serve(once=is_once)
        return end.status if end.asked else headless.OK


def _paced(end: Ending) -> Any:
    """Return a pace that ends when `end` is asked for; the server's is a slice's."""
    return lambda left: 0 if end.asked else left


def _opened(options: dict[str, Any], told: Sequence[str]) -> Session:
    """Open a guest, or a recording of that name; raise `LapisError`."""
    name = options["guest"]
    if not name or not reader.is_recording(name):
        session = running.opened(options, plugged.extensions())
        if name:
            recent.remember(name)
        return session
    if told:
        raise ConfigError(
            f"{quoted_path(name)} is a recording, which has its machine in it: "
            f"{told[0]} is for a guest"
        )
    session = recordings.opened(reader.read(name))
    configured.tell(session)
    cli_options.limit(session, options["memory_limit"])
    session.read_only = True
    return session


@contextmanager
def _pipes() -> Iterator[tuple[int, int]]:
    """Give standard input and output to the client alone.

    What is said otherwise goes to standard error. Ctrl-C in the client's terminal,
    which comes to all of its process group, is the client's.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        with redirect_stdout(sys.stderr):
            yield STDIN, STDOUT
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
