"""Message signalled interrupts, bit by bit from the SDM's figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.devices.device import InterruptMessage
from lapis_engine.devices.msi import decode, decode_entry

BASE = 0xFEE0_0000


def message(address: int, data: int, *, needs_hint: bool = False) -> InterruptMessage:
    decoded = decode(address, data, needs_hint=needs_hint)
    assert isinstance(decoded, InterruptMessage)
    return decoded


def entry(low: int, high: int, data: int, control: int) -> bytes:
    return b"".join(x.to_bytes(4, "little") for x in (low, high, data, control))


def test_the_plainest_message_is_a_physical_fixed_edge() -> None:
    assert message(0xFEE0_3000, 0x41) == InterruptMessage(
        "msi", 3, False, "fixed", 0x41, False
    )


def test_the_plainest_logical_message_needs_no_hint() -> None:
    logical = InterruptMessage("msi", 0xFF, True, "fixed", 0xFF, False)
    assert decode(0xFEEF_F004, 0xFF) == logical
    by_entry = decode_entry(entry(0xFEEF_F004, 0, 0xFF, 0), source="msi")
    assert by_entry == logical


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


def test_an_msi_x_entry_is_address_upper_address_data_control() -> None:
    assert decode_entry(entry(0xFEE0_500C, 0, 0x0171, 0)) == InterruptMessage(
        "msi-x", 5, True, "lowest", 0x71, False
    )


def test_an_msi_x_entry_obeys_the_hint_rule() -> None:
    decoded = decode_entry(
        entry(0xFEE0_5004, 0, 0x71, 0), needs_hint=True, source="nvme"
    )
    assert decoded == InterruptMessage("nvme", 5, False, "fixed", 0x71, False)


def test_a_masked_msi_x_entry_sends_nothing() -> None:
    assert decode_entry(entry(0xFEE0_5000, 1, 0x71, 1)) == (
        "the MSI-X table entry is masked (vector control bit 0)"
    )


def test_the_other_bits_of_vector_control_mean_nothing() -> None:
    masked_not = entry(0xFEE0_5000, 0, 0x71, 0xFFFF_FFFE)
    assert isinstance(decode_entry(masked_not), InterruptMessage)


def test_an_msi_x_entry_with_an_upper_address_sends_nothing() -> None:
    assert decode_entry(entry(0xFEE0_5000, 0x2, 0x71, 0)) == (
        "the MSI-X table entry has upper address 0x2, which must be 0"
    )


def test_what_holds_for_a_message_holds_for_an_entry() -> None:
    assert decode_entry(entry(0xFEC0_0000, 0, 0x71, 0)) == decode(0xFEC0_0000, 0x71)
    assert decode_entry(entry(BASE, 0, 0x8071, 0)) == decode(BASE, 0x8071)


@pytest.mark.parametrize("size", [0, 15, 17])
def test_an_entry_of_another_size_is_none(size: int) -> None:
    assert decode_entry(bytes(size)) == (
        f"an MSI-X table entry has 16 bytes, not {size}"
    )
