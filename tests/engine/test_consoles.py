"""Typing on a serial line, and stopping where a guest has printed a text.

The oracle of `catch console` is a scan of what was printed: it stops after each byte
with which the text is complete, however the guest prints it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.machines import BASE, fingerprint, machine

from lapis_engine.errors import EngineError
from lapis_engine.machine.acts import Act, perform
from lapis_engine.vmm.outside import MOST_AT_ONCE, MOST_WAITING

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

FAR = 10_000_000
ECHO = bytes.fromhex("bafd03 ec a801 74fb baf803 ec ee ebf1")
"""MOV DX, LSR; again: IN; TEST DR; JZ again; MOV DX, RBR; IN; OUT; from the start."""


def printer(text: bytes) -> Machine:
    """MOV DX, COM1; then for each byte MOV AL, byte; OUT; at last HLT."""
    code = b"".join(b"\xb0" + bytes((byte,)) + b"\xee" for byte in text)
    return machine(b"\xba\xf8\x03" + code + b"\xf4")


def repeater(text: bytes) -> Machine:
    """PUSH CS; POP DS; MOV DX, COM1; MOV SI, text; MOV CX, length; REP OUTSB; HLT."""
    begin = bytes.fromhex("0e1f baf803 be1000 b9")
    code = begin + len(text).to_bytes(2, "little") + b"\xf3\x6e\xf4"
    return machine(code.ljust(0x10, b"\x90") + text)


@pytest.mark.parametrize("make", [printer, repeater])
def test_the_run_stops_after_the_byte_that_completes_the_text(make: object) -> None:
    assert callable(make)
    m = make(b"login: root")
    m.catches.add("console", text=b"login:")
    stop = m.run(FAR)
    assert (stop.reason, stop.catch) == ("catch", 1)
    assert stop.text == "catch 1, console: com1 printed 'login:'"
    assert m.consoles["com1"] == b"login:"
    if make is printer:
        assert m.vcpus[0].regs.rip == 3 + 6 * 3
        assert m.vcpus[0].retired == 1 + 6 * 2
    assert m.run(FAR).reason == "halted"
    assert m.consoles["com1"] == b"login: root"


def test_without_a_text_every_byte_stops_it() -> None:
    m = printer(b"abc")
    m.catches.add("console")
    found = []
    while m.run(FAR).reason == "catch":
        found.append(bytes(m.consoles["com1"]))
    assert found == [b"a", b"ab", b"abc"]


def test_another_port_and_one_that_is_gone_after_its_first_stop() -> None:
    m = printer(b"aaa")
    m.catches.add("console", text=b"a", port="com2")
    m.catches.add("console", text=b"a", port="com1", once=True)
    assert m.run(FAR).catch == 2
    assert m.run(FAR).reason == "halted"
    assert [catch.number for catch in m.catches.items] == [1]


texts = st.binary(min_size=1, max_size=4).map(
    lambda raw: bytes(b % 3 + 97 for b in raw)
)
printed = st.binary(max_size=40).map(lambda raw: bytes(b % 3 + 97 for b in raw))


@settings(max_examples=40, deadline=None)
@given(printed, texts, st.booleans())
def test_it_stops_wherever_a_scan_finds_the_text(
    said: bytes, text: bytes, repeats: bool
) -> None:
    m = repeater(said) if repeats else printer(said)
    m.catches.add("console", text=text)
    ends = []
    while (stop := m.run(FAR)).reason == "catch":
        ends.append(len(m.consoles["com1"]))
    assert stop.reason == "halted"
    wanted = [end for end in range(1, len(said) + 1) if said[:end].endswith(text)]
    assert ends == wanted
    free = repeater(said) if repeats else printer(said)
    free.run(FAR)
    assert fingerprint(m) == fingerprint(free)


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ({"text": b""}, "catch console: a text of 0 bytes: 1 to 1000"),
        ({"text": bytes(1001)}, "catch console: a text of 1001 bytes: 1 to 1000"),
        ({"vector": 3}, "catch console has no vector"),
        ({"vcpu": 0}, "catch console has no vcpu"),
    ],
)
def test_what_no_console_meets_is_refused(
    conditions: dict[str, Any], sentence: str
) -> None:
    m = printer(b"")
    with pytest.raises(EngineError, match=sentence):
        m.catches.add("console", **conditions)
    with pytest.raises(EngineError, match="catch ipi has no text; these have: console"):
        m.catches.add("ipi", text=b"x")


# Typing.


def test_what_is_typed_reaches_the_guest_in_order() -> None:
    m = machine(ECHO)
    m.run(1000)
    m.receive("com1", "ls -l\n")
    m.receive("com1", "\x00\xff")
    m.run(1_000_000)
    assert m.consoles["com1"] == b"ls -l\n\x00\xff"


def test_a_machine_that_sleeps_is_woken_by_it() -> None:
    # STI with a handler of IRQ 4 at vector 0xC that reads RBR, prints it and EOIs.
    code = bytes.fromhex(
        "fa 31c0 8ed8"  # CLI; DS = 0
        "c7063000 4000 c7063200 0010"  # vector 0xC is 1000:0040
        "b011e620 b008e621 b004e621 b001e621 b0efe621"  # 8259: base 8, IRQ 4 alone
        "bafa03 b001 ee baf903 b001 ee"  # FIFOs on, ERBFI
        "fb f4 ebfd"  # STI; HLT; again
    )
    handler = bytes.fromhex("baf803 ec ee b020 e620 cf")
    m = machine(code.ljust(0x40, b"\x90") + handler)
    assert m.run(FAR).reason == "halted"
    before = m.now
    m.receive("com1", "ok")
    assert m.run(FAR).reason == "halted"
    assert m.consoles["com1"] == b"ok"
    assert m.now > before


@pytest.mark.parametrize(
    ("port", "data", "sentence"),
    [
        ("com9", "x", "there is no serial port 'com9'; there are: com1"),
        ("com1", "", f"0 bytes to type: 1 to {MOST_AT_ONCE} at once"),
        ("com1", "x" * (MOST_AT_ONCE + 1), "4097 bytes to type"),
        ("com1", "a\u0100", "'\u0100' is no byte"),
    ],
)
def test_what_no_line_carries_is_refused(port: str, data: str, sentence: str) -> None:
    m = machine(ECHO)
    with pytest.raises(EngineError, match=sentence):
        m.receive(port, data)
    perform(m, Act("receive", {"port": port, "data": data}))  # as it was: refused


def test_a_guest_that_does_not_read_is_not_typed_to_for_ever() -> None:
    m = machine(b"\xf4")
    piece = "x" * MOST_AT_ONCE
    for _ in range(MOST_WAITING // MOST_AT_ONCE):
        m.receive("com1", piece)
    with pytest.raises(EngineError, match="1048576 bytes wait for the guest on com1"):
        m.receive("com1", "x")
    assert m.vcpus[0].regs.segment(1).base == BASE
