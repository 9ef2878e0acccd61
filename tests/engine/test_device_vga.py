"""The display adapter: registers that read back, the beam, the text on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.devices import vga
from lapis_engine.devices.vga.screen import is_text, screen, window
from lapis_plugins.testing import check_device

if TYPE_CHECKING:
    from lapis_engine.devices.device import Device

MODE_3 = bytes.fromhex("5f4f50825581bf1f004f0d0e000000009c8e8f281f96b9a3ff")


def read(device: Device, port: int, now: int = 0, size: int = 1) -> int:
    return device.access.read(device.state, port, size, now)


def write(device: Device, port: int, value: int, size: int = 1) -> None:
    assert device.access.write(device.state, port, size, value, 0) == ()


def test_it_is_in_mode_3_after_a_reset() -> None:
    device = vga.device()
    found = []
    for index in range(25):
        write(device, 0x3D4, index)
        found.append(read(device, 0x3D5))
    assert bytes(found) == MODE_3
    assert read(device, 0x3CC) & 1
    assert is_text(device.state)
    assert (window(device.state).first, window(device.state).size) == (0xB8000, 0x8000)


def test_the_cursor_registers_read_back_and_so_does_their_index() -> None:
    device = vga.device()
    write(device, 0x3D4, 0x0E)
    assert read(device, 0x3D4) == 0x0E
    write(device, 0x3D5, 0x07)
    write(device, 0x3D4, 0xCF0F, 2)  # index and data in a word
    assert read(device, 0x3D5) == 0xCF
    write(device, 0x3D4, 0x0E)
    assert read(device, 0x3D5) == 0x07
    write(device, 0x3D4, 0x7F)
    write(device, 0x3D5, 0x55)
    assert read(device, 0x3D5) == 0


def test_registers_0_to_7_are_protected_but_for_line_compare() -> None:
    device = vga.device()
    write(device, 0x3D4, 0x0001)
    write(device, 0x3D4, 0x2701, 2)
    write(device, 0x3D4, 0x0007, 2)
    write(device, 0x3D4, 0x01)
    assert read(device, 0x3D5) == 0x4F
    write(device, 0x3D4, 0x07)
    assert read(device, 0x3D5) == 0x1F & ~0x10
    write(device, 0x3D4, 0x0E11, 2)
    write(device, 0x3D4, 0x2701, 2)
    assert read(device, 0x3D5) == 0x27


def test_monochrome_has_the_crtc_and_the_status_elsewhere() -> None:
    device = vga.device()
    assert read(device, 0x3B4) == 0xFF
    write(device, 0x3C2, 0x66)
    write(device, 0x3B4, 0x0F)
    write(device, 0x3B5, 0x33)
    assert read(device, 0x3B5) == 0x33
    assert read(device, 0x3D5) == read(device, 0x3DA) == 0xFF
    assert read(device, 0x3BA) == 0
    write(device, 0x3D5, 0x44)
    assert read(device, 0x3B5) == 0x33


def test_the_attribute_port_takes_index_and_data_in_turns() -> None:
    device = vga.device()
    read(device, 0x3DA)
    write(device, 0x3C0, 0x10)
    write(device, 0x3C0, 0x04)
    assert read(device, 0x3C1) == 0x04
    assert read(device, 0x3C0) == 0x10
    write(device, 0x3C0, 0x11)
    read(device, 0x3DA)
    write(device, 0x3C0, 0x30)
    assert (read(device, 0x3C0), read(device, 0x3C1)) == (0x30, 0x04)


def test_colours_come_in_three_parts_and_go_on_to_the_next() -> None:
    device = vga.device()
    write(device, 0x3C8, 0x3F)
    for value in (1, 2, 0xC3, 4, 5, 6):
        write(device, 0x3C9, value)
    assert read(device, 0x3C8) == 0x41
    write(device, 0x3C7, 0x3F)
    assert read(device, 0x3C7) == 3
    assert [read(device, 0x3C9) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    write(device, 0x3C7, 0x14)  # brown: the low green
    assert [read(device, 0x3C9) for _ in range(3)] == [0x2A, 0x15, 0x00]


def test_sequencer_graphics_and_the_single_registers_read_back() -> None:
    device = vga.device()
    write(device, 0x3C4, 0x0402, 2)
    assert read(device, 0x3C5) == 0x04
    write(device, 0x3CE, 0x0506, 2)
    assert read(device, 0x3CF) == 0x05
    assert not is_text(device.state)
    assert window(device.state).first == 0xA0000
    write(device, 0x3C6, 0x0F)
    write(device, 0x3DA, 0x03)
    write(device, 0x3C3, 0x00)
    assert [read(device, port) for port in (0x3C6, 0x3CA, 0x3C3)] == [0x0F, 0x03, 0]
    assert read(device, 0x3CB) == read(device, 0x3CD) == 0xFF


def test_the_retrace_comes_70_times_in_a_second() -> None:
    device = vga.device()
    rises, before, blank = 0, 0, 0
    step = 10_000
    for now in range(0, 10**9, step):
        status = read(device, 0x3DA, now)
        rises += bool(status & 8 and not before)
        before = status & 8
        blank += status & 1
        assert not status & 8 or status & 1
    assert rises == 70
    assert blank * step == pytest.approx(10**9 * (1 - 400 / 449 * 0.8), rel=0.01)


@given(st.integers(0, 10**12), st.integers(0, 10**8))
def test_the_beam_is_plain_as_long_as_it_stays_where_it_is(now: int, on: int) -> None:
    device = vga.device()
    assert device.plain is not None
    said = device.plain(device.state, 0x3DA, 1, now)
    assert said is not None
    assert said.until is not None
    assert said.until > now
    then = min(now + on, said.until - 1)
    assert said.at(then) == read(device, 0x3DA, then)
    write(device, 0x3C0, 0)
    assert device.plain(device.state, 0x3DA, 1, now) is None
    assert device.plain(device.state, 0x3C9, 1, now) is None


SLOTS = {"crtc": 25, "sequencer": 5, "graphics": 9, "attribute": 21}
WRITES = st.lists(
    st.tuples(st.sampled_from(sorted(SLOTS)), st.integers(0, 40), st.integers(0, 255)),
    max_size=60,
)


@given(WRITES)
def test_indexed_registers_read_back_as_four_plain_tables_do(
    writes: list[tuple[str, int, int]],
) -> None:
    """The oracle is a dictionary; the CRTC's protection is a bit of it."""
    device = vga.device()
    kept: dict[tuple[str, int], int] = {("crtc", 0x11): 0x8E, ("crtc", 7): 0x1F}
    for name, place, byte in writes:
        index, value = place & 0x1F if name == "attribute" else place, byte
        if name == "attribute":
            read(device, 0x3DA)
            write(device, 0x3C0, index)
            write(device, 0x3C0, value)
        else:
            port = {"crtc": 0x3D4, "sequencer": 0x3C4, "graphics": 0x3CE}[name]
            write(device, port, value << 8 | index, 2)
        if index >= SLOTS[name]:
            continue
        if name == "crtc" and kept["crtc", 0x11] & 0x80 and index < 8:
            if index < 7:
                continue
            value = kept["crtc", 7] & 0xEF | value & 0x10
        kept[name, index] = value
    for (name, index), value in kept.items():
        if name == "attribute":
            read(device, 0x3DA)
            write(device, 0x3C0, index)
            assert read(device, 0x3C1) == value
        else:
            port = {"crtc": 0x3D4, "sequencer": 0x3C4, "graphics": 0x3CE}[name]
            write(device, port, index)
            assert read(device, port + 1) == value


def text(rows: dict[int, str], stride: int = 80) -> bytes:
    memory = bytearray(b" \x07" * 0x4000)
    for row, line in rows.items():
        for column, char in enumerate(line.encode("cp437")):
            memory[(row * stride + column) * 2 % 0x8000] = char
    return bytes(memory)


def crtc(**changes: int) -> bytes:
    cells = bytearray(MODE_3)
    for name, value in changes.items():
        cells[int(name[1:], 16)] = value
    return bytes(cells)


def test_the_screen_is_25_lines_of_80_characters() -> None:
    seen = screen(text({0: "Hello", 24: "last │ ä"}), MODE_3)
    assert len(seen.lines) == 25
    assert {len(line) for line in seen.lines} == {80}
    assert seen.lines[0].rstrip() == "Hello"
    assert seen.lines[24].rstrip() == "last │ ä"
    assert seen.cursor == (0, 0)


def test_the_start_address_scrolls_and_the_end_goes_on_at_the_beginning() -> None:
    memory = text({3: "three", 27: "below"})
    seen = screen(memory, crtc(r0C=0, r0D=240, r0E=1, r0F=0x45))
    assert seen.lines[0].rstrip() == "three"
    assert seen.lines[24].rstrip() == "below"
    assert seen.cursor == (1, 5)
    seen = screen(text({0: "first"}), crtc(r0C=0x3F, r0D=0xB0))  # 80 before the end
    assert seen.lines[1].rstrip() == "first"


def test_the_cursor_is_none_when_it_is_off_or_out_of_sight() -> None:
    blank = text({})
    assert screen(blank, crtc(r0A=0x2D)).cursor is None
    assert screen(blank, crtc(r0A=0x0F, r0B=0x0E)).cursor is None
    assert screen(blank, crtc(r0E=0x07, r0F=0xD0)).cursor is None  # row 25
    assert screen(blank, crtc(r0E=0x07, r0F=0xCF)).cursor == (24, 79)
    assert screen(blank, crtc(r0D=1)).cursor is None


def test_rows_and_columns_are_as_the_crtc_says() -> None:
    seen = screen(text({49: "bottom"}, 40), crtc(r01=39, r09=0x07, r13=20))
    assert (len(seen.lines), len(seen.lines[0])) == (50, 40)
    assert seen.lines[49].rstrip() == "bottom"


def test_no_character_is_a_control_character() -> None:
    memory = b"".join(bytes((code, 7)) for code in range(256))
    seen = screen(memory, crtc(r01=255))
    assert seen.lines[0].isprintable()
    assert seen.lines[0][1:4] + seen.lines[0][127] == "☺☻♥⌂"
    assert seen.lines[0][0x20:0x7F] == bytes(range(0x20, 0x7F)).decode()
    assert (seen.lines[0][0xDB], seen.lines[0][0xFF]) == ("█", " ")


@given(st.binary(min_size=25, max_size=25), st.binary(max_size=64))
def test_whatever_the_crtc_holds_there_is_a_screen(cells: bytes, memory: bytes) -> None:
    seen = screen(memory, cells)
    assert 1 <= len(seen.lines) <= 1024
    assert {len(line) for line in seen.lines} == {cells[1] + 1}
    if seen.cursor is not None:
        row, column = seen.cursor
        assert row < len(seen.lines)
        assert column <= cells[1]


def test_it_is_saved_and_put_back_in_the_middle_of_its_work() -> None:
    check_device(vga.device)
