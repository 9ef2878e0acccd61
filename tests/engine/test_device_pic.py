"""The 8259A pair against its datasheet, set up as a PC's firmware does."""

from __future__ import annotations

import pytest

from lapis_engine.devices import pic
from lapis_engine.devices.device import Device, ExtIntChanged, Refused, Signals
from lapis_engine.devices.pic.priority import acknowledge, peek, pending, set_line
from lapis_engine.events import Oddity

RAISED, LOWERED = (ExtIntChanged(asserted=True),), (ExtIntChanged(asserted=False),)


def read(device: Device, port: int, now: int = 0) -> int:
    return device.access.read(device.state, port, 1, now)


def write(device: Device, port: int, value: int) -> Signals:
    return device.access.write(device.state, port, 1, value, 0)


def ready(icw4: int = 0x01) -> Device:
    """Vectors 0x08 and 0x70, nothing masked."""
    device = pic.device()
    for port, base, wiring in ((0x20, 0x08, 0x04), (0xA0, 0x70, 0x02)):
        write(device, port, 0x11)
        for word in (base, wiring, icw4, 0x00):
            write(device, port + 1, word)
    return device


def line(device: Device, irq: int, *, asserted: bool = True) -> Signals:
    return set_line(device.state, irq, asserted)


def pulse(device: Device, irq: int) -> Signals:
    return line(device, irq) + line(device, irq, asserted=False)


def test_an_uninitialised_pair_asks_for_nothing() -> None:
    device = pic.device()
    assert pulse(device, 0) == ()
    assert not pending(device.state)
    assert peek(device.state) is None


def test_an_edge_is_kept_until_it_is_acknowledged() -> None:
    device = ready()
    assert pulse(device, 0) == RAISED
    assert read(device, 0x20) == 0x01
    assert peek(device.state) == 0x08
    assert acknowledge(device.state) == 0x08
    assert not pending(device.state)
    write(device, 0x20, 0x0B)
    assert read(device, 0x20) == 0x01
    assert write(device, 0x20, 0x20) == ()
    assert read(device, 0x20) == 0x00


def test_a_line_that_stays_high_is_one_edge() -> None:
    device = ready()
    line(device, 3)
    assert acknowledge(device.state) == 0x0B
    assert write(device, 0x20, 0x20) == ()
    line(device, 3, asserted=False)
    assert line(device, 3) == RAISED


def test_a_line_of_two_sources_needs_two_to_let_go() -> None:
    device = ready()
    assert line(device, 3) == RAISED
    assert line(device, 3) == ()
    assert acknowledge(device.state) == 0x0B
    assert write(device, 0x20, 0x20) == ()
    line(device, 3, asserted=False)
    assert line(device, 3) == ()  # one source held it: no edge
    line(device, 3, asserted=False)
    line(device, 3, asserted=False)
    assert line(device, 3) == RAISED


def test_a_level_falls_with_its_last_source() -> None:
    device = ready()
    write(device, 0x4D0, 0x20)
    assert line(device, 5) == RAISED
    assert line(device, 5) == ()
    assert line(device, 5, asserted=False) == ()
    assert line(device, 5, asserted=False) == LOWERED


@pytest.mark.parametrize("irq", [0, 7, 8, 15])
def test_a_count_below_0_is_odd_and_stays_0(irq: int) -> None:
    device = ready()
    assert line(device, irq, asserted=False) == (
        Oddity(
            -1,
            "line saturated low",
            f"ISA line {irq} is de-asserted, and nothing asserts it (ERANGE)",
        ),
    )
    assert line(device, irq) == RAISED


def test_a_count_of_32_bits_saturates() -> None:
    device = ready()
    device.state.slave.lines = 0x08
    device.state.slave.counts = (0, 0, 0, 0xFFFF_FFFE, 0, 0, 0, 0)
    assert line(device, 11) == ()
    assert line(device, 11) == (
        Oddity(
            -1,
            "line saturated high",
            "ISA line 11 is asserted 4294967295 times already (E2BIG)",
        ),
    )
    assert device.state.slave.counts == (0, 0, 0, 0xFFFF_FFFF, 0, 0, 0, 0)


def test_the_slaves_vector_is_its_own_and_both_are_in_service() -> None:
    device = ready()
    assert pulse(device, 12) == RAISED
    assert read(device, 0x20) == 0x04
    assert peek(device.state) == 0x74
    assert acknowledge(device.state) == 0x74
    for port, isr in ((0x20, 0x04), (0xA0, 0x10)):
        write(device, port, 0x0B)
        assert read(device, port) == isr


def test_the_irr_shows_the_cascade_beside_the_masters_own_inputs() -> None:
    device = ready()
    pulse(device, 12)
    pulse(device, 0)
    assert read(device, 0x20) == 0x05
    assert read(device, 0xA0) == 0x10
    assert acknowledge(device.state) == 0x08


def test_a_lower_input_waits_for_eoi_and_a_higher_one_does_not() -> None:
    device = ready()
    pulse(device, 3)
    assert acknowledge(device.state) == 0x0B
    assert pulse(device, 4) == ()
    assert pulse(device, 1) == RAISED
    assert acknowledge(device.state) == 0x09
    assert write(device, 0x20, 0x20) == ()  # ends input 1
    assert write(device, 0x20, 0x20) == RAISED  # ends input 3
    assert acknowledge(device.state) == 0x0C


def test_the_same_input_waits_for_its_own_eoi() -> None:
    device = ready()
    pulse(device, 3)
    acknowledge(device.state)
    assert pulse(device, 3) == ()
    assert write(device, 0x20, 0x20) == RAISED


def test_the_mask_holds_a_request_back_and_does_not_lose_it() -> None:
    device = ready()
    write(device, 0x21, 0x10)
    assert pulse(device, 4) == ()
    assert read(device, 0x21) == 0x10
    assert write(device, 0x21, 0x00) == RAISED
    assert write(device, 0x21, 0x10) == LOWERED


def test_a_specific_eoi_ends_the_input_it_names() -> None:
    device = ready()
    pulse(device, 3)
    acknowledge(device.state)
    pulse(device, 1)
    acknowledge(device.state)
    write(device, 0x20, 0x63)
    write(device, 0x20, 0x0B)
    assert read(device, 0x20) == 0x02


def test_a_level_that_falls_before_inta_gives_the_spurious_vector() -> None:
    device = ready()
    write(device, 0x4D0, 0xFF)
    assert read(device, 0x4D0) == 0xF8
    assert line(device, 5) == RAISED
    assert line(device, 5, asserted=False) == LOWERED
    assert acknowledge(device.state) == 0x0F
    write(device, 0x20, 0x0B)
    assert read(device, 0x20) == 0x00


def test_a_level_that_stays_high_asks_again_after_eoi() -> None:
    device = ready()
    write(device, 0x4D1, 0xFF)
    assert read(device, 0x4D1) == 0xDE
    assert line(device, 10) == RAISED
    assert acknowledge(device.state) == 0x72
    assert write(device, 0xA0, 0x20) == ()
    assert write(device, 0x20, 0x20) == RAISED
    assert acknowledge(device.state) == 0x72


def test_icw1_ltim_makes_every_input_level_triggered() -> None:
    device = pic.device()
    for port, value in ((0x20, 0x19), (0x21, 0x08), (0x21, 4), (0x21, 1)):
        write(device, port, value)
    assert line(device, 0) == RAISED
    assert line(device, 0, asserted=False) == LOWERED


def test_automatic_eoi_leaves_nothing_in_service() -> None:
    device = ready(icw4=0x03)
    pulse(device, 6)
    pulse(device, 7)
    assert acknowledge(device.state) == 0x0E
    assert device.state.intr
    assert acknowledge(device.state) == 0x0F
    write(device, 0x20, 0x0B)
    assert read(device, 0x20) == 0x00


def test_rotation_on_automatic_eoi() -> None:
    device = ready(icw4=0x03)
    write(device, 0x20, 0x80)
    pulse(device, 0)
    assert acknowledge(device.state) == 0x08
    pulse(device, 0)
    pulse(device, 7)
    assert acknowledge(device.state) == 0x0F


def test_rotate_on_eoi_makes_the_ended_input_the_lowest() -> None:
    device = ready()
    pulse(device, 4)
    acknowledge(device.state)
    write(device, 0x20, 0xA0)
    pulse(device, 4)
    pulse(device, 5)
    assert acknowledge(device.state) == 0x0D


def test_set_priority_names_the_lowest_input() -> None:
    device = ready()
    write(device, 0x20, 0xC5)
    pulse(device, 0)
    pulse(device, 6)
    pulse(device, 5)
    assert acknowledge(device.state) == 0x0E


def test_special_mask_mode_lets_lower_inputs_in_past_a_masked_one() -> None:
    device = ready()
    pulse(device, 3)
    acknowledge(device.state)
    pulse(device, 6)
    assert not pending(device.state)
    write(device, 0x21, 0x08)
    assert not pending(device.state)
    assert write(device, 0x20, 0x68) == RAISED
    assert acknowledge(device.state) == 0x0E
    write(device, 0x20, 0x20)  # cannot end the masked input 3
    write(device, 0x20, 0x0B)
    assert read(device, 0x20) == 0x08


def test_special_fully_nested_mode_lets_the_slave_interrupt_itself() -> None:
    device = ready(icw4=0x11)
    pulse(device, 12)
    assert acknowledge(device.state) == 0x74
    assert pulse(device, 8) == RAISED
    assert acknowledge(device.state) == 0x70


def test_without_it_the_master_blocks_its_slave() -> None:
    device = ready()
    pulse(device, 12)
    acknowledge(device.state)
    assert pulse(device, 8) == ()


def test_a_poll_acknowledges_and_intr_follows() -> None:
    device = ready()
    pulse(device, 3)
    write(device, 0x20, 0x0C)
    assert read(device, 0x20, now=50) == 0x83
    assert device.timer is not None
    assert device.timer.deadline(device.state) == 51
    assert device.timer.advance(device.state, 50) == ()
    assert device.timer.advance(device.state, 51) == LOWERED
    assert read(device, 0x20) == 0x00  # IRR: polled once only
    write(device, 0x20, 0x0C)
    assert read(device, 0x20) == 0x00


def test_icw1_forgets_masks_edges_and_service() -> None:
    device = ready()
    pulse(device, 3)
    acknowledge(device.state)
    line(device, 4)
    write(device, 0x21, 0xFF)
    for port, value in ((0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1)):
        write(device, port, value)
    assert read(device, 0x21) == 0x00
    assert read(device, 0x20) == 0x00
    assert line(device, 4) == ()  # still high: no new edge
    assert pulse(device, 3) == RAISED
    assert peek(device.state) == 0x23


def test_icw1_without_icw4_and_single_needs_one_word_more() -> None:
    device = pic.device()
    write(device, 0x20, 0x12)
    assert pulse(device, 1) == ()
    write(device, 0x21, 0x47)
    write(device, 0x21, 0xFE)
    assert read(device, 0x21) == 0xFE
    assert device.state.master.base == 0x40


def test_irq_2_is_the_cascade() -> None:
    device = ready()
    assert pulse(device, 2) == ()
    assert device.state.master.lines == 0
    assert device.state.master.counts == (0,) * 8


# Spurious vectors (8259A "Interrupt Sequence"; bhyve `vatpic_pending_intr`).


def test_nothing_to_acknowledge_is_the_masters_spurious_vector() -> None:
    device = ready()
    pulse(device, 3)
    write(device, 0x21, 0xFF)
    assert peek(device.state) is None
    assert acknowledge(device.state) == 0x0F
    write(device, 0x20, 0x0B)
    assert read(device, 0x20) == 0x00


@pytest.mark.parametrize("how", ["masked", "level fell", "slave initialised"])
def test_a_slave_whose_request_has_gone_gives_its_own_spurious_vector(how: str) -> None:
    device = ready()
    write(device, 0x4D1, 0x04)
    assert line(device, 10) == RAISED
    if how == "masked":
        assert write(device, 0xA1, 0xFF) == ()
    elif how == "level fell":
        assert line(device, 10, asserted=False) == ()
    else:
        assert write(device, 0xA0, 0x11) == ()
    assert peek(device.state) == 0x77
    assert acknowledge(device.state) == 0x77
    for port, isr in ((0x20, 0x04), (0xA0, 0x00)):
        write(device, port, 0x0B)
        assert read(device, port) == isr
    assert not pending(device.state)
    assert write(device, 0x20, 0x20) == ()


def test_a_slave_accepts_with_input_2_of_the_master_and_its_edge_is_used_up() -> None:
    device = ready()
    pulse(device, 12)
    assert acknowledge(device.state) == 0x74
    assert read(device, 0x20) == 0x00
    assert write(device, 0xA0, 0x20) == ()
    assert write(device, 0x20, 0x20) == ()
    assert pulse(device, 12) == RAISED


def test_the_slave_asks_anew_for_what_waits_behind_its_eoi() -> None:
    device = ready()
    pulse(device, 10)
    pulse(device, 12)
    assert acknowledge(device.state) == 0x72
    assert write(device, 0x20, 0x20) == ()  # the slave itself still blocks
    assert write(device, 0xA0, 0x20) == RAISED
    assert acknowledge(device.state) == 0x74


def test_a_higher_slave_input_waits_for_the_masters_eoi_only() -> None:
    device = ready()
    pulse(device, 12)
    assert acknowledge(device.state) == 0x74
    assert pulse(device, 9) == ()
    assert read(device, 0x20) == 0x04  # the IRR has the new edge
    assert write(device, 0x20, 0x20) == RAISED
    assert acknowledge(device.state) == 0x71


def test_automatic_eoi_of_both_chips_lets_the_next_slave_request_through() -> None:
    device = ready(icw4=0x03)
    pulse(device, 10)
    pulse(device, 12)
    assert acknowledge(device.state) == 0x72
    assert device.state.intr
    assert acknowledge(device.state) == 0x74
    assert not device.state.intr


def test_a_polled_slave_leaves_its_edge_on_the_master() -> None:
    device = ready()
    pulse(device, 12)
    write(device, 0xA0, 0x0C)
    assert read(device, 0xA0) == 0x84
    assert acknowledge(device.state) == 0x77


def test_a_poll_of_the_master_accepts_input_2_alone() -> None:
    device = ready()
    pulse(device, 12)
    write(device, 0x20, 0x0C)
    assert read(device, 0x20) == 0x82
    write(device, 0xA0, 0x0C)
    assert read(device, 0xA0) == 0x84


def test_looking_is_not_acknowledging() -> None:
    device = ready()
    pulse(device, 12)
    before = repr(device.state)
    assert (peek(device.state), pending(device.state)) == (0x74, True)
    assert repr(device.state) == before


@pytest.mark.parametrize(
    ("port", "writable"), [(0x4D0, 0b1111_1000), (0x4D1, 0b1101_1110)]
)
def test_irqs_0_1_2_8_and_13_are_never_levels(port: int, writable: int) -> None:
    device = ready()
    for value in range(256):
        write(device, port, value)
        assert read(device, port) == value & writable


# Modes that bhyve refuses.


def checked() -> Device:
    device = pic.device(modes_checked=True)
    for port, base, wiring in ((0x20, 0x08, 0x04), (0xA0, 0x70, 0x02)):
        assert write(device, port, 0x11) == ()
        for word in (base, wiring, 0x01, 0x00):
            assert write(device, port + 1, word) == ()
    return device


def refused(device: Device, port: int, value: int, size: int = 1) -> str:
    """The reason, once it is certain that nothing has changed."""
    before = repr(device.state)
    (signal,) = device.access.write(device.state, port, size, value, 0)
    assert isinstance(signal, Refused)
    assert repr(device.state) == before
    return signal.why


@pytest.mark.parametrize("port", [0x20, 0xA0])
@pytest.mark.parametrize(
    ("icw1", "why"),
    [
        (0x13, "the 8259 is one of a pair, and ICW1 0x13 asks for a single one"),
        (0x12, "the 8259 is one of a pair, and ICW1 0x12 asks for a single one"),
        (0x10, "the 8259 needs ICW4, and ICW1 0x10 has none follow"),
        (0x18, "the 8259 needs ICW4, and ICW1 0x18 has none follow"),
    ],
)
def test_icw1_of_a_single_chip_or_without_icw4_is_refused(
    port: int, icw1: int, why: str
) -> None:
    device = checked()
    pulse(device, 3)
    assert refused(device, port, icw1) == why
    assert acknowledge(device.state) == 0x0B


@pytest.mark.parametrize("port", [0x20, 0xA0])
def test_icw4_of_mcs_80_is_refused_and_expected_still(port: int) -> None:
    device = checked()
    for at, value in ((port, 0x11), (port + 1, 0x40), (port + 1, 0x04)):
        assert write(device, at, value) == ()
    assert refused(device, port + 1, 0x02) == (
        "the 8259 knows 8086 mode only, and ICW4 0x02 says MCS-80"
    )
    assert write(device, port + 1, 0x01) == ()
    assert write(device, port + 1, 0xFE) == ()
    assert read(device, port + 1) == 0xFE


def test_other_words_are_not_taken_for_icws() -> None:
    device = checked()
    assert write(device, 0x21, 0xFE) == ()  # OCW1 with bit 0 clear
    for value in (0x20, 0x62, 0x80, 0x08, 0x0A, 0x68):  # OCW2 and OCW3
        assert write(device, 0x20, value) == ()
    assert write(device, 0x4D0, 0x10) == ()  # ICW1 has no meaning here
    assert read(device, 0x4D0) == 0x10


@pytest.mark.parametrize("port", [0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1])
@pytest.mark.parametrize("size", [2, 4])
def test_more_than_a_byte_is_refused(port: int, size: int) -> None:
    device = checked()
    pulse(device, 3)
    write(device, 0x20, 0x0C)
    assert refused(device, port, 0x11, size) == (
        f"the 8259 takes one byte at a time, not {size}"
    )
    assert device.access.read(device.state, port, size, 0) == -1
    assert read(device, 0x20) == 0x83  # the poll was not used up


def test_without_the_check_all_of_it_is_taken() -> None:
    device = ready()
    for icw1 in (0x13, 0x12, 0x10, 0x11):
        assert write(device, 0x20, icw1) == ()
    for word in (0x40, 0x04, 0x00, 0xFE):
        assert write(device, 0x21, word) == ()
    assert read(device, 0x21) == 0xFE
    assert device.access.read(device.state, 0x20, 2, 0) == 0xFE00


# A line that falls before INTA (8259A "Edge and Level Triggered Modes").


def forgetful() -> Device:
    device = ready()
    device.state.keeps_edges = False
    return device


@pytest.mark.parametrize("level", [0x00, 0xFF])
@pytest.mark.parametrize(("irq", "vector", "isr"), [(3, 0x0F, 0), (10, 0x77, 0x04)])
def test_a_request_that_has_gone_gives_the_spurious_vector(
    irq: int, vector: int, isr: int, level: int
) -> None:
    """IR7 of its chip, with INT up until INTA and none of that chip in service."""
    device = forgetful()
    write(device, 0x4D0 + (irq >= 8), level)
    assert pulse(device, irq) == RAISED
    assert peek(device.state) == vector
    assert acknowledge(device.state) == vector
    assert not pending(device.state)
    for port, wanted in ((0x20, isr), (0xA0, 0x00)):
        write(device, port, 0x0B)
        assert read(device, port) == wanted


def test_a_line_that_stays_is_served_and_one_that_went_is_forgotten() -> None:
    device = forgetful()
    line(device, 5)
    pulse(device, 3)
    assert peek(device.state) == 0x0D
    assert acknowledge(device.state) == 0x0D
    assert not pending(device.state)
    write(device, 0x20, 0x20)
    assert not pending(device.state)


def test_a_new_request_takes_the_place_of_one_that_has_gone() -> None:
    """INT falls and rises, for who waits for its edge."""
    device = forgetful()
    pulse(device, 3)
    assert line(device, 5) == LOWERED + RAISED
    assert acknowledge(device.state) == 0x0D


def test_a_masked_request_that_goes_leaves_nothing() -> None:
    device = forgetful()
    write(device, 0x21, 0x08)
    assert pulse(device, 3) == ()
    assert write(device, 0x21, 0x00) == ()
    assert not pending(device.state)


def test_icw1_ends_what_has_gone() -> None:
    device = forgetful()
    pulse(device, 3)
    assert write(device, 0x20, 0x11) == LOWERED
