"""A gdb server whose clients behave badly: the session stays as it was, and usable.

After each of them the next client is served as any.
"""

import random
import socket
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from rigs.gdb_client import Client, Served, framed, serving, until
from rigs.session_files import GUESTS

from lapis_engine.replay.digest import Digester
from lapis_plugins.host import discover
from lapis_sessions.gdb import connection, listener, server
from lapis_sessions.gdb.stub import Stub
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions
from lapis_sessions.session import Session

EXTENSIONS = discover(installed=False).extensions
ACTS = b"GMPXcCsSvbZzRkDqQH!"
"""First letters of packets that do something, or may."""
LETTERS = bytes(set(range(0x20, 0x7F)) - {*ACTS, *b"$#"})
GARBAGE = 100_000


@pytest.fixture(scope="module")
def session() -> Session:
    options = SessionOptions(str(GUESTS / "spin.bin"), cpus=2, memory="1M")
    return open_session(options, EXTENSIONS)


@pytest.fixture
def served(session: Session) -> Iterator[Served]:
    with serving(session, listener.on_port(0)) as served:
        yield served


def usable(served: Served) -> None:
    """See that a client is served as any: it steps, runs, breaks in and leaves."""
    client = served.client()
    client.send(b"+")
    assert b"vContSupported+" in client.ask(b"qSupported:vContSupported+")
    assert client.ask(b"vCont;s:1").startswith(b"T05")
    client.send(framed(b"vCont;c"))
    client.send(b"\x03")
    assert client.packet().startswith(b"T02")
    client.detach()


# Those who go away.


def in_a_packet(client: Client) -> None:
    client.send(b"+$qSupported:multipro")


def in_a_run(client: Client) -> None:
    client.ask(b"qSupported")
    client.send(framed(b"vCont;c"))


def in_a_reply(client: Client) -> None:
    client.ask(b"qSupported")
    client.send(framed(b"qXfer:features:read:target.xml:0,ffff") * 50)


def in_an_acknowledgement(client: Client) -> None:
    client.send(b"+")


def before_a_word(client: Client) -> None:
    assert client.socket.fileno() >= 0


@pytest.mark.parametrize("is_reset", [True, False])
@pytest.mark.parametrize(
    "doing",
    [in_a_packet, in_a_run, in_a_reply, in_an_acknowledgement, before_a_word],
)
def test_a_client_that_vanishes_leaves_the_session_to_the_next(
    doing: Callable[[Client], None], is_reset: bool, served: Served
) -> None:
    client = served.client()
    doing(client)
    if is_reset:
        client.vanish()
    else:
        client.socket.close()
    usable(served)


def test_breakpoints_go_with_the_client_who_put_them_there(
    session: Session, served: Served
) -> None:
    client = served.client()
    assert client.ask(b"Z0,12345,1") == b"OK"
    assert client.ask(b"vCont;s:1").startswith(b"T05")
    assert session.machine.breakpoints
    client.vanish()
    usable(served)
    assert not session.machine.breakpoints


def test_a_second_client_is_told_no_and_the_first_is_undisturbed(
    served: Served,
) -> None:
    first = served.client()
    assert first.ask(b"vCont;s:1").startswith(b"T05")
    first.send(framed(b"vCont;c"))
    for _ in range(3):
        second = served.client()
        second.send(b"+" + framed(b"qSupported"))
        said = second.rest()
        assert said.startswith(b"+$E.another client is served")
        assert said[2:-3] in said
        assert int(said[-2:], 16) == sum(said[2:-3]) & 0xFF
        second.socket.close()
    first.send(b"\x03")
    assert first.packet().startswith(b"T02")
    first.detach()
    usable(served)
    assert (
        served.front.said.count(
            "gdb: a second client was turned away; there is one already"
        )
        == 3
    )


def test_a_browser_is_turned_away_before_it_says_a_packet(
    session: Session, served: Served
) -> None:
    # A page can have a browser send any text to a port of the loopback.
    before = Digester(session.machine).digest()
    client = served.client()
    command = framed(b"qRcmd," + b"step 5".hex().encode())
    client.send(b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n" + command)
    assert client.rest() == b""
    client.socket.close()
    until(lambda: any("does not speak" in said for said in served.front.said))
    assert Digester(session.machine).digest() == before
    usable(served)


# Those who say too much, or take too little.


@pytest.mark.parametrize("size", [1 << 20, 16 << 20])
def test_a_packet_of_any_size_costs_a_bounded_memory(
    size: int, session: Session, served: Served
) -> None:
    before = Digester(session.machine).digest()
    client = served.client()
    piece = bytes(1 << 16).replace(b"\0", b"m")
    tracemalloc.start()
    try:
        client.send(b"+$")
        for _ in range(size >> 16):
            client.send(piece)
        client.send(b"#01")  # 00 would be right
        assert client.ask(b"vCont?").startswith(b"vCont;c")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert Digester(session.machine).digest() == before
    client.detach()
    usable(served)


def test_packets_that_come_byte_by_byte_are_as_good_as_any(served: Served) -> None:
    client = served.client()
    for byte in b"+" + framed(b"qC"):
        client.send(bytes([byte]))
    assert client.packet().startswith(b"QC")
    client.detach()
    usable(served)


def test_a_first_packet_that_was_said_again_is_answered_once(served: Served) -> None:
    client = served.client()
    said = framed(b"qSupported:vContSupported+")
    client.send(b"+" + said + said + b"-" + said)
    assert b"vContSupported+" in client.packet()
    assert client.ask(b"vMustReplyEmpty") == b""
    client.detach()
    client = served.client()
    client.send(b"+" + framed(b"qC") + framed(b"?"))  # these are two
    assert client.packet().startswith(b"QC")
    assert client.packet().startswith(b"T05")
    client.detach()


class Babbler:
    """What is to be said never ends, and nothing that is heard matters."""

    is_running, has_ended = True, False

    def __init__(self, session: Session, _is_asked: Callable[[], bool]) -> None:
        self.session, self.said = session, list[str]()
        self.slices = 0

    def receive(self, _data: bytes) -> bytes:
        return b""

    def go(self, _instructions: int) -> bytes:
        self.slices += 1
        return bytes(4096)

    def close(self) -> None:
        self.is_running = False


def test_a_client_that_takes_nothing_is_let_go_and_holds_nothing_up(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STALLED_SECONDS", 0.3)
    made: list[Babbler] = []

    def begin(session: Session, is_asked: Callable[[], bool]) -> server.Answerer:
        made.append(Babbler(session, is_asked))
        return made[-1] if len(made) == 1 else Stub(session)

    with serving(session, listener.on_port(0), begin) as served:
        client = served.client()
        client.send(b"+")
        until(lambda: any("was let go" in said for said in served.front.said))
        # Not more was made than the system takes, and a little.
        assert made[0].slices * 4096 < (64 << 20)
        usable(served)
        client.socket.close()


def deaf(client: Client) -> None:
    """Ask until no more is taken."""
    while True:
        client.send(framed(b"qXfer:features:read:target.xml:0,ffff") * 100)


def test_a_client_that_asks_and_does_not_listen_is_let_go(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STALLED_SECONDS", 0.3)
    with serving(session, listener.on_port(0)) as served:
        client = served.client()
        client.socket.settimeout(0.2)
        with pytest.raises((TimeoutError, ConnectionError)):
            deaf(client)
        until(lambda: any("was let go" in said for said in served.front.said))
        usable(served)
        client.socket.close()


# Garbage.


def mutated(rng: random.Random) -> bytes:
    """Return a packet that something has happened to: its checksum does not fit."""
    bodies = [
        b"vCont;s:1", b"G" + b"00" * 100, b"M100,4:00000000", b"qRcmd,7374657020",
        b"X100,4:abcd", b"P0=0000000000000000", b"c", b"s", b"D", b"k",
    ]  # fmt: skip
    body = rng.choice(bodies)
    total = (sum(body) + rng.randrange(1, 256)) & 0xFF
    return b"$%s#%02x" % (body, total)


def nonsense(rng: random.Random) -> bytes:
    """Return what is no packet, a broken one, or a good one that says nothing."""
    match rng.randrange(6):
        case 0:
            return rng.randbytes(rng.randrange(1, 12)).replace(b"$", b"x")
        case 1:
            return mutated(rng)
        case 2:
            return framed(bytes(rng.choices(LETTERS, k=rng.randrange(9))))
        case 3:
            body = b"m" + rng.randbytes(8).hex().encode() + b",ffffffffff"
            return framed(body[: rng.randrange(len(body))])
        case 4:
            body = bytes(rng.choices(LETTERS, k=1)) + rng.randbytes(9)
            return framed(body.replace(b"$", b"").replace(b"#", b""))
        case _:
            return rng.choice([b"+", b"-", b"\x03", b"$#00", b"#", b"##", b"$zz"])


def test_a_hundred_thousand_packets_of_garbage_move_nothing(session: Session) -> None:
    digester = Digester(session.machine)
    before = digester.digest()
    stub, rng = Stub(session), random.Random(17)
    stub.receive(framed(b"qSupported"))
    for _ in range(GARBAGE // 100):
        stub.receive(b"".join(nonsense(rng) for _ in range(100)))
        assert not stub.is_running
    assert not stub.has_ended
    assert digester.digest() == before
    stub.receive(b"#00" * 2)
    assert stub.receive(framed(b"qC")).endswith(framed(b"QC1"))
    stub.close()


def test_packets_that_act_with_arguments_of_garbage_raise_nothing(
    session: Session,
) -> None:
    rng = random.Random(18)
    names = [
        *(bytes([each]) for each in ACTS), b"vCont;", b"qXfer:", b"qSearch:memory:",
        b"qRcmd,", b"Z0,", b"z1,", b"QPassSignals:", b"bs", b"bc",
    ]  # fmt: skip
    stub = Stub(session)
    tails = b"0123456789abcdef:;,=-.*}{ \0\xff"
    for _ in range(10_000):
        body = rng.choice(names) + bytes(rng.choices(tails, k=rng.randrange(12)))
        out = stub.receive(framed(body))
        for _ in range(3):
            out += stub.go(10)
        stub.receive(b"\x03")
        assert len(out) < 1 << 20
        if stub.has_ended:
            stub.close()
            stub = Stub(session)
    stub.close()
    assert session.execute("where").ok


def test_garbage_over_a_socket_moves_nothing(session: Session, served: Served) -> None:
    before = Digester(session.machine).digest()
    client, rng = served.client(), random.Random(19)
    client.send(b"+")
    for _ in range(200):
        client.send(b"".join(nonsense(rng) for _ in range(10)))
    client.socket.shutdown(socket.SHUT_WR)
    client.rest()
    client.socket.close()
    until(lambda: "gdb: the client is gone" in served.front.said)
    assert Digester(session.machine).digest() == before
    usable(served)


def test_what_is_read_of_one_client_is_not_the_next_ones(served: Served) -> None:
    client = served.client()
    client.ask(b"qSupported")
    client.send(framed(b"vCont;c") + b"$qRc")
    client.vanish()
    usable(served)


def test_descriptors_are_left_as_they_were() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pipes = connection.of_pipes(ours.fileno(), ours.fileno())
        assert not pipes.read()
        theirs.sendall(b"abc")
        assert pipes.read() == b"abc"
        pipes.put(b"def")
        assert theirs.recv(9) == b"def"
        pipes.close()
        assert ours.getblocking()
        ours.settimeout(5)
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
