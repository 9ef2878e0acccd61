"""The command that lets gdb drive a session for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapis_sessions.errors import CommandError
from lapis_sessions.gdb import listener, server
from lapis_sessions.registry import Argument, Bound, Command

if TYPE_CHECKING:
    from lapis_sessions.gdb.listener import Listener
    from lapis_sessions.gdb.server import End
    from lapis_sessions.session import Session


@dataclass(frozen=True, slots=True)
class GdbServedView:
    """What came of serving gdb."""

    where: str
    """What was listened on."""
    clients: int
    """How many were served."""
    end: End | None
    """How the last of them ended; None when nobody came."""
    vcpu: int
    """The vCPU that is selected now."""
    at: int
    """Instructions that have retired by now, of all vCPUs."""


def gdb(session: Session, bound: Bound) -> GdbServedView:
    """Serve gdb until it leaves, or until this is broken off."""
    front = session.front
    if front is None:
        raise CommandError(
            "gdb: it is served already, or there is nobody here who could be told "
            "where it listens, as in the console, on the screen and by lapis exec"
        )
    where = _listener(bound)
    session.front = None  # a gdb within a gdb would wait for ever
    try:
        front.tell(server.welcome(where))
        begin = server.beginning(bound.word("architecture", server.KINDS[0]))
        served = server.Server(session, front, begin, where).serve(once=True)
    finally:
        session.front = front
        where.close()
    at = session.timeline.spot.at.retired
    return GdbServedView(where.where, served.clients, served.end, session.selected, at)


def _listener(bound: Bound) -> Listener:
    if "socket" in bound and "port" in bound:
        raise CommandError("gdb: --port and --socket exclude each other")
    if "socket" in bound:
        return listener.on_path(bound.word("socket"))
    return listener.on_port(bound.number("port", listener.PORT))


def served_text(view: GdbServedView) -> str:
    """Say it in a line."""
    how = "nobody came" if view.end is None else server.SAID.get(view.end, "it is over")
    return (
        f"gdb was served on {view.where}: {how}; vCPU {view.vcpu} is selected, at "
        f"instruction {view.at:,}"
    )


COMMANDS = (
    Command(
        "gdb",
        "serve gdb on a port of the loopback (1234, or --port N, 0 for any) or on a "
        "socket of the file system, until it detaches or this is broken off, and go on "
        "where it left; what gdb did is on the timeline",
        "time-moving",
        gdb,
        served_text,
        (
            Argument("port", "count", option=True),
            Argument("socket", "word", option=True),
            Argument("architecture", "word", choices=server.KINDS, option=True),
        ),
    ),
)
