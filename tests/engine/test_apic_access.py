"""What a guest reads and writes: the page, the MSRs, APICBASE, the timer.

Offsets, MSR numbers and reset values are those of the SDM's register tables.
"""

from dataclasses import replace

import pytest

from lapis_engine.apic import access, apicbase, timer
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import Ipi
from lapis_engine.apic.outcome import Outcome
from lapis_engine.apic.state import ApicState
from lapis_engine.events import (
    ApicError,
    ApicModeChanged,
    TimerArmed,
    TimerFired,
    VectorAccepted,
)
from lapis_engine.profiles.catalog import ILLUMOS, SDM
from lapis_engine.profiles.switches import Profile

XAPIC, X2APIC, DISABLED = 0xFEE0_0900, 0xFEE0_0D00, 0xFEE0_0100


def apic(base: int = XAPIC, vcpu: int = 0) -> ApicState:
    state = apic_state.reset(vcpu, SDM)
    state.apicbase, state.svr = base, 0x1FF
    return state


def read(state: ApicState, offset: int, size: int = 4, now: int = 0) -> int:
    return access.read_mmio(state, offset, size, now, SDM)[0]


def write(state: ApicState, offset: int, value: int, now: int = 0) -> Outcome:
    return access.write_mmio(state, offset, 4, value, now, SDM)


def test_reset_values() -> None:
    state = apic_state.reset(3, SDM)
    wanted = {
        0x20: 3 << 24, 0x30: 0x105_0014, 0x80: 0, 0x90: 0, 0xA0: 0, 0xD0: 0,
        0xE0: 0xFFFF_FFFF, 0xF0: 0xFF, 0x100: 0, 0x180: 0, 0x200: 0, 0x280: 0,
        0x300: 0, 0x310: 0, 0x320: 0x1_0000, 0x330: 0x1_0000, 0x340: 0x1_0000,
        0x350: 0x1_0000, 0x360: 0x1_0000, 0x370: 0x1_0000, 0x380: 0, 0x390: 0,
        0x3E0: 0,
    }  # fmt: skip
    assert {offset: read(state, offset) for offset in wanted} == wanted
    assert (state.apicbase, apic_state.reset(0, SDM).apicbase) == (
        0xFEE0_0800, 0xFEE0_0900,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("offset", "value", "kept"),
    [
        (0x20, 0xFFFF_FFFF, 0xFF00_0000),
        (0x30, 0xFFFF_FFFF, 0x105_0014),
        (0x80, 0xFFFF_FFFF, 0xFF),
        (0xA0, 0xFFFF_FFFF, 0),
        (0xD0, 0xFFFF_FFFF, 0xFF00_0000),
        (0xE0, 0, 0x0FFF_FFFF),
        (0xF0, 0xFFFF_FFFF, 0x13FF),
        (0x310, 0xFFFF_FFFF, 0xFF00_0000),
        (0x320, 0xFFFF_FFFF, 0x7_00FF),
        (0x350, 0xFFFF_FFFF, 0x1_A7FF),
        (0x370, 0xFFFF_FFFF, 0x1_00FF),
        (0x3E0, 0xFFFF_FFFF, 0xB),
    ],
)
def test_reserved_and_read_only_bits_keep_their_value(
    offset: int, value: int, kept: int
) -> None:
    state = apic()
    write(state, offset, value)
    assert read(state, offset) == kept


@pytest.mark.parametrize(("profile", "bit"), [(SDM, 0x80), (ILLUMOS, 0)])
def test_a_register_that_is_not_there(profile: Profile, bit: int) -> None:
    state = apic()
    assert access.read_mmio(state, 0x3F0, 4, 0, profile)[0] == 0
    assert state.esr_pending == bit
    assert access.write_mmio(state, 0x40, 4, 1, 0, profile) == ()


def test_only_aligned_dwords_are_written() -> None:
    state = apic()
    for offset, size in ((0x80, 1), (0x80, 8), (0x84, 4), (0x82, 2)):
        access.write_mmio(state, offset, size, 0x55, 0, SDM)
    assert state.tpr == 0


def test_the_esr_shows_errors_only_after_a_write() -> None:
    state = apic()
    request, error = write(state, 0x300, 0x4000F)
    assert isinstance(request, Ipi)
    assert error == ApicError(0, 5, "send illegal vector")
    assert (read(state, 0x280), state.esr_pending) == (0, 0x20)
    write(state, 0x280, 0)
    assert read(state, 0x280) == 0x20
    write(state, 0x280, 0)
    assert read(state, 0x280) == 0


def test_writing_the_icr_sends_and_reads_back_without_the_busy_bit() -> None:
    state = apic()
    write(state, 0x310, 0x0200_0000)
    (request,) = write(state, 0x300, 0x5031)
    assert isinstance(request, Ipi)
    assert (request.destination, request.vector, request.mode) == (2, 0x31, "fixed")
    assert (read(state, 0x300), read(state, 0x310)) == (0x4031, 0x0200_0000)
    (request,) = write(state, 0x300, 0xC4500)
    assert isinstance(request, Ipi)
    assert request.shorthand == "all-but-self"
    assert read(state, 0x300) == 0xC4500


def test_the_banks_show_each_vector_in_its_word() -> None:
    state = apic()
    state.irr, state.isr, state.tmr = 1 << 0x31, 1 << 0xFF, 1 << 0x20
    assert read(state, 0x210) == 1 << 0x11
    assert read(state, 0x170) == 1 << 31
    assert read(state, 0x190) == 1


def test_switching_off_by_svr_masks_the_lvts_and_lets_the_timer_count() -> None:
    state = apic()
    write(state, 0x320, 0x40)
    write(state, 0x380, 1000)
    assert write(state, 0xF0, 0xFF) == ()
    assert (read(state, 0x320), state.timer_deadline) == (0x1_0040, 2000)
    write(state, 0x320, 0x41)
    assert read(state, 0x320) == 0x1_0041
    write(state, 0xF0, 0x1FF)
    write(state, 0x320, 0x41)
    assert read(state, 0x320) == 0x41


# x2APIC.

READABLE = {
    0x802, 0x803, 0x808, 0x80A, 0x80D, 0x80F, *range(0x810, 0x828), 0x828, 0x830,
    0x832, 0x833, 0x834, 0x835, 0x836, 0x837, 0x838, 0x839, 0x83E,
}  # fmt: skip
WRITABLE = {
    0x808, 0x80B, 0x80F, 0x828, 0x830, 0x832, 0x833, 0x834, 0x835, 0x836, 0x837,
    0x838, 0x83E, 0x83F,
}  # fmt: skip


def test_every_msr_is_readable_or_writable_as_the_manual_says() -> None:
    state = apic(X2APIC)
    msrs = range(0x800, 0x900)
    read_ok = {m for m in msrs if access.read_msr(state, m, 0, SDM) is not None}
    write_ok = {m for m in msrs if access.write_msr(state, m, 0, 0, SDM) is not None}
    assert (read_ok, write_ok) == (READABLE, WRITABLE)


def test_cmci_is_there_when_the_version_counts_seven_lvts() -> None:
    assert access.read_msr(apic(X2APIC), 0x82F, 0, SDM) is None
    assert access.write_msr(apic(X2APIC), 0x82F, 0x1_0000, 0, SDM) is None
    for profile in (replace(SDM, apic_version=0x106_0014), ILLUMOS):
        assert access.read_msr(apic(X2APIC), 0x82F, 0, profile) == 0x1_0000
        assert access.write_msr(apic(X2APIC), 0x82F, 0x1_0031, 0, profile) == ()


@pytest.mark.parametrize("profile", [SDM, ILLUMOS])
def test_the_esr_msr_takes_nothing_but_0(profile: Profile) -> None:
    state = apic(X2APIC)
    state.esr_pending = 0x20
    assert access.write_msr(state, 0x828, 1, 0, profile) is None
    assert state.esr_pending == 0x20
    assert access.write_msr(state, 0x828, 0, 0, profile) == ()
    assert state.esr == 0x20


@pytest.mark.parametrize("base", [XAPIC, DISABLED])
def test_there_are_no_msrs_outside_x2apic_mode(base: int) -> None:
    state = apic(base)
    assert access.read_msr(state, 0x802, 0, SDM) is None
    assert access.write_msr(state, 0x808, 0, 0, SDM) is None


@pytest.mark.parametrize(
    ("msr", "value"),
    [(0x80B, 1), (0x808, 0x100), (0x80F, 0x2000), (0x832, 1 << 32),
     (0x830, 1 << 12), (0x83F, 0x100)],
)  # fmt: skip
def test_reserved_bits_are_gp_by_the_manual_and_masked_by_illumos(
    msr: int, value: int
) -> None:
    assert access.write_msr(apic(X2APIC), msr, value, 0, SDM) is None
    assert access.write_msr(apic(X2APIC), msr, value, 0, ILLUMOS) is not None


def test_the_icr_is_one_64_bit_msr_and_self_ipi_another() -> None:
    state = apic(X2APIC, vcpu=1)
    outcome = access.write_msr(state, 0x830, 0x2_0000_4031, 0, SDM)
    assert outcome is not None
    (request,) = outcome
    assert isinstance(request, Ipi)
    assert (request.destination, request.vector) == (2, 0x31)
    assert access.read_msr(state, 0x830, 0, SDM) == 0x2_0000_4031
    outcome = access.write_msr(state, 0x83F, 0x55, 0, SDM)
    assert outcome is not None
    (request,) = outcome
    assert isinstance(request, Ipi)
    assert (request.shorthand, request.vector) == ("self", 0x55)


@pytest.mark.parametrize(
    ("before", "after", "legal"),
    [
        (XAPIC, X2APIC, True),
        (XAPIC, DISABLED, True),
        (X2APIC, DISABLED, True),
        (DISABLED, XAPIC, True),
        (X2APIC, XAPIC, False),
        (DISABLED, X2APIC, False),
        (XAPIC, 0xFEE0_0500, False),  # EXTD without EN
        (XAPIC, XAPIC | 1, False),
        (XAPIC, XAPIC & ~0x100, True),
        (XAPIC, XAPIC, True),
    ],
)
def test_apicbase_transitions(before: int, after: int, legal: bool) -> None:
    state = apic(before)
    outcome = apicbase.write(state, after, SDM)
    assert (outcome is not None) is legal
    assert state.apicbase == (after if legal else before)
    moves = legal and before & 0xC00 != after & 0xC00
    assert bool(outcome) is moves
    if moves:
        assert outcome is not None
        assert isinstance(outcome[0], ApicModeChanged)


def test_disabling_by_apicbase_resets_the_registers_but_not_in_bhyve() -> None:
    for profile, tpr in ((SDM, 0), (ILLUMOS, 0x20)):
        state = apic()
        write(state, 0x80, 0x20)
        apicbase.write(state, DISABLED, profile)
        apicbase.write(state, XAPIC, profile)
        assert (state.tpr, state.ppr) == (tpr, tpr)


def test_illumos_lets_no_guest_into_x2apic_mode_or_move_the_page() -> None:
    assert apicbase.write(apic(), X2APIC, ILLUMOS) is None
    assert apicbase.write(apic(), 0xFED0_0900, ILLUMOS) is None
    state = apic()
    assert apicbase.write(state, 0xFED0_0900, SDM) == ()
    assert apic_state.base(state) == 0xFED0_0000


def test_init_keeps_x2apic_mode_by_the_manual_and_drops_it_in_illumos() -> None:
    for profile, mode in ((SDM, "x2apic"), (ILLUMOS, "xapic")):
        state = apic(X2APIC)
        state.irr = state.isr = 1 << 0x31
        apic_state.init(state, profile)
        assert apic_state.mode(state) == mode
        assert (state.irr, state.isr, state.svr, state.lvt_timer) == (
            0, 0, 0xFF, 0x1_0000,
        )  # fmt: skip


def test_cr8_is_the_class_of_tpr() -> None:
    state = apic()
    assert access.write_cr8(state, 0x5) == ()
    assert (state.tpr, state.ppr, access.read_cr8(state)) == (0x50, 0x50, 5)
    assert access.write_cr8(state, 0x10) is None
    assert state.tpr == 0x50


# The timer.


@pytest.mark.parametrize(
    ("raw", "divisor"),
    [(0, 2), (1, 4), (2, 8), (3, 16), (8, 32), (9, 64), (0xA, 128), (0xB, 1)],
)
def test_the_divide_configuration(raw: int, divisor: int) -> None:
    state = apic()
    write(state, 0x3E0, raw)
    assert write(state, 0x380, 1000, now=5) == (TimerArmed(0, 5 + 1000 * divisor),)
    assert read(state, 0x390, now=5) == 1000
    assert read(state, 0x390, now=5 + 400 * divisor) == 600
    assert read(state, 0x390, now=5 + 1000 * divisor) == 0


def test_illumos_counts_at_128_mebihertz() -> None:
    state = apic()
    state.timer_divide = 0xB
    armed = timer.write_initial(state, 134_217_728, 0, ILLUMOS)
    assert armed == (TimerArmed(0, 1_000_000_000),)


def test_one_shot_fires_once_and_periodic_again_without_stacking() -> None:
    state = apic()
    write(state, 0x3E0, 0xB)
    write(state, 0x320, 0x40)
    write(state, 0x380, 100)
    assert timer.expire(state, 100, SDM) == (
        TimerFired(0, 0x40, False),
        VectorAccepted(0, 0x40, False, "timer"),
    )
    assert (timer.deadline(state), read(state, 0x390)) == (None, 0)
    write(state, 0x320, 0x2_0041)
    write(state, 0x380, 100, now=1000)
    timer.expire(state, 1100, SDM)
    assert timer.deadline(state) == 1200
    timer.expire(state, 1950, SDM)
    assert timer.deadline(state) == 2000


def test_a_masked_timer_counts_and_raises_nothing() -> None:
    state = apic()
    write(state, 0x320, 0x1_0040)
    write(state, 0x380, 10)
    assert timer.expire(state, 20, SDM) == (TimerFired(0, 0x40, True),)
    assert state.irr == 0


def test_zero_stops_and_the_mode_is_judged_when_the_timer_fires() -> None:
    state = apic()
    write(state, 0x320, 0x2_0040)
    write(state, 0x380, 10)
    write(state, 0x320, 0x40)  # one-shot by now
    timer.expire(state, 20, SDM)
    assert timer.deadline(state) is None
    write(state, 0x380, 10)
    assert write(state, 0x380, 0) == (TimerArmed(0, None),)
