"""The IOAPIC against the 82093AA's data sheet and bhyve's rules for pins and EOI.

Layout used throughout: index 0x10 + 2n is the low half of pin n's entry, 0x11 + 2n the
high half; bit 15 level, bit 14 remote-IRR, bit 16 mask, bits 63:56 destination.

Mutants of one token, tried against this file: 105 of `ioapic/pins.py`,
`ioapic/access.py`, `ioapic/regs.py` and `wired.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lapis_engine.devices import ioapic
from lapis_engine.devices.device import Device, InterruptMessage, Signals
from lapis_engine.devices.ioapic import pins
from lapis_engine.devices.ioapic.pins import Redirection
from lapis_engine.events import IoapicEnded, Oddity, PinChanged
from lapis_engine.profiles.catalog import FREEBSD, ILLUMOS, SDM

if TYPE_CHECKING:
    from lapis_engine.profiles.switches import Profile

BASE = 0xFEC0_0000
LEVEL, REMOTE_IRR, MASKED = 1 << 15, 1 << 14, 1 << 16


def read(device: Device, offset: int, size: int = 4) -> int:
    return device.access.read(device.state, BASE + offset, size, 0)


def write(device: Device, offset: int, value: int, size: int = 4) -> Signals:
    return device.access.write(device.state, BASE + offset, size, value, 0)


def get(device: Device, index: int) -> int:
    assert write(device, 0x00, index) == ()
    return read(device, 0x10)


def put(device: Device, index: int, value: int) -> Signals:
    assert write(device, 0x00, index) == ()
    return write(device, 0x10, value)


def entry(device: Device, pin: int) -> int:
    return get(device, 0x10 + 2 * pin) | get(device, 0x11 + 2 * pin) << 32


def program(device: Device, pin: int, low: int, destination: int = 0) -> Signals:
    """As a guest does: the high half first, then the half with the mask."""
    high = put(device, 0x11 + 2 * pin, destination << 24)
    return high + put(device, 0x10 + 2 * pin, low)


def drive(device: Device, pin: int, *asserted: bool) -> Signals:
    signals: Signals = ()
    for each in asserted:
        signals += pins.set_pin(device.state, pin, each)
    return signals


def sent(signals: Signals) -> list[InterruptMessage]:
    return [item for item in signals if isinstance(item, InterruptMessage)]


def fixed(pin: int, vector: int, destination: int = 0, *, level: bool) -> Signals:
    source = f"ioapic pin {pin}"
    return (InterruptMessage(source, destination, False, "fixed", vector, level),)


# Registers.


@pytest.mark.parametrize(
    ("profile", "version", "reset"),
    [
        (SDM, 0x0017_0020, 0x0000_0000_0001_0000),
        (ILLUMOS, 0x001F_0011, 0x0001_0000_0001_0000),
        (FREEBSD, 0x001F_0011, 0x0001_0000_0001_0000),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_version_pins_and_reset_entries(
    profile: Profile, version: int, reset: int
) -> None:
    device = ioapic.device(profile)
    assert get(device, 0x01) == version
    last = version >> 16
    assert [entry(device, pin) for pin in range(last + 1)] == [reset] * (last + 1)
    assert get(device, 0x10 + 2 * (last + 1)) == 0
    assert put(device, 0x10 + 2 * (last + 1), 0xFFFF_FFFF) == ()
    assert get(device, 0x10 + 2 * (last + 1)) == 0


def test_it_lies_at_fec00000_and_has_no_ports() -> None:
    device = ioapic.device(SDM)
    assert [(r.first, r.size) for r in device.mmio] == [(0xFEC0_0000, 0x1000)]
    assert (device.name, device.ports, device.timer) == ("ioapic", (), None)


def test_the_id_has_bits_27_to_24_and_the_arbitration_id_follows() -> None:
    device = ioapic.device(SDM)
    assert put(device, 0x00, 0xFFFF_FFFF) == ()
    assert (get(device, 0x00), get(device, 0x02)) == (0x0F00_0000, 0x0F00_0000)
    assert put(device, 0x02, 0) == ()
    assert get(device, 0x02) == 0x0F00_0000


def test_the_version_is_read_only() -> None:
    device = ioapic.device(SDM)
    assert put(device, 0x01, 0) == ()
    assert get(device, 0x01) == 0x0017_0020


def test_the_select_register_has_8_bits_and_reads_back() -> None:
    device = ioapic.device(SDM)
    write(device, 0x00, 0xABCD_EF01)
    assert read(device, 0x00) == 0x01
    assert read(device, 0x10) == 0x0017_0020


@pytest.mark.parametrize("index", [0x03, 0x0F, 0x40, 0xFF])
def test_an_index_without_a_register_reads_0_and_ignores(index: int) -> None:
    device = ioapic.device(SDM)
    assert put(device, index, 0xFFFF_FFFF) == ()
    assert get(device, index) == 0
    assert device.state.pins == ioapic.device(SDM).state.pins


def test_the_last_pin_has_both_halves() -> None:
    device = ioapic.device(ILLUMOS)
    program(device, 31, 0x1_00AB, 0xCD)
    assert get(device, 0x4E) == 0x1_00AB
    assert get(device, 0x4F) == 0xCD00_0000


@pytest.mark.parametrize("size", [1, 2, 8])
def test_only_32_bit_accesses_count(size: int) -> None:
    device = ioapic.device(SDM)
    write(device, 0x00, 0x01)
    assert write(device, 0x00, 0x10, size) == ()
    assert read(device, 0x00) == 0x01
    assert (read(device, 0x00, size), read(device, 0x10, size)) == (0, 0)
    write(device, 0x00, 0x10)
    assert write(device, 0x10, 0x31, size) == ()
    assert read(device, 0x10) == 0x1_0000


@pytest.mark.parametrize("offset", [0x01, 0x04, 0x0C, 0x11, 0x14, 0x20, 0x30, 0x110])
def test_every_other_offset_reads_0_and_ignores(offset: int) -> None:
    device = ioapic.device(SDM)
    write(device, 0x00, 0x10)
    assert write(device, offset, 0x31) == ()
    assert read(device, offset) == 0
    assert (read(device, 0x00), read(device, 0x10)) == (0x10, 0x1_0000)


def test_remote_irr_and_delivery_status_are_read_only() -> None:
    device = ioapic.device(SDM)
    program(device, 3, 0xFFFF_FFFF, 0xFF)
    assert entry(device, 3) == 0xFF00_0000_FFFF_AFFF


def test_halves_are_written_apart() -> None:
    device = ioapic.device(SDM)
    program(device, 3, 0x1_0031, 0x05)
    put(device, 0x16, 0x1_0032)
    assert entry(device, 3) == 0x0500_0000_0001_0032
    put(device, 0x17, 0x0600_0000)
    assert entry(device, 3) == 0x0600_0000_0001_0032


# Messages.


@pytest.mark.parametrize(
    ("encoding", "mode"),
    [(0, "fixed"), (1, "lowest"), (2, "smi"), (3, "reserved"), (4, "nmi"),
     (5, "init"), (6, "reserved"), (7, "extint")],
)  # fmt: skip
@pytest.mark.parametrize("logical", [False, True])
def test_a_message_says_what_the_entry_says(
    encoding: int, mode: str, logical: bool
) -> None:
    device = ioapic.device(SDM)
    low = 0x52 | encoding << 8 | logical << 11
    assert program(device, 9, low, 0xA7) == ()
    assert drive(device, 9, True) == (
        PinChanged(-1, 9, True, 1),
        InterruptMessage("ioapic pin 9", 0xA7, logical, mode, 0x52, False),
    )


@pytest.mark.parametrize(
    ("encoding", "level"),
    [(0, True), (1, True), (2, False), (3, False), (4, False), (5, False), (6, False),
     (7, False)],
)  # fmt: skip
def test_only_fixed_and_lowest_can_be_levels(encoding: int, level: bool) -> None:
    device = ioapic.device(SDM)
    low = LEVEL | encoding << 8 | 0x31
    program(device, 9, low)
    (message,) = sent(drive(device, 9, True))
    assert message.level == level
    assert entry(device, 9) == low | (REMOTE_IRR if level else 0)
    # An edge needs no EOI: the next one is sent.
    assert len(sent(drive(device, 9, False, True))) == (0 if level else 1)


@pytest.mark.parametrize("encoding", [2, 4, 5, 7])
def test_a_held_nmi_pin_is_not_sent_again_by_programming(encoding: int) -> None:
    device = ioapic.device(SDM)
    program(device, 9, MASKED)
    drive(device, 9, True)
    assert program(device, 9, LEVEL | encoding << 8) == ()


def test_an_edge_pin_sends_on_every_rise_and_on_no_fall() -> None:
    device = ioapic.device(SDM)
    program(device, 4, 0x34)
    message = fixed(4, 0x34, level=False)
    assert drive(device, 4, True) == (PinChanged(-1, 4, True, 1), *message)
    assert drive(device, 4, False) == (PinChanged(-1, 4, False, 0),)
    assert drive(device, 4, True) == (PinChanged(-1, 4, True, 1), *message)


def test_the_polarity_is_remembered_and_changes_nothing() -> None:
    device = ioapic.device(SDM)
    assert program(device, 4, 1 << 13 | 0x34) == ()
    assert sent(drive(device, 4, True)) == list(fixed(4, 0x34, level=False))
    assert entry(device, 4) == 1 << 13 | 0x34


def test_an_edge_on_a_masked_pin_is_lost() -> None:
    device = ioapic.device(SDM)
    assert sent(drive(device, 4, True)) == []
    assert program(device, 4, 0x34) == ()
    assert sent(drive(device, 4, False, True)) == list(fixed(4, 0x34, level=False))


def test_a_masked_level_is_sent_when_it_is_unmasked() -> None:
    device = ioapic.device(SDM)
    program(device, 11, MASKED | LEVEL | 0x41)
    assert sent(drive(device, 11, True)) == []
    assert entry(device, 11) == MASKED | LEVEL | 0x41
    assert put(device, 0x26, LEVEL | 0x41) == fixed(11, 0x41, level=True)


def test_a_masked_level_that_fell_is_not() -> None:
    device = ioapic.device(SDM)
    program(device, 11, MASKED | LEVEL | 0x41)
    drive(device, 11, True, False)
    assert put(device, 0x26, LEVEL | 0x41) == ()


# Counting.


def test_a_line_of_two_sources_needs_two_to_let_go() -> None:
    device = ioapic.device(SDM)
    program(device, 4, 0x34)
    assert drive(device, 4, True, True, False) == (
        PinChanged(-1, 4, True, 1),
        *fixed(4, 0x34, level=False),
        PinChanged(-1, 4, True, 2),
        PinChanged(-1, 4, False, 1),
    )
    assert sent(drive(device, 4, True)) == []
    assert sent(drive(device, 4, False, False)) == []
    assert sent(drive(device, 4, True)) == list(fixed(4, 0x34, level=False))


def test_a_count_below_0_is_odd_and_stays_0() -> None:
    device = ioapic.device(SDM)
    (odd,) = drive(device, 4, False)
    assert isinstance(odd, Oddity)
    assert (odd.vcpu, odd.name) == (-1, "line saturated low")
    assert odd.text == ("IOAPIC pin 4 is de-asserted, and nothing asserts it (ERANGE)")
    assert pins.peek(device.state)[4].count == 0


def test_a_count_of_32_bits_saturates() -> None:
    device = ioapic.device(SDM)
    device.state.pins[4].count = 0xFFFF_FFFE
    assert drive(device, 4, True) == (PinChanged(-1, 4, True, 0xFFFF_FFFF),)
    (odd,) = drive(device, 4, True)
    assert isinstance(odd, Oddity)
    assert (odd.vcpu, odd.name) == (-1, "line saturated high")
    assert odd.text == "IOAPIC pin 4 is asserted 4294967295 times already (E2BIG)"
    assert drive(device, 4, False) == (PinChanged(-1, 4, False, 0xFFFF_FFFE),)


@pytest.mark.parametrize("pin", [-1, 24])
def test_a_pin_that_is_not_there_is_the_callers_mistake(pin: int) -> None:
    with pytest.raises(AssertionError, match=str(pin)):
        pins.set_pin(ioapic.device(SDM).state, pin, True)


# Remote-IRR and EOI.


def test_a_level_sets_remote_irr_and_is_not_sent_again_before_eoi() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41, 2)
    message = list(fixed(11, 0x41, 2, level=True))
    assert sent(drive(device, 11, True)) == message
    assert entry(device, 11) == 2 << 56 | LEVEL | REMOTE_IRR | 0x41
    assert sent(drive(device, 11, False, True)) == []
    assert put(device, 0x26, LEVEL | 0x41) == ()
    assert put(device, 0x27, 2 << 24) == ()


def test_eoi_of_a_level_that_is_still_asserted_sends_it_again() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True)
    assert pins.end(device.state, 0x41) == (
        IoapicEnded(-1, 11, 0x41, again=True),
        *fixed(11, 0x41, level=True),
    )
    assert entry(device, 11) == LEVEL | REMOTE_IRR | 0x41


def test_eoi_of_a_level_that_fell_only_ends_it() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True, False)
    assert pins.end(device.state, 0x41) == (IoapicEnded(-1, 11, 0x41, again=False),)
    assert entry(device, 11) == LEVEL | 0x41
    assert pins.end(device.state, 0x41) == ()


def test_eoi_of_a_level_that_was_masked_meanwhile_only_ends_it() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True)
    assert put(device, 0x26, MASKED | LEVEL | 0x41) == ()
    assert entry(device, 11) == MASKED | LEVEL | REMOTE_IRR | 0x41
    assert pins.end(device.state, 0x41) == (IoapicEnded(-1, 11, 0x41, again=False),)
    assert put(device, 0x26, LEVEL | 0x41) == fixed(11, 0x41, level=True)


def test_eoi_reaches_every_pin_with_the_vector_and_no_other() -> None:
    device = ioapic.device(SDM)
    for pin, vector in ((5, 0x41), (7, 0x41), (9, 0x42), (23, 0x41)):
        program(device, pin, LEVEL | vector)
        drive(device, pin, True)
    drive(device, 7, False)
    program(device, 12, 0x41)  # an edge pin waits for no EOI
    drive(device, 12, True)
    assert pins.end(device.state, 0x41) == (
        IoapicEnded(-1, 5, 0x41, again=True),
        *fixed(5, 0x41, level=True),
        IoapicEnded(-1, 7, 0x41, again=False),
        IoapicEnded(-1, 23, 0x41, again=True),
        *fixed(23, 0x41, level=True),
    )
    assert entry(device, 9) == LEVEL | REMOTE_IRR | 0x42


def test_eoi_of_the_vector_before_a_change_is_lost() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True)
    assert put(device, 0x26, LEVEL | 0x43) == ()
    assert pins.end(device.state, 0x41) == ()
    assert entry(device, 11) == LEVEL | REMOTE_IRR | 0x43


def test_a_change_to_edge_and_back_is_an_eoi() -> None:
    device = ioapic.device(ILLUMOS)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True)
    assert put(device, 0x26, MASKED | 0x41) == ()
    assert entry(device, 11) == MASKED | 0x41
    assert put(device, 0x26, LEVEL | 0x41) == fixed(11, 0x41, level=True)


def test_a_change_from_edge_to_level_sends_what_is_asserted() -> None:
    device = ioapic.device(SDM)
    program(device, 11, 0x41)
    drive(device, 11, True)
    assert put(device, 0x26, LEVEL | 0x41) == fixed(11, 0x41, level=True)


def test_a_change_to_nmi_clears_remote_irr() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True)
    assert put(device, 0x26, LEVEL | 4 << 8 | 0x41) == ()
    assert entry(device, 11) == LEVEL | 4 << 8 | 0x41


def test_remote_irr_is_set_whoever_hears_the_message() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41, 0xEE)
    drive(device, 11, True)
    assert entry(device, 11) & REMOTE_IRR


def test_the_eoi_register_ends_a_vector() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True, False)
    assert write(device, 0x40, 0x42) == ()
    assert write(device, 0x40, 0x41, 1) == ()
    assert write(device, 0x40, 0xFFFF_FF41) == (IoapicEnded(-1, 11, 0x41, again=False),)
    assert read(device, 0x40) == 0


def test_a_version_0x11_has_no_eoi_register() -> None:
    device = ioapic.device(ILLUMOS)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True)
    assert write(device, 0x40, 0x41) == ()
    assert entry(device, 11) & REMOTE_IRR


# Looking.


def test_an_entry_is_taken_apart() -> None:
    raw = 0xA700_0000_0001_0000 | LEVEL | REMOTE_IRR | 1 << 13 | 1 << 11 | 1 << 8 | 0x52
    assert pins.decode(raw) == Redirection(
        vector=0x52,
        mode="lowest",
        logical=True,
        active_low=True,
        remote_irr=True,
        level=True,
        masked=True,
        destination=0xA7,
    )
    assert pins.decode(0) == Redirection(
        0, "fixed", False, False, False, False, False, 0
    )


def test_looking_changes_nothing() -> None:
    device = ioapic.device(SDM)
    program(device, 11, LEVEL | 0x41)
    drive(device, 11, True)
    before = repr(device.state)
    seen = pins.peek(device.state)
    assert [pin.number for pin in seen] == list(range(24))
    assert (seen[11].count, seen[11].entry) == (1, LEVEL | REMOTE_IRR | 0x41)
    assert seen[11].redirection.remote_irr
    assert repr(device.state) == before


# A slow model: counters and booleans by pin, nothing packed.

PINS = st.sampled_from((0, 1, 2, 23))
VECTORS = st.sampled_from((0x41, 0x42))
LEVELS = {0, 1}
"""Delivery modes, by encoding, that can be levels."""


class Pins(RuleBasedStateMachine):
    """Every rule of the pins against dicts."""

    @initialize()
    def start(self) -> None:
        self.device = ioapic.device(SDM)
        self.count = dict.fromkeys(range(24), 0)
        self.waits = dict.fromkeys(range(24), False)
        self.masked = dict.fromkeys(range(24), True)
        self.level = dict.fromkeys(range(24), False)
        self.mode = dict.fromkeys(range(24), 0)
        self.vector = dict.fromkeys(range(24), 0)

    def acts_as_level(self, pin: int) -> bool:
        return self.level[pin] and self.mode[pin] in LEVELS

    def expect(self, pin: int) -> int:
        """How many messages go out now that the pin is asserted: 0 or 1."""
        if self.masked[pin] or (self.acts_as_level(pin) and self.waits[pin]):
            return 0
        self.waits[pin] = self.acts_as_level(pin)
        return 1

    @rule(pin=PINS)
    def assert_pin(self, pin: int) -> None:
        self.count[pin] += 1
        expected = self.expect(pin) if self.count[pin] == 1 else 0
        got = sent(drive(self.device, pin, True))
        assert len(got) == expected
        for message in got:
            assert message.source == f"ioapic pin {pin}"
            assert message.vector == self.vector[pin]
            assert message.level == self.acts_as_level(pin)

    @rule(pin=PINS)
    def deassert_pin(self, pin: int) -> None:
        (signal,) = drive(self.device, pin, False)
        if self.count[pin]:
            self.count[pin] -= 1
            assert signal == PinChanged(-1, pin, False, self.count[pin])
        else:
            assert isinstance(signal, Oddity)

    @rule(
        pin=PINS, vector=VECTORS, level=st.booleans(), masked=st.booleans(),
        mode=st.sampled_from((0, 0, 0, 1, 4, 7)),
    )  # fmt: skip
    def write_entry(
        self, pin: int, vector: int, level: bool, masked: bool, mode: int
    ) -> None:
        self.vector[pin], self.level[pin] = vector, level
        self.masked[pin], self.mode[pin] = masked, mode
        if not self.acts_as_level(pin):
            self.waits[pin] = False
        held = self.count[pin] > 0 and self.acts_as_level(pin)
        expected = self.expect(pin) if held else 0
        low = vector | mode << 8 | level << 15 | masked << 16
        assert len(sent(put(self.device, 0x10 + 2 * pin, low))) == expected

    @rule(vector=VECTORS, register=st.booleans())
    def end_of_interrupt(self, vector: int, register: bool) -> None:
        ended: list[tuple[int, bool]] = []
        for pin in range(24):
            if self.waits[pin] and self.vector[pin] == vector:
                self.waits[pin] = False
                again = self.count[pin] > 0 and self.expect(pin) == 1
                ended.append((pin, again))
        if register:
            signals = write(self.device, 0x40, vector)
        else:
            signals = pins.end(self.device.state, vector)
        events = [item for item in signals if isinstance(item, IoapicEnded)]
        assert [(each.pin, each.again) for each in events] == ended
        sources = [f"ioapic pin {pin}" for pin, again in ended if again]
        assert [message.source for message in sent(signals)] == sources

    @invariant()
    def the_entries_say_what_the_model_says(self) -> None:
        if not hasattr(self, "device"):
            return
        for pin in (0, 1, 2, 23):
            low = get(self.device, 0x10 + 2 * pin)
            assert bool(low & REMOTE_IRR) == self.waits[pin]
            assert bool(low & LEVEL) == self.level[pin]
            assert bool(low & MASKED) == self.masked[pin]
            assert low & 0xFF == self.vector[pin]
            assert pins.peek(self.device.state)[pin].count == self.count[pin]


TestPins = Pins.TestCase
TestPins.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
