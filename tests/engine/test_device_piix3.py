"""The ISA bridge against Intel 82371FB/82371SB, "PIRQRC[A:D]" and "RC"."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapis_engine.devices import piix3
from lapis_engine.devices.device import (
    Device,
    IntxChanged,
    LineChanged,
    ResetRequested,
    Signals,
)
from lapis_engine.devices.piix3 import routing
from lapis_engine.events import Oddity
from lapis_plugins.testing import check_device

PIRQA = 0x60
LINES = (3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15)


def read(device: Device, register: int, size: int = 4) -> int:
    assert device.function is not None
    return device.function.config.read(device.state, register, size, 0)


def write(device: Device, register: int, value: int, size: int = 4) -> Signals:
    assert device.function is not None
    return device.function.config.write(device.state, register, size, value, 0)


def pin(device: Device, slot: int, number: int, *, asserted: bool) -> Signals:
    assert device.route is not None
    return device.route(device.state, IntxChanged(slot, number, asserted=asserted))


def up(irq: int) -> LineChanged:
    return LineChanged(irq, asserted=True)


def down(irq: int) -> LineChanged:
    return LineChanged(irq, asserted=False)


def test_it_is_a_piix3_at_1_0_with_other_functions() -> None:
    device = piix3.device()
    assert device.function is not None
    assert device.role == "pirq"
    assert (device.function.slot, device.function.number) == (1, 0)
    assert read(device, 0x00) == 0x7000_8086
    assert read(device, 0x04) == 0x0200_0007
    assert read(device, 0x08) == 0x0601_0000
    assert read(device, 0x0E, 1) == 0x80
    assert read(device, 0x2C) == 0x1100_1AF4
    assert read(device, PIRQA) == 0x8080_8080
    assert read(device, 0x4C) == 0x0003_004D
    assert read(device, 0x68) == 0x0000_0200
    assert read(device, 0xA8, 1) == 0x0F


def test_of_the_routes_the_line_and_the_switch_can_be_written() -> None:
    device = piix3.device()
    write(device, PIRQA, 0xFFFF_FFFF)
    assert read(device, PIRQA) == 0x8F8F_8F8F
    write(device, PIRQA, 0x7574_7370)
    assert read(device, PIRQA) == 0x0504_0300


@pytest.mark.parametrize(
    ("slot", "number", "pirq"),
    [(1, 1, 0), (1, 4, 3), (2, 1, 1), (3, 1, 2), (4, 1, 3), (5, 1, 0), (3, 3, 0),
     (4, 4, 2), (0, 1, 3), (31, 1, 2)],
)  # fmt: skip
def test_each_slot_is_one_pirq_further_on(slot: int, number: int, pirq: int) -> None:
    assert routing.pirq(slot, number) == pirq
    device = piix3.device()
    write(device, PIRQA + pirq, 11, 1)
    assert pin(device, slot, number, asserted=True) == (up(11),)
    assert pin(device, slot, number, asserted=False) == (down(11),)


def test_what_is_not_routed_moves_no_line() -> None:
    device = piix3.device()
    assert pin(device, 3, 1, asserted=True) == ()
    assert write(device, PIRQA + 2, 10, 1) == (up(10),)
    assert write(device, PIRQA + 2, 0x8A, 1) == (down(10),)
    assert write(device, PIRQA + 2, 5, 1) == (up(5),)
    assert write(device, PIRQA + 2, 9, 1) == (down(5), up(9))
    assert pin(device, 3, 1, asserted=False) == (down(9),)


@pytest.mark.parametrize("irq", [0, 1, 2, 8, 13])
def test_reserved_lines_are_none(irq: int) -> None:
    device = piix3.device()
    write(device, PIRQA, irq, 1)
    assert pin(device, 1, 1, asserted=True) == ()


def test_a_pirq_is_up_as_long_as_one_pin_is() -> None:
    device = piix3.device()
    write(device, PIRQA, 11, 1)
    assert pin(device, 1, 1, asserted=True) == (up(11),)
    assert pin(device, 5, 1, asserted=True) == ()
    assert pin(device, 1, 1, asserted=False) == ()
    assert pin(device, 5, 1, asserted=False) == (down(11),)


def test_two_pirqs_on_one_line_hold_it_up_each() -> None:
    device = piix3.device()
    write(device, PIRQA, 0x0B0B_0B0B)
    assert pin(device, 1, 1, asserted=True) == (up(11),)
    assert pin(device, 1, 2, asserted=True) == (up(11),)
    assert pin(device, 1, 1, asserted=False) == (down(11),)


def test_a_pin_that_was_not_up_is_an_oddity() -> None:
    device = piix3.device()
    (odd,) = pin(device, 1, 2, asserted=False)
    assert isinstance(odd, Oddity)
    assert "PIRQB#" in odd.text
    assert device.state.asserted == (0, 0, 0, 0)


def test_lines_are_none_of_its_business() -> None:
    device = piix3.device()
    assert device.route is not None
    assert device.route(device.state, up(0)) == ()


MOVES = st.one_of(
    st.tuples(st.just("route"), st.integers(0, 3), st.integers(0, 255)),
    st.tuples(st.just("pin"), st.integers(0, 31), st.integers(1, 4)),
)


@given(st.lists(MOVES, max_size=60))
@settings(deadline=None)
def test_lines_are_up_as_a_walk_over_all_pins_finds(
    moves: list[tuple[str, int, int]],
) -> None:
    device = piix3.device()
    pins: set[tuple[int, int]] = set()
    routes = [0x80] * 4
    lines = dict.fromkeys(range(16), 0)
    for what, first, second in moves:
        if what == "route":
            routes[first] = second & 0x8F
            signals = write(device, PIRQA + first, second, 1)
        else:
            pins ^= {(first, second)}
            signals = pin(device, first, second, asserted=(first, second) in pins)
        for each in signals:
            assert isinstance(each, LineChanged)
            lines[each.irq] += 1 if each.asserted else -1
        for irq, sources in lines.items():
            led = {n for n in range(4) if routes[n] == irq and irq in LINES}
            assert sources == len(led & {(slot + p - 2) % 4 for slot, p in pins})


def test_the_reset_port_resets_on_bit_2_and_remembers_bit_1() -> None:
    device = piix3.device()
    access, state = device.access, device.state
    assert [(where.first, where.size) for where in device.ports] == [(0xCF9, 1)]
    assert access.read(state, 0xCF9, 1, 0) == 0
    assert access.write(state, 0xCF9, 1, 0xFB, 0) == ()
    assert access.read(state, 0xCF9, 1, 0) == 0x02
    (signal,) = access.write(state, 0xCF9, 1, 0x06, 0)
    assert isinstance(signal, ResetRequested)
    assert "0xcf9 = 0x06, hard" in signal.why
    (signal,) = access.write(state, 0xCF9, 1, 0x04, 0)
    assert isinstance(signal, ResetRequested)
    assert "soft" in signal.why
    assert access.write(state, 0xCF9, 2, 0xFFFF, 0) == ()
    assert access.read(state, 0xCF9, 2, 0) == 0xFFFF


def test_it_can_be_saved_and_put_back() -> None:
    check_device(lambda: replace(piix3.device(), role=None))  # which is for ours alone
    device = piix3.device()
    write(device, PIRQA, 11, 1)
    pin(device, 1, 1, asserted=True)
    other = piix3.device()
    other.state = replace(device.state)
    assert pin(other, 1, 1, asserted=False) == (down(11),)
    assert device.state.asserted == (1, 0, 0, 0)
