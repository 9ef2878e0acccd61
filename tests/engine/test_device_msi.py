"""Message signalled interrupts, bit by bit from the SDM's figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.devices.device import InterruptMessage
from lapis_engine.devices.msi import decode

BASE = 0xFEE0_0000


def message(address: int, data: int, *, needs_hint: bool = False) -> InterruptMessage:
    decoded = decode(address, data, needs_hint=needs_hint)
    assert isinstance(decoded, InterruptMessage)
    return decoded


def test_the_plainest_message_is_a_physical_fixed_edge() -> None:
    assert message(0xFEE0_3000, 0x41) == InterruptMessage(
        "msi", 3, False, "fixed", 0x41, False
    )


def test_the_plainest_logical_message_needs_no_hint() -> None:
    logical = InterruptMessage("msi", 0xFF, True, "fixed", 0xFF, False)
    assert decode(0xFEEF_F004, 0xFF) == logical


def test_the_source_can_be_named() -> None:
    decoded = decode(BASE, 0x41, source="user")
    assert isinstance(decoded, InterruptMessage)
    assert decoded.source == "user"


@pytest.mark.parametrize(
    ("address", "destination"),
    [(0xFEE0_0000, 0x00), (0xFEE0_1000, 0x01), (0xFEEF_F000, 0xFF),
     (0xFEE8_0000, 0x80), (0xFEE0_0FF3, 0x00)],
)  # fmt: skip
def test_the_destination_is_bits_19_to_12(address: int, destination: int) -> None:
    assert message(address, 0x41).destination == destination


@pytest.mark.parametrize(
    "address",
    [0, 0xFED0_0000, 0xFEF0_0000, 0xFEDF_FFFF, 0x1_FEE0_0000, 0xFEE0_0000_0000, 0xFEE],
)
def test_an_address_outside_the_window_is_no_message(address: int) -> None:
    why = decode(address, 0x41)
    assert why == (f"{address:#x} is not an address of messages: they are 0xfeexxxxx")


@pytest.mark.parametrize(
    ("low_bits", "by_mode", "by_both"),
    [(0b0000, False, False), (0b0100, True, False), (0b1000, False, False),
     (0b1100, True, True)],
)  # fmt: skip
def test_logical_is_bit_2_and_for_some_bit_3_as_well(
    low_bits: int, by_mode: bool, by_both: bool
) -> None:
    assert message(BASE | low_bits, 0x41).logical == by_mode
    assert message(BASE | low_bits, 0x41, needs_hint=True).logical == by_both


@pytest.mark.parametrize(
    ("low_bits", "data", "mode"),
    [(0b1100, 0x0041, "lowest"), (0b1100, 0xC041, "lowest"), (0b0100, 0x0041, "fixed"),
     (0b1000, 0x0041, "fixed"), (0b1100, 0x0141, "lowest"), (0b0100, 0x0141, "lowest"),
     (0b1100, 0x0400, "nmi")],
)  # fmt: skip
def test_the_hint_redirects_a_fixed_message_to_a_logical_destination(
    low_bits: int, data: int, mode: str
) -> None:
    assert decode(BASE | low_bits, data, redirects=True).mode == mode  # type: ignore[union-attr]
    assert message(BASE | low_bits, 0x41).mode == "fixed"


@pytest.mark.parametrize(
    ("encoding", "mode", "level"),
    [(0, "fixed", True), (1, "lowest", True), (2, "smi", False), (3, "reserved", False),
     (4, "nmi", False), (5, "init", False), (6, "reserved", False),
     (7, "extint", False)],
)  # fmt: skip
def test_delivery_modes_and_which_can_be_levels(
    encoding: int, mode: str, level: bool
) -> None:
    edge = message(BASE, encoding << 8 | 0x52)
    assert (edge.mode, edge.vector, edge.level) == (mode, 0x52, False)
    asserted = message(BASE, 0xC000 | encoding << 8 | 0x52)
    assert (asserted.mode, asserted.vector, asserted.level) == (mode, 0x52, level)


def test_the_level_bit_of_an_edge_means_nothing() -> None:
    assert message(BASE, 0x4041) == message(BASE, 0x0041)


@pytest.mark.parametrize("data", [0x8041, 0x8141, 0x8500])
def test_a_level_de_assert_is_dropped(data: int) -> None:
    assert decode(BASE, data) == (
        f"data {data:#x} is a level de-assert, which no APIC takes"
    )


@given(
    st.integers(0, 0xF_FFFF),
    st.integers(0, 0x7FF),
    st.integers(0, 0xFFFF),
    st.booleans(),
)
def test_reserved_bits_of_the_data_mean_nothing(
    low: int, data: int, upper: int, needs_hint: bool
) -> None:
    noisy = data | upper << 16 | 0b111 << 11
    assert message(BASE | low, data, needs_hint=needs_hint) == message(
        BASE | low, noisy, needs_hint=needs_hint
    )
