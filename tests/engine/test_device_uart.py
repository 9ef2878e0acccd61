"""The serial port against the PC16550D datasheet."""

from __future__ import annotations

from lapis_engine.devices import uart
from lapis_engine.devices.device import Device, LineChanged, Printed, Signals
from lapis_engine.devices.uart.priority import receive

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
