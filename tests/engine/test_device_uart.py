"""The serial port against the PC16550D datasheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.devices import uart
from lapis_engine.devices.device import Device, LineChanged, Printed, Signals
from lapis_engine.devices.uart.receiver import queue, receive
from lapis_plugins.testing import Touch, check_device

HIGH, LOW = LineChanged(4, asserted=True), LineChanged(4, asserted=False)


def read(device: Device, offset: int, now: int = 0) -> int:
    return device.access.read(device.state, 0x3F8 + offset, 1, now)


def write(device: Device, offset: int, value: int) -> Signals:
    return device.access.write(device.state, 0x3F8 + offset, 1, value, 0)


def settle(device: Device, now: int) -> Signals:
    assert device.timer is not None
    return device.timer.advance(device.state, now)


def test_polled_output_is_printed_and_the_transmitter_is_always_empty() -> None:
    device = uart.device()
    assert read(device, 5) == 0x60
    assert write(device, 0, 0x48) == (Printed("com1", b"H"),)
    assert read(device, 5) == 0x60
    assert read(device, 0) == 0


def test_the_divisor_hides_data_and_interrupt_enable() -> None:
    device = uart.device()
    write(device, 3, 0x83)
    assert write(device, 0, 0x01) == ()
    write(device, 1, 0xC2)
    assert (read(device, 0), read(device, 1)) == (0x01, 0xC2)
    write(device, 3, 0x03)
    assert read(device, 1) == 0x00
    assert read(device, 3) == 0x03
    assert device.state.divisor == 0xC201


def test_detection_sees_a_16550a() -> None:
    device = uart.device()
    write(device, 7, 0xA5)
    assert read(device, 7) == 0xA5
    write(device, 1, 0xFF)
    assert read(device, 1) == 0x0F
    write(device, 1, 0x00)
    assert read(device, 2) == 0x01
    write(device, 2, 0x01)
    assert read(device, 2) == 0xC1
    assert read(device, 6) == 0xB0


def test_enabling_thre_interrupts_at_once_and_reading_iir_ends_it() -> None:
    device = uart.device()
    assert write(device, 1, 0x02) == (HIGH,)
    assert read(device, 2, now=100) == 0x02
    assert read(device, 2, now=100) == 0x01
    assert device.timer is not None
    assert device.timer.deadline(device.state) == 101
    assert settle(device, 100) == ()
    assert settle(device, 101) == (LOW,)
    assert device.timer.deadline(device.state) is None


def test_each_byte_sent_with_thre_enabled_makes_a_new_edge() -> None:
    device = uart.device()
    write(device, 1, 0x02)
    assert write(device, 0, 0x41) == (LOW, Printed("com1", b"A"), HIGH)
    assert write(device, 1, 0x00) == (LOW,)


def test_loopback_sends_bytes_and_modem_lines_back() -> None:
    device = uart.device()
    write(device, 4, 0x10)
    assert read(device, 6) & 0xF0 == 0x00
    write(device, 4, 0x1A)  # loop, OUT2, RTS: as Linux probes
    assert read(device, 6) == 0x99  # DCD and CTS, both changed
    assert read(device, 6) == 0x90
    assert write(device, 0, 0x5A) == ()
    assert read(device, 5) == 0x61
    assert read(device, 0) == 0x5A
    assert read(device, 5) == 0x60


def test_the_end_of_a_ring_is_a_change_and_its_start_is_not() -> None:
    device = uart.device()
    write(device, 4, 0x1F)
    write(device, 4, 0x1B)
    assert read(device, 6) == 0xB4
    write(device, 4, 0x1F)
    assert read(device, 6) == 0xF0


def test_changes_of_modem_lines_gather_until_they_are_read() -> None:
    device = uart.device()
    write(device, 4, 0x10)
    read(device, 6)
    write(device, 4, 0x12)
    write(device, 4, 0x13)
    assert read(device, 6) == 0x33


def test_received_bytes_interrupt_until_they_are_read() -> None:
    device = uart.device()
    write(device, 2, 0x01)
    write(device, 1, 0x01)
    assert receive(device.state, b"ab") == (HIGH,)
    assert read(device, 2) == 0xC4
    assert read(device, 0) == ord("a")
    assert settle(device, 1) == ()
    assert read(device, 0, now=5) == ord("b")
    assert settle(device, 6) == (LOW,)


def test_the_fifo_holds_16_and_the_next_is_an_overrun() -> None:
    device = uart.device()
    write(device, 2, 0x01)
    receive(device.state, bytes(16))
    assert read(device, 5) == 0x61
    receive(device.state, b"x")
    write(device, 2, 0x03)
    receive(device.state, b"")
    assert read(device, 5) == 0x62  # an overrun stays until LSR is read
    receive(device.state, bytes(17))
    assert read(device, 5) == 0x63
    assert read(device, 5) == 0x61
    write(device, 2, 0x03)
    assert read(device, 5) == 0x60


def test_line_status_comes_before_data_and_data_before_thre() -> None:
    device = uart.device()
    write(device, 1, 0x0F)
    receive(device.state, b"xy")
    assert read(device, 2) == 0x06
    read(device, 5)
    assert read(device, 2) == 0x04
    read(device, 0)
    assert read(device, 2) == 0x02
    assert read(device, 2) == 0x01


def test_another_port_has_its_own_name_base_and_line() -> None:
    device = uart.device("com2", 0x2F8, 3)
    write_com2 = device.access.write
    assert write_com2(device.state, 0x2F8, 1, 0x21, 0) == (Printed("com2", b"!"),)
    signals = write_com2(device.state, 0x2F9, 1, 2, 0)
    assert signals == (LineChanged(3, asserted=True),)


# A 16550A that listens: trigger levels, the time-out, what the host types.
# At 115200 8N1 a character is 10 bits of 16 periods of 1.8432 MHz: 86 805 ns.

CHARACTER = 86_805


def listening(trigger: int = 0xC1, divisor: int = 1) -> Device:
    device = uart.device(levels=True)
    write(device, 3, 0x83)
    write(device, 0, divisor)
    write(device, 3, 0x03)
    write(device, 2, trigger)
    write(device, 1, 0x01)
    return device


def deadline(device: Device) -> int | None:
    assert device.timer is not None
    return device.timer.deadline(device.state)


def test_what_is_typed_comes_a_character_at_a_time_at_the_speed_of_the_line() -> None:
    device = listening(0x01)
    assert queue(device.state, b"ab", 1000) == ()
    assert read(device, 5, 1000) == 0x60
    assert deadline(device) == 1000 + CHARACTER
    assert settle(device, 1000 + CHARACTER) == (HIGH,)
    assert read(device, 5) == 0x61
    assert deadline(device) == 1000 + 2 * CHARACTER
    settle(device, 1000 + 2 * CHARACTER)
    now = 1000 + 2 * CHARACTER
    assert [read(device, 0, now), read(device, 0, now)] == [0x61, 0x62]
    assert device.state.waiting == b""


def test_9600_7e2_takes_11_bits_at_a_twelfth_of_the_speed() -> None:
    device = listening(divisor=12)
    write(device, 3, 0x1E)
    queue(device.state, b"x", 0)
    assert deadline(device) == 11 * 16 * 12 * 10**9 // 1_843_200


@pytest.mark.parametrize(
    ("control", "bytes_"), [(0x01, 1), (0x41, 4), (0x81, 8), (0xC1, 14)]
)
def test_the_fifo_interrupts_at_its_trigger_level(control: int, bytes_: int) -> None:
    device = listening(control)
    queue(device.state, bytes(16), 0)
    for number in range(1, bytes_):
        assert settle(device, number * CHARACTER) == ()
        assert read(device, 2) == 0xC1
    assert settle(device, bytes_ * CHARACTER) == (HIGH,)
    assert read(device, 2) == 0xC4


def test_what_stays_below_the_trigger_times_out_after_four_characters() -> None:
    device = listening()
    queue(device.state, b"hi", 0)
    assert settle(device, 2 * CHARACTER) == ()
    assert deadline(device) == 6 * CHARACTER
    assert settle(device, 6 * CHARACTER) == (HIGH,)
    assert read(device, 2) == 0xCC
    now = 6 * CHARACTER + 100
    assert read(device, 0, now) == ord("h")
    assert read(device, 2, now) == 0xC1  # the read has put it off
    assert settle(device, now + 1) == (LOW,)
    assert deadline(device) == now + 4 * CHARACTER
    assert settle(device, now + 4 * CHARACTER) == (HIGH,)
    read(device, 0, now + 4 * CHARACTER)
    assert settle(device, now + 4 * CHARACTER + 1) == (LOW,)
    assert deadline(device) is None


def test_the_line_waits_for_room_and_nothing_is_overrun() -> None:
    device = listening()
    queue(device.state, bytes(range(40)), 0)
    settle(device, 10**9)
    assert read(device, 5) == 0x61  # DR, and no overrun
    assert len(device.state.waiting) == 24
    assert deadline(device) is None
    assert read(device, 0, 10**9) == 0
    assert deadline(device) == 10**9 + 1
    settle(device, 10**9 + 1)
    assert len(device.state.waiting) == 23
    got = []
    now = 10**9
    while read(device, 5) & 1:
        now += 200_000
        got.append(read(device, 0, now))
        settle(device, now + 1)
    assert got == list(range(1, 40))


def test_without_fifos_there_is_room_for_one() -> None:
    device = listening(0)
    queue(device.state, b"ab", 0)
    assert settle(device, 10**6) == (HIGH,)
    assert deadline(device) is None
    assert read(device, 0, 10**6) == ord("a")
    assert settle(device, 10**6 + 1) == (LOW, HIGH)  # a new edge for a new byte
    assert read(device, 0, 10**6 + 2) == ord("b")


def test_loopback_cuts_the_line() -> None:
    device = listening()
    write(device, 4, 0x10)
    queue(device.state, b"a", 0)
    assert deadline(device) is None
    device.access.write(device.state, 0x3FC, 1, 0x0B, 10**6)
    assert deadline(device) == 10**6 + 1
    settle(device, 10**6 + 1)
    assert read(device, 0) == ord("a")


def test_a_lower_trigger_interrupts_for_what_is_there() -> None:
    device = listening()
    queue(device.state, b"abcd", 0)
    assert settle(device, 4 * CHARACTER) == ()
    assert write(device, 2, 0x41) == (HIGH,)
    assert write(device, 2, 0xC1) == (LOW,)
    assert write(device, 2, 0xC3) == ()
    assert deadline(device) is None
    assert read(device, 5) == 0x60


class SlowReceiver:
    """The line and the FIFO of a 16550A, asked every so many ns."""

    def __init__(self, trigger: int) -> None:
        self.trigger = trigger
        self.typed: list[int] = []
        self.begun = 0
        """When the line began to send the first of `typed`."""
        self.fifo: list[int] = []
        self.quiet_since = 0
        self.timed_out = False

    def until(self, now: int) -> None:
        while True:
            events = []
            if self.typed and len(self.fifo) < 16:
                events.append((self.begun + CHARACTER, "byte"))
            if 0 < len(self.fifo) < self.trigger and not self.timed_out:
                events.append((self.quiet_since + 4 * CHARACTER, "quiet"))
            at, what = min(events, default=(now + 1, ""))
            if at > now:
                return
            if what == "byte":
                self.fifo.append(self.typed.pop(0))
                self.begun = self.quiet_since = at
            else:
                self.timed_out = True

    def type(self, data: bytes, now: int) -> None:
        if not self.typed:
            self.begun = now
        self.typed += data

    def take(self, now: int) -> int:
        if self.typed and self.begun + CHARACTER <= now:
            self.begun = now + 1 - CHARACTER  # it was ready and had no room
        byte = self.fifo.pop(0) if self.fifo else 0
        self.quiet_since, self.timed_out = now, False
        return byte

    def reason(self) -> int:
        if len(self.fifo) >= self.trigger:
            return 0xC4
        return 0xCC if self.timed_out and self.fifo else 0xC1


@given(
    st.sampled_from([(0x01, 1), (0x41, 4), (0x81, 8), (0xC1, 14)]),
    st.lists(
        st.tuples(
            st.one_of(st.integers(1, 1000), st.integers(1, 10**6)),
            st.one_of(st.none(), st.binary(max_size=20)),
        ),
        max_size=40,
    ),
)
def test_the_receiver_does_what_a_slow_one_does(
    level: tuple[int, int], steps: list[tuple[int, bytes | None]]
) -> None:
    control, trigger = level
    device, slow = listening(control), SlowReceiver(trigger)
    now, up = 0, False
    for later, typed in steps:
        now += later
        due = deadline(device)
        while due is not None and due <= now:
            for signal in settle(device, due):
                assert isinstance(signal, LineChanged)
                assert signal.asserted != up
                up = signal.asserted
            due = deadline(device)
        slow.until(now)
        assert read(device, 2, now) == slow.reason()
        if typed is None:
            assert read(device, 0, now) == slow.take(now)
        else:
            queue(device.state, typed, now)
            slow.type(typed, now)
        settled = device.state.settle_at is None
        assert not settled or up == (slow.reason() != 0xC1)
        assert device.plain is not None
        said = device.plain(device.state, 0x3FD, 1, now)
        assert (said is None) == (not settled)
        if said is not None:
            due = deadline(device)
            until = now + later if due is None else due - 1
            assert said.at(until) == read(device, 5, until) == 0x60 | bool(slow.fifo)


def test_it_is_saved_and_put_back_while_it_is_typed_on() -> None:
    def typed_on() -> Device:
        device = listening()
        queue(device.state, bytes(range(100)), 0)
        return device

    check_device(
        typed_on, [Touch(0x3FA, 1), *[Touch(0x3F8, 1)] * 3, Touch(0x3FD, 1)] * 20
    )
