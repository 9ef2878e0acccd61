"""The devices of one or two ports: consoles, exits, the empty PCI bus, the 8042."""

from __future__ import annotations

import pytest

from lapis_engine.devices import (
    debugcon,
    isa_debug_exit,
    pci,
    post_code,
    ps2,
)
from lapis_engine.devices.device import (
    Device,
    PoweredOff,
    Printed,
    ResetRequested,
    Signals,
)


def read(device: Device, port: int, size: int = 1) -> int:
    return device.access.read(device.state, port, size, 0)


def write(device: Device, port: int, value: int, size: int = 1) -> Signals:
    return device.access.write(device.state, port, size, value, 0)


def test_debugcon_prints_each_byte_and_announces_itself() -> None:
    device = debugcon.device()
    assert write(device, 0x402, 0x41) == (Printed("debugcon", b"A"),)
    assert read(device, 0x402) == 0xE9
    assert device.state.written == 1


def test_a_word_written_to_debugcon_reaches_it_with_its_low_byte_only() -> None:
    device = debugcon.device()
    assert write(device, 0x402, 0x4241, 2) == (Printed("debugcon", b"A"),)
    assert read(device, 0x402, 2) == 0xFFE9


@pytest.mark.parametrize(
    ("value", "size", "code"), [(0x00, 1, 1), (0x10, 1, 33), (0x1234, 2, 0x2469)]
)
def test_debug_exit_ends_with_qemus_status(value: int, size: int, code: int) -> None:
    device = isa_debug_exit.device()
    (signal,) = write(device, 0xF4, value, size)
    assert isinstance(signal, PoweredOff)
    assert signal.code == code
    assert hex(value) in signal.why


def test_debug_exit_takes_a_dword() -> None:
    (signal,) = write(isa_debug_exit.device(), 0xF4, 0xFFFF_FFFF, 4)
    assert isinstance(signal, PoweredOff)
    assert signal.code == 0x1_FFFF_FFFF


def test_post_codes_are_kept_and_read_as_ones() -> None:
    device = post_code.device()
    assert write(device, 0x80, 0xD5) == ()
    assert device.state.code == 0xD5
    assert read(device, 0x80) == 0xFF


def test_pci_address_reads_back_without_its_reserved_bits() -> None:
    device = pci.device()
    write(device, 0xCF8, 0xFFFF_FFFF, 4)
    assert read(device, 0xCF8, 4) == 0x80FF_FFFC
    write(device, 0xCF8, 0x8000_0000, 4)
    assert read(device, 0xCF8, 4) == 0x8000_0000


@pytest.mark.parametrize(
    ("port", "size", "ones"),
    [(0xCFC, 4, 0xFFFF_FFFF), (0xCFE, 2, 0xFFFF), (0xCFF, 1, 0xFF)],
)
def test_pci_data_is_an_empty_bus(port: int, size: int, ones: int) -> None:
    device = pci.device()
    write(device, 0xCF8, 0x8000_0000, 4)
    assert write(device, port, 0, size) == ()
    assert read(device, port, size) == ones


def test_pci_address_is_not_reached_by_bytes() -> None:
    device = pci.device()
    write(device, 0xCF8, 0x8000_1234, 4)
    write(device, 0xCFB, 0x01)
    assert read(device, 0xCF8, 4) == 0x8000_1234
    assert read(device, 0xCF8) == 0xFF
    assert read(device, 0xCFC, 4) == 0xFFFF_FFFF
    write(device, 0xCFC, 0xFFFF_FFFF, 4)
    assert write(device, 0xCF8, 0xFF) == ()
    assert write(device, 0xCF9, 0xFFFF, 2) == ()
    assert write(device, 0xCFD, 0xFF) == ()
    assert read(device, 0xCF9, 2) == 0xFFFF
    assert read(device, 0xCFD) == 0xFF
    assert read(device, 0xCF8, 4) == 0x8000_1234


def test_port_cf9_resets_on_bit_2_and_remembers_bit_1() -> None:
    device = pci.device()
    assert write(device, 0xCF9, 0x02) == ()
    assert read(device, 0xCF9) == 0x02
    (signal,) = write(device, 0xCF9, 0x06)
    assert isinstance(signal, ResetRequested)
    assert "0xcf9 = 0x06, hard" in signal.why
    assert read(device, 0xCF9) == 0x02


def test_8042_self_test_answers_0x55_once() -> None:
    device = ps2.device()
    assert read(device, 0x64) == 0x10
    write(device, 0x64, 0xAA)
    assert read(device, 0x64) == 0x1D  # OBF, SYS, command last, not inhibited
    assert read(device, 0x60) == 0x55
    assert read(device, 0x64) == 0x1C
    assert read(device, 0x60) == 0x55  # the empty buffer keeps its last byte


def test_8042_keyboard_interface_passes_but_nobody_answers() -> None:
    device = ps2.device()
    write(device, 0x64, 0xAB)
    assert read(device, 0x60) == 0x00
    write(device, 0x60, 0xFF)  # keyboard reset
    assert read(device, 0x64) == 0x51  # time-out, not inhibited, OBF
    assert read(device, 0x60) == 0xFE
    assert read(device, 0x64) == 0x10


def test_8042_command_byte_is_written_and_follows_enable_and_disable() -> None:
    device = ps2.device()
    write(device, 0x64, 0x60)
    write(device, 0x60, 0x47)
    write(device, 0x64, 0xAD)
    write(device, 0x64, 0xA7)
    write(device, 0x64, 0x20)
    assert read(device, 0x60) == 0x77
    write(device, 0x64, 0xAE)
    write(device, 0x64, 0xA8)
    write(device, 0x64, 0x20)
    assert read(device, 0x60) == 0x47
    write(device, 0x64, 0x60)
    write(device, 0x60, 0x41)
    write(device, 0x64, 0xAA)
    write(device, 0x64, 0x20)
    assert read(device, 0x60) == 0x45
    assert read(device, 0x64) & 0x04


def test_8042_has_no_mouse() -> None:
    device = ps2.device()
    write(device, 0x64, 0xA9)
    assert read(device, 0x60) == 0x01
    write(device, 0x64, 0xD3)
    write(device, 0x60, 0x5A)
    assert read(device, 0x64) & 0x01 == 0


def test_8042_output_port_and_loopback_of_its_buffer() -> None:
    device = ps2.device()
    write(device, 0x64, 0xD0)
    assert read(device, 0x60) == 0x03
    write(device, 0x64, 0xD2)
    write(device, 0x60, 0x77)
    assert read(device, 0x60) == 0x77
    write(device, 0x64, 0xC0)
    assert read(device, 0x60) == 0x80


@pytest.mark.parametrize("command", [0xFE, 0xF0])
def test_8042_pulse_of_line_0_resets(command: int) -> None:
    (signal,) = write(ps2.device(), 0x64, command)
    assert isinstance(signal, ResetRequested)
    assert hex(command) in signal.why


def test_8042_pulse_of_other_lines_does_nothing() -> None:
    assert write(ps2.device(), 0x64, 0xFD) == ()


def test_8042_output_port_with_its_reset_line_low_resets() -> None:
    device = ps2.device()
    write(device, 0x64, 0xD1)
    assert write(device, 0x60, 0x03) == ()
    write(device, 0x64, 0xD1)
    (signal,) = write(device, 0x60, 0x02)
    assert isinstance(signal, ResetRequested)


def test_port_92_resets_on_a_rise_and_keeps_a20_open() -> None:
    device = ps2.device()
    assert read(device, 0x92) == 0x02
    assert write(device, 0x92, 0x00) == ()
    assert read(device, 0x92) == 0x02
    assert write(device, 0x92, 0x03) == (ResetRequested("port 0x92, fast reset"),)
    assert write(device, 0x92, 0x03) == ()
