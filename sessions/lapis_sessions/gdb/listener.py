"""Where a gdb can come to: a port of the loopback, or a socket in the file system.

Who comes may do what commands of Lapis do in the user's name, as to write files. So no
other address is listened on than the loopback's, and a socket in the file system is
its owner's alone.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lapis_sessions.errors import SessionError
from lapis_sessions.text.visible import quoted_path

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT: Final = 1234
"""The port that is usual for this, as QEMU's is."""
LAST_PORT: Final = 0xFFFF
LOOPBACK: Final = "127.0.0.1"
LOOPBACK_6: Final = "::1"
BACKLOG: Final = 8
"""Clients that may knock before anybody looks."""
OWNER_ALONE: Final = 0o600
PATIENCE: Final = 5.0
"""Seconds within which it is told whether somebody listens on a socket."""


class ListenError(SessionError):
    """It is impossible to listen there."""

    title = "Cannot listen"


@dataclass(slots=True)
class Listener:
    """Sockets that are listened on."""

    where: str
    """In words."""
    target: str
    """What gdb's `target remote` is given to come here."""
    sockets: Sequence[socket.socket] = ()
    port: int | None = None
    path: Path | None = None
    node: tuple[int, int] | None = field(default=None, repr=False)
    """Device and inode of the socket at `path`: what is there later may be another."""

    @property
    def line(self) -> str:
        """What is to be typed in gdb."""
        return f"target remote {self.target}"

    def close(self) -> None:
        """Listen no more; take away the file that was made for it."""
        for each in self.sockets:
            each.close()
        if self.path is not None:
            with suppress(OSError):
                if _node(os.lstat(self.path)) == self.node:
                    self.path.unlink()


def on_port(port: int) -> Listener:
    """Listen on a port of the loopback, 0 for any that is free; raise `ListenError`.

    It is that of IPv6 as well, where there is one and nobody has it.
    """
    if not 0 <= port <= LAST_PORT:
        raise ListenError(f"port {port}: 0 to {LAST_PORT} is expected")
    first = _bound(socket.AF_INET, LOOPBACK, port)
    port = first.getsockname()[1]
    where, target, sockets = f"{LOOPBACK}:{port}", f":{port}", [first]
    try:
        sockets.append(_bound(socket.AF_INET6, LOOPBACK_6, port))
    except PortError as error:
        # gdb would come to whoever has the port there, for it tries that one first.
        target = where if error.is_busy else target
    return Listener(where, target, sockets, port)


class PortError(ListenError):
    """A port cannot be listened on."""

    def __init__(self, address: str, port: int, error: OSError) -> None:
        """Say what the system said of it."""
        self.is_busy = error.errno == errno.EADDRINUSE
        why = os.strerror(error.errno) if error.errno else str(error)
        if self.is_busy:
            why = "another program listens there; --port 0 takes any that is free"
        super().__init__(f"port {port} of {address}: {why}")


def _bound(family: int, address: str, port: int) -> socket.socket:
    """Return a socket that is listened on; raise `PortError`."""
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise PortError(address, port, error) from None
    try:
        if os.name == "posix":  # else others could listen on it, too
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.setblocking(False)  # noqa: FBT003 - as the library names it
    except OSError as error:
        made.close()
        raise PortError(address, port, error) from None
    return made


def on_path(name: str) -> Listener:
    """Listen on a socket in the file system; raise `ListenError`.

    One that nobody listens on any more is replaced; nothing else is ever taken away.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise ListenError("there are no sockets with a name in this system: use --port")
    if not name or "\0" in name:
        raise ListenError(f"socket {quoted_path(name)}: the name of a file is expected")
    path = Path(name)
    _make_room(path, family)
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.bind(name)
        path.chmod(OWNER_ALONE)  # nobody can come before it is listened on
        made.listen(BACKLOG)
        made.setblocking(False)  # noqa: FBT003 - as the library names it
        node = _node(os.lstat(path))
    except (OSError, UnicodeError) as error:
        made.close()
        raise _refused(path, _said(error)) from None
    shown = quoted_path(name)
    return Listener(f"socket {shown}", str(path.absolute()), [made], None, path, node)


def _make_room(path: Path, family: int) -> None:
    """Take a socket away that nobody listens on; raise `ListenError` for all else."""
    try:
        before = os.lstat(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise _refused(path, _said(error)) from None
    if not stat.S_ISSOCK(before.st_mode):
        raise _refused(path, "it is no socket, and is left as it is")
    if _is_live(path, family):
        raise _refused(path, "another program listens there")
    try:
        if _node(os.lstat(path)) == _node(before):
            path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _refused(path, _said(error)) from None


def _is_live(path: Path, family: int) -> bool:
    """Tell whether somebody listens; who cannot be asked may well do so."""
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.settimeout(PATIENCE)
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True


def _node(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _refused(path: Path, why: str) -> ListenError:
    return ListenError(f"socket {quoted_path(str(path))}: {why}")


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
