"""Packets of the remote protocol: framing, acknowledgements, and garbage.

Oracle: GDB manual "Remote Protocol Overview", "Packet Acknowledgment", "Interrupts".
"""

from __future__ import annotations

import itertools
import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rigs.gdb_rig import Client, packet, parsed

from lapis_sessions.gdb.packets import Arrival, Framer, escaped, framed, unescaped
from lapis_sessions.gdb.refusal import PacketError
from lapis_sessions.gdb.stub import Stub

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

LARGEST = 1 << 20


@given(st.binary(max_size=60), st.data())
def test_packets_are_found_however_they_are_cut(
    body: bytes, data: st.DataObject
) -> None:
    whole = b"rubbish" + packet(escaped(body)) + b"+" + packet(b"?") + b"\x03"
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=5))
    edges = [0, *sorted(cuts), len(whole)]
    framer, found = Framer(), list[bytes | Arrival]()
    for first, last in itertools.pairwise(edges):
        found += framer.take(whole[first:last])
    wanted = [escaped(body), Arrival.ACK, b"?", Arrival.INTERRUPT]
    assert found == wanted
    assert unescaped(escaped(body)) == body


def test_escapes_are_those_of_the_manual() -> None:
    # "}" 0x7d, and the original character xored with 0x20.
    assert escaped(b"}a#b$c*") == b"}\x5da}\x03b}\x04c}\x0a"
    assert unescaped(b"}\x5d}\x03") == b"}#"
    assert framed(b"qC") == b"$qC#b4"


def test_acks_are_sent_until_they_are_agreed_away(
    opened: Callable[..., Session],
) -> None:
    stub = Stub(opened())
    assert stub.receive(b"$qC#b4") == b"+$QC1#c5"
    assert stub.receive(b"$qC#b5") == b"-"
    assert stub.receive(b"-") == b"$QC1#c5"  # it did not arrive
    assert stub.receive(b"+") == b""
    assert stub.receive(packet(b"QStartNoAckMode")) == b"+$OK#9a"
    assert stub.receive(b"+$qC#b4") == b"$QC1#c5"
    assert stub.receive(b"$qC#b5-") == b""


def test_a_packet_that_is_too_long_is_dropped_as_it_comes(
    opened: Callable[..., Session],
) -> None:
    stub = Stub(opened())
    tracemalloc.start()
    stub.receive(b"$m")
    for _ in range(64):
        assert stub.receive(b"0" * 65536) == b""
    assert tracemalloc.get_traced_memory()[1] < 3 * LARGEST
    tracemalloc.stop()
    assert stub.receive(b"#00") == b"-"
    assert stub.receive(b"$qC#b4") == b"+$QC1#c5"
    assert "1048576 bytes" in stub.said[-1]


def test_an_error_in_words_is_one_packet() -> None:
    refused = PacketError(1, "#3 of {$x} * caf\u00e9", in_words=True)
    assert refused.answer == b"E.?3 of {?x? ? caf?"


def test_a_megabyte_is_taken_and_answered(opened: Callable[..., Session]) -> None:
    client = Client(opened())
    assert client.ask("X20000,8000:" + "\x55" * 0x8000) == "OK"
    assert client.ask("m27fff,2") == "5500"
    assert client.ask("m" + "0" * (LARGEST - 1)).startswith("E")
    assert client.ask("qC") == "QC1"


LETTERS = b"?gGpPmMxXHTcCsSbzZDkRvqQ!ABdFIijnrtw"


def test_garbage_never_raises_and_the_session_lives(
    opened: Callable[..., Session],
) -> None:
    session, random = opened(cpus=2), Random(5)
    stub = Stub(session)
    for _ in range(3000):
        body = bytes(random.choices(LETTERS, k=1))
        body += bytes(random.choices(b"0123456789abcdef,;:=-.pscSCt$#}*\xff", k=9))
        data = random.choice([packet(body), packet(body), body, b"$" + body + b"#zz"])
        stub.receive(data)
        while stub.is_running:
            stub.go(2000)
            stub.receive(b"\x03")
        if stub.has_ended:
            stub.close()
            stub = Stub(session)
    assert parsed(stub.receive(b"#00" + packet(b"QStartNoAckMode"))[-6:]) == ["OK"]
    assert session.execute("where").ok
    assert session.machine.breakpoints == [] or not stub.has_ended


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("vMustReplyEmpty", ""), ("!", "OK"), ("qNoSuchThing", ""), ("Hg99", "E03"),
        ("T99", "E03"), ("T2", "OK"), ("pffff", "E01"), ("p", "E01"), ("mzz,1", "E01"),
        ("m0", "E01"), ("M0,2:00", "E01"), ("vCont;x", "E01"), ("vCont;s:77", "E03"),
        ("Z9,0,1", ""), ("Z0,0", "E01"), ("qXfer:features:read:other.xml:0,10", "E00"),
        ("qXfer:nothing:read::0,10", ""), ("vFile:open:2f,0,0", "F-1,58"),
        ("qAttached", "1"), ("qOffsets", "Text=0;Data=0;Bss=0"), ("Hc-1", "OK"),
        ("qRcmd,zz", "E01"), ("qThreadExtraInfo,5", "E03"), ("Hg-1", "OK"),
        ("vCont?", "vCont;c;C;s;S;t;r"), ("qsThreadInfo", "l"), ("bx", ""),
    ],
)  # fmt: skip
def test_packets_are_answered_as_the_manual_has_it(
    opened: Callable[..., Session], body: str, answer: str
) -> None:
    assert Client(opened()).ask(body) == answer
