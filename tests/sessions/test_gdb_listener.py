"""Where a gdb can come to: the loopback and sockets of one's own, and nothing else."""

import os
import socket
import stat
from pathlib import Path

import pytest
from rigs.gdb_client import Client

from lapis_sessions.gdb import listener
from lapis_sessions.gdb.listener import ListenError


def test_a_port_is_that_of_the_loopback_alone_and_is_told() -> None:
    where = listener.on_port(0)
    try:
        assert where.port
        assert where.where == f"127.0.0.1:{where.port}"
        assert where.line == f"target remote {where.target}"
        names = {each.getsockname()[:2] for each in where.sockets}
        assert names <= {("127.0.0.1", where.port), ("::1", where.port)}
        assert ("127.0.0.1", where.port) in names
        Client(where).socket.close()
    finally:
        where.close()


@pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(ListenError, match=f"port {port}: 0 to 65535 is expected"):
        listener.on_port(port)


def test_a_busy_port_is_refused_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError) as refused:
            listener.on_port(port)
        assert str(refused.value) == (
            f"port {port} of 127.0.0.1: another program listens there; --port 0 takes "
            "any that is free"
        )


def test_a_port_that_another_has_for_ipv6_is_told_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound = listener._bound

    def busy(family: int, address: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise listener.PortError(address, port, OSError(98, "in use"))
        return bound(family, address, port)

    monkeypatch.setattr(listener, "_bound", busy)
    where = listener.on_port(0)
    where.close()
    # gdb tries ::1 first, and would come to somebody else.
    assert where.line == f"target remote 127.0.0.1:{where.port}"


def test_a_socket_is_its_owners_alone_and_goes_with_the_listener(
    tmp_path: Path,
) -> None:
    path = tmp_path / "gdb sock"
    where = listener.on_path(str(path))
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert where.target == str(path)
    Client(where).socket.close()
    where.close()
    assert not path.exists()


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    assert path.exists()
    where = listener.on_path(str(path))
    Client(where).socket.close()
    where.close()


def test_a_socket_that_somebody_listens_on_is_left_to_him(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    where = listener.on_path(str(path))
    with pytest.raises(ListenError, match="sock': another program listens there"):
        listener.on_path(str(path))
    Client(where).socket.close()
    where.close()


@pytest.mark.parametrize("kind", ["file", "folder", "fifo", "link", "dangling"])
def test_what_is_no_socket_is_refused_and_left_as_it_is(
    kind: str, tmp_path: Path
) -> None:
    path, other = tmp_path / "it", tmp_path / "other"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(other))  # a link to it is still no socket
    match kind:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to(other)
        case _:
            path.symlink_to(tmp_path / "nowhere")
    before = path.lstat()
    with pytest.raises(ListenError, match="it is no socket, and is left as it is"):
        listener.on_path(str(path))
    assert path.lstat() == before
    assert other.exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "the name of a file is expected"),
        ("a\0b", "the name of a file is expected"),
        ("no/such/folder/sock", "No such file or directory"),
        ("z" * 200, "AF_UNIX path too long"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ListenError, match=why):
        listener.on_path(name)
    assert not list(tmp_path.iterdir())


def test_what_took_the_place_of_a_socket_is_not_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    where = listener.on_path(str(path))
    path.unlink()
    path.write_text("another's")
    where.close()
    assert path.read_text() == "another's"
