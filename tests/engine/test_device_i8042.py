"""The keyboard controller of a PC, its keyboard and its mouse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.devices import i8042
from lapis_engine.devices.device import Device, LineChanged, ResetRequested, Signals
from lapis_engine.devices.i8042.codes import TYPED
from lapis_engine.devices.i8042.keyboard import key
from lapis_engine.events import Oddity
from lapis_plugins.testing import Touch, check_device

HIGH, LOW = LineChanged(1, asserted=True), LineChanged(1, asserted=False)
AUX_HIGH, AUX_LOW = LineChanged(12, asserted=True), LineChanged(12, asserted=False)
LATER = 100_000


class Pc:
    """A guest that polls, time passing as it waits."""

    def __init__(self) -> None:
        self.device = i8042.device()
        self.now = 0
        self.signals: list[object] = []

    def read(self, port: int) -> int:
        return self.device.access.read(self.device.state, port, 1, self.now)

    def write(self, port: int, value: int) -> Signals:
        return self.device.access.write(self.device.state, port, 1, value, self.now)

    def deadline(self) -> int | None:
        assert self.device.timer is not None
        return self.device.timer.deadline(self.device.state)

    def advance(self, now: int) -> Signals:
        assert self.device.timer is not None
        self.now = now
        return self.device.timer.advance(self.device.state, now)

    def wait(self) -> None:
        """Until nothing happens by itself any more."""
        due = self.deadline()
        while due is not None:
            self.signals += self.advance(due)
            due = self.deadline()

    def bytes(self) -> list[int]:
        """All that comes."""
        found = []
        self.wait()
        while self.read(0x64) & 1:
            found.append(self.read(0x60))
            self.wait()
        return found

    def command(self, value: int, *parameters: int) -> list[int]:
        self.write(0x64, value)
        for parameter in parameters:
            self.write(0x60, parameter)
        return self.bytes()

    def keyboard(self, *values: int) -> list[int]:
        """Send bytes to the keyboard; what it says to each."""
        found = []
        for value in values:
            self.write(0x60, value)
            found += self.bytes()
        return found

    def mouse(self, *values: int) -> list[int]:
        found = []
        for value in values:
            found += self.command(0xD4, value)
        return found


def test_after_a_reset_it_is_as_firmware_leaves_it() -> None:
    pc = Pc()
    assert pc.read(0x64) == 0x1C
    assert pc.command(0x20) == [0x65]


def test_self_test_and_interface_tests_pass() -> None:
    pc = Pc()
    assert [pc.command(c) for c in (0xAA, 0xAB, 0xA9)] == [[0x55], [0x00], [0x00]]
    assert pc.command(0x60, 0x00) == []
    assert pc.read(0x64) & 0x04 == 0
    pc.command(0xAA)
    assert pc.read(0x64) & 0x04


def test_the_command_byte_is_written_and_follows_enable_and_disable() -> None:
    pc = Pc()
    pc.command(0x60, 0x47)
    pc.command(0xAD)
    pc.command(0xA7)
    assert pc.command(0x20) == [0x77]
    pc.command(0xAE)
    pc.command(0xA8)
    assert pc.command(0x20) == [0x47]
    assert pc.command(0xC0) == [0x80]


def test_a20_is_one_gate_with_three_handles() -> None:
    pc = Pc()
    assert pc.read(0x92) == 0x02
    assert pc.command(0xD0) == [0x03]
    pc.command(0xD1, 0x01)
    assert pc.read(0x92) == 0x00
    pc.command(0xDF)
    assert pc.read(0x92) == 0x02
    pc.write(0x92, 0x00)
    assert pc.command(0xD0) == [0x01]
    pc.command(0xDD)
    assert pc.read(0x92) == 0x00


@pytest.mark.parametrize(("port", "value"), [(0x64, 0xFE), (0x64, 0xF0), (0x92, 0x01)])
def test_it_resets_by_pulse_and_by_port_92(port: int, value: int) -> None:
    (signal,) = Pc().write(port, value)
    assert isinstance(signal, ResetRequested)


def test_it_resets_by_the_output_port_and_not_by_other_pulses() -> None:
    pc = Pc()
    assert pc.write(0x64, 0xFD) == ()
    pc.write(0x64, 0xD1)
    (signal,) = pc.write(0x60, 0x02)
    assert isinstance(signal, ResetRequested)


def test_the_keyboard_answers_its_commands() -> None:
    pc = Pc()
    pc.command(0x60, 0x25)  # without translation
    assert pc.keyboard(0xFF) == [0xFA, 0xAA]
    assert pc.keyboard(0xF2) == [0xFA, 0xAB, 0x83]
    assert pc.keyboard(0xED, 0x07) == [0xFA, 0xFA]
    assert pc.device.state.keyboard.leds == 7
    assert pc.keyboard(0xEE) == [0xEE]
    assert pc.keyboard(0xF3, 0xA5) == [0xFA, 0xFA]
    assert pc.device.state.keyboard.rate == 0x25
    assert pc.keyboard(0xF3, 0x20) == [0xFA, 0xFA]
    assert pc.keyboard(0xF0, 0x00) == [0xFA, 0xFA, 0x02]
    assert pc.keyboard(0xF0, 0x03, 0xF0, 0x00) == [0xFA, 0xFA, 0xFA, 0xFA, 0x03]
    assert pc.keyboard(0xF0, 0x04) == [0xFA, 0xFE]
    assert pc.keyboard(0xF6, 0xF5, 0xF4) == [0xFA, 0xFA, 0xFA]
    assert pc.keyboard(0xFE) == [0xFA]  # again
    assert pc.keyboard(0x12) == [0xFE]
    assert pc.keyboard(0xED, 0xF4) == [0xFA, 0xFA]  # a command where LEDs were due
    assert pc.keyboard(0xFA, 0xFC, 0x1C) == [0xFA, 0xFA, 0xFA]


def test_what_the_keyboard_says_of_itself_is_translated_too() -> None:
    pc = Pc()
    assert pc.keyboard(0xF2) == [0xFA, 0xAB, 0x41]
    assert pc.keyboard(0xF0, 0x00) == [0xFA, 0xFA, 0x41]


def test_the_mouse_says_who_it_is_and_keeps_quiet() -> None:
    pc = Pc()
    assert pc.mouse(0xFF) == [0xFA, 0xAA, 0x00]
    assert pc.mouse(0xF2) == [0xFA, 0x00]
    assert pc.mouse(0xE9) == [0xFA, 0x00, 0x02, 100]
    assert pc.mouse(0xF3, 200, 0xE8, 3, 0xE7, 0xF4) == [0xFA] * 6
    assert pc.mouse(0xE9) == [0xFA, 0x30, 0x03, 200]
    assert pc.mouse(0xEB) == [0xFA, 0x08, 0x00, 0x00]
    assert pc.mouse(0xEE, 0x55, 0xF2, 0xEC) == [0xFA, 0x55, 0xF2, 0xFA]
    assert pc.mouse(0xF0, 0xE9)[1:3] == [0xFA, 0x70]
    assert pc.mouse(0xF6, 0xE9) == [0xFA, 0xFA, 0x00, 0x02, 100]
    assert pc.mouse(0x99) == [0xFE]


def test_a_byte_of_the_mouse_is_marked_and_moves_line_12() -> None:
    pc = Pc()
    pc.command(0x60, 0x47)
    pc.write(0x64, 0xD4)
    assert pc.write(0x60, 0xF2) == (AUX_HIGH,)
    assert pc.read(0x64) & 0x21 == 0x21
    assert pc.read(0x60) == 0xFA
    assert pc.read(0x64) & 0x21 == 0
    assert pc.deadline() == 1
    assert pc.advance(1) == (AUX_LOW,)
    assert pc.deadline() == LATER
    assert pc.advance(LATER) == (AUX_HIGH,)
    assert pc.read(0x60) == 0x00


def test_without_its_interrupt_the_mouse_is_polled_for() -> None:
    pc = Pc()
    pc.command(0x60, 0x45)
    pc.signals.clear()
    assert pc.mouse(0xF2) == [0xFA, 0x00]
    assert pc.signals == []


def test_loopback_of_both_output_buffers() -> None:
    pc = Pc()
    pc.command(0x60, 0x47)
    pc.write(0x64, 0xD2)
    assert pc.write(0x60, 0x77) == (HIGH,)
    assert pc.read(0x60) == 0x77
    pc.wait()
    pc.write(0x64, 0xD3)
    assert pc.write(0x60, 0x5A) == (AUX_HIGH,)
    assert pc.read(0x64) & 0x21 == 0x21
    assert pc.read(0x60) == 0x5A


def test_a_key_interrupts_and_the_next_byte_is_a_new_edge() -> None:
    pc = Pc()
    assert key(pc.device.state, b"\x1e\x9e") == (HIGH,)
    pc.now = 50
    assert pc.read(0x60) == 0x1E
    assert pc.read(0x60) == 0x1E  # the next one is not there yet
    assert pc.advance(51) == (LOW,)
    assert pc.advance(50 + LATER) == (HIGH,)
    assert pc.read(0x60) == 0x9E
    pc.wait()
    assert pc.read(0x64) & 1 == 0


def test_without_its_interrupt_a_key_is_polled_for() -> None:
    pc = Pc()
    pc.command(0x60, 0x64)
    assert key(pc.device.state, b"\x1e\x9e") == ()
    assert pc.bytes() == [0x1E, 0x9E]
    assert pc.signals == []


def test_a_disabled_keyboard_holds_its_keys_back() -> None:
    pc = Pc()
    pc.command(0xAD)
    assert key(pc.device.state, b"\x1e\x9e") == ()
    assert pc.bytes() == []
    assert pc.write(0x64, 0xAE) == (HIGH,)
    assert pc.bytes() == [0x1E, 0x9E]


def test_an_answer_waits_for_the_key_that_was_there_first() -> None:
    pc = Pc()
    key(pc.device.state, b"\x1e\x9e")
    pc.write(0x64, 0x20)
    assert pc.bytes() == [0x1E, 0x65, 0x9E]


def test_keys_come_in_the_set_that_the_guest_chose() -> None:
    """Right alt, F7, Pause, Delete: by the tables of the three sets."""
    moves = bytes.fromhex("e038 e0b8 41 c1 e11d45e19dc5 e053 e0d3")
    expected = {
        1: moves.hex(),
        2: "e011e0f01183f083e11477e1f014f077e071e0f071",
        3: "39f03937f0376264f064",
    }
    for number, codes in expected.items():
        pc = Pc()
        pc.command(0x60, 0x25)
        pc.keyboard(0xF0, number)
        key(pc.device.state, moves)
        assert bytes(pc.bytes()).hex() == codes


def test_keys_are_lost_when_nobody_wants_them_or_nobody_reads() -> None:
    pc = Pc()
    for _ in range(1000):
        assert not any(isinstance(s, Oddity) for s in key(pc.device.state, b"\x1e\x9e"))
    (odd,) = key(pc.device.state, b"\x1e\x9e" * 1000)
    assert isinstance(odd, Oddity)
    assert odd.name == "keyboard overrun"
    pc.keyboard(0xF5)
    (odd,) = key(pc.device.state, b"\x1e\x9e")
    assert isinstance(odd, Oddity)
    assert pc.bytes() == []


def test_characters_are_typed_as_on_a_us_keyboard() -> None:
    assert TYPED["a"] == b"\x1e\x9e"
    assert TYPED["A"] == b"\x2a\x1e\x9e\xaa"
    assert TYPED["\n"] == b"\x1c\x9c"
    assert TYPED["|"] == b"\x2a\x2b\xab\xaa"
    assert (TYPED["~"][1], TYPED["?"][1], TYPED[")"][1]) == (0x29, 0x35, 0x0B)
    printable = {chr(code) for code in range(0x20, 0x7F)}
    assert printable <= TYPED.keys()
    assert TYPED.keys() - printable == {"\n", "\r", "\t", "\b", "\x1b"}


@given(
    st.lists(st.sampled_from(sorted(TYPED)), max_size=12),
    st.lists(st.integers(0, 2 * LATER), max_size=60),
    st.booleans(),
)
def test_what_is_typed_is_read_whole_and_each_byte_has_its_edge(
    text: list[str], pauses: list[int], at_once: bool
) -> None:
    """The oracle is a list; the guest reads when IRQ 1 rises."""
    pc = Pc()
    wanted = [code for char in text for code in TYPED[char]]
    signals: list[object] = []
    if at_once:
        signals += key(pc.device.state, bytes(wanted))
        text = []
    found: list[int] = []
    for pause in [*pauses, *[2 * LATER] * 100]:
        if text:
            signals += key(pc.device.state, TYPED[text.pop(0)])
        end = pc.now + pause
        due = pc.deadline()
        while due is not None and due <= end:
            signals += pc.advance(due)
            due = pc.deadline()
        pc.now = end
        if HIGH in signals:
            assert pc.read(0x64) & 1
            found.append(pc.read(0x60))
            signals.clear()
    assert found == wanted


def test_the_status_is_plain_and_the_data_is_not() -> None:
    pc = Pc()
    key(pc.device.state, b"\x1e\x9e")
    assert pc.device.plain is not None
    for port in (0x64, 0x92):
        said = pc.device.plain(pc.device.state, port, 1, 0)
        assert said is not None
        assert said.at(10**9) == pc.read(port)
    assert pc.device.plain(pc.device.state, 0x60, 1, 0) is None
    assert pc.device.plain(pc.device.state, 0x64, 2, 0) is None


def test_it_is_saved_and_put_back_in_the_middle_of_its_work() -> None:
    def typed_on() -> Device:
        device = i8042.device()
        key(device.state, b"".join(TYPED[char] for char in "Hello"))
        return device

    data, command = 0x60, 0x64
    touches = [
        *[Touch(data, 1)] * 5, Touch(command, 1, 0xD4), Touch(data, 1, 0xE9),
        Touch(data, 1, 0xF2), *[Touch(data, 1)] * 3, Touch(command, 1, 0x20),
        Touch(command, 1, 0x60), Touch(data, 1, 0x03), *[Touch(data, 1)] * 30,
    ]  # fmt: skip
    check_device(typed_on, touches)
    check_device(typed_on)
