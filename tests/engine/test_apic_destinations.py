"""Whom a destination names and why an IPI is dropped, against models made of sets.

SDM Vol. 3A "Determining IPI Destination"; each target is asked for its own model.
"""

import itertools
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapis_engine.apic import destination as apic_destination
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import Ipi, decode, encode
from lapis_engine.apic.icr_rules import refusal
from lapis_engine.apic.state import ApicState
from lapis_engine.cause import sentence
from lapis_engine.profiles.catalog import ILLUMOS, SDM
from lapis_engine.profiles.switches import Profile

BOTH = pytest.mark.parametrize("profile", [SDM, ILLUMOS], ids=lambda p: p.name)
XAPIC, X2APIC = 0xFEE0_0800, 0xFEE0_0C00


def apic(base: int = XAPIC, vcpu: int = 1) -> ApicState:
    state = apic_state.reset(vcpu, SDM)
    state.apicbase, state.svr = base, 0x1FF
    return state


class Target(NamedTuple):
    """An APIC in xAPIC mode, as a model sees it."""

    id: int
    ldr: int
    model: int
    ppr: int
    on: bool


TARGETS = st.lists(
    st.builds(
        Target,
        id=st.integers(0, 0xFE),
        ldr=st.integers(0, 0xFF),
        model=st.sampled_from([0xF, 0, 5]),
        ppr=st.integers(0, 0xFF),
        on=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def members(byte: int) -> set[int]:
    return {n for n in range(8) if byte >> n & 1}


def named(target: Target, mda: int, logical: bool) -> bool:
    """Say the rule in words."""
    if mda == 0xFF:
        return True
    if not logical:
        return target.id == mda
    if target.model == 0xF:
        return not members(target.ldr).isdisjoint(members(mda))
    if target.model == 0:
        shared = members(target.ldr % 16) & members(mda % 16)
        return target.ldr // 16 == mda // 16 and bool(shared)
    return False


@given(TARGETS, st.integers(0, 0xFF), st.booleans(), st.booleans())
def test_destinations_agree_with_sets(
    found: list[Target], mda: int, logical: bool, lowest: bool
) -> None:
    states = []
    for n, target in enumerate(found):
        state = apic(vcpu=n)
        state.id, state.ldr, state.ppr = target.id, target.ldr << 24, target.ppr
        state.dfr, state.svr = target.model << 28, 0x1FF if target.on else 0xFF
        states.append(state)
    wanted = [n for n, t in enumerate(found) if named(t, mda, logical)]
    if lowest:
        able = [n for n in wanted if found[n].on]
        order = sorted((found[n].ppr // 16, n) for n in able)
        wanted = [n for _, n in order[:1]]
    icr = mda << 56 | (0x800 if logical else 0) | (0x4131 if lowest else 0x4031)
    request = decode(icr, x2apic=False, sender=0)
    assert apic_destination.targets(request, states) == tuple(wanted)


@pytest.mark.parametrize("model", range(16))
def test_every_logical_destination_agrees_with_sets(model: int) -> None:
    state = apic(vcpu=0)
    state.dfr = model << 28
    nibbles = (0x0, 0x1, 0x2, 0x5, 0xF)
    for high, low, mda in itertools.product(nibbles, nibbles, range(0x100)):
        state.ldr = high << 28 | low << 24
        target = Target(0, high << 4 | low, model, 0, True)
        request = decode(mda << 56 | 0x831, x2apic=False, sender=0)
        assert apic_destination.matches(request, state) is named(target, mda, True)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_x2apic_logical_destinations_agree_with_sets(cluster: int, mask: int) -> None:
    states = [apic(X2APIC, vcpu) for vcpu in range(40)]
    destination = cluster % 4 << 16 | mask
    request = decode(destination << 32 | 0x831, x2apic=True, sender=0)
    wanted = {16 * (cluster % 4) + n for n in range(16) if mask >> n & 1}
    assert set(apic_destination.targets(request, states)) == wanted & set(range(40))


@pytest.mark.parametrize(
    ("destination", "x2apic", "reached"),
    [
        (0xFF, False, (0, 1, 2)),
        (0x0800_00FF, True, ()),
        (0xFFFF_FFFF, True, (0, 1, 2)),
    ],
)
def test_the_sender_s_mode_says_what_everyone_is(
    destination: int, x2apic: bool, reached: tuple[int, ...]
) -> None:
    states = [apic(vcpu=0), apic(vcpu=1), apic(X2APIC, vcpu=2)]
    icr = destination << (32 if x2apic else 56) | 0x4400
    for logical in (0, 0x800):
        request = decode(icr | logical, x2apic=x2apic, sender=0)
        assert apic_destination.targets(request, states) == reached


def test_lowest_priority_all_but_self_skips_the_sender_and_ties_go_low() -> None:
    states = [apic(vcpu=n) for n in range(4)]
    request = decode(0xC4131, x2apic=False, sender=0)
    assert apic_destination.targets(request, states) == (1,)
    states[1].ppr = states[2].ppr = 0x10
    assert apic_destination.targets(request, states) == (3,)
    states[3].ppr = 0x1F
    assert apic_destination.targets(request, states) == (1,)
    for state in states:
        state.svr = 0xFF
    assert apic_destination.targets(request, states) == ()


REFUSALS = (
    (0x04700, "delivery mode 7 is reserved"),
    (0x84500, "init cannot have the shorthand all"),
    (0x44500, "init cannot have the shorthand self"),
    (0x44400, "nmi cannot have the shorthand self"),
    (0x84131, "lowest cannot have the shorthand all"),
    (0xC4300, "remote-read cannot have the shorthand all-but-self"),
    (0xC8500, "INIT de-assert is ignored"),
    (0x0400F, "vector 0x0f is illegal: below 16"),
    (0x04200, "smi is not implemented"),
    (0x04300, "remote-read is not implemented"),
    (0xC8608, ""),
    (0x00031, ""),
)


@BOTH
@pytest.mark.parametrize(("icr", "why"), REFUSALS)
def test_why_an_ipi_is_dropped(icr: int, why: str, profile: Profile) -> None:
    found = refusal(decode(icr, x2apic=False, sender=0), profile)
    assert sentence(found) == why


@pytest.mark.parametrize("mode", [0x000, 0x400])
def test_a_level_de_assert_is_an_edge_that_illumos_drops(mode: int) -> None:
    request = decode(0x08031 | mode, x2apic=False, sender=0)
    assert refusal(request, SDM) is None
    assert str(refusal(request, ILLUMOS)) == "level-triggered de-assert is ignored"


def test_lowest_priority_is_not_sent_by_illumos() -> None:
    request = decode(0x04131, x2apic=False, sender=0)
    assert refusal(request, SDM) is None
    assert (
        str(refusal(request, ILLUMOS)) == "lowest priority is not implemented for IPIs"
    )


@pytest.mark.parametrize("x2apic", [False, True])
def test_decode_and_encode_agree_on_every_combination(x2apic: bool) -> None:
    modes = ("fixed", "lowest", "smi", "remote-read", "nmi", "init", "sipi")
    shorthands = ("none", "self", "all", "all-but-self")
    flags = (False, True)
    widest = 0xFFFF_FFFF if x2apic else 0xFF
    for (m, mode), (s, shorthand), logical, level, assert_ in itertools.product(
        enumerate(modes), enumerate(shorthands), flags, flags, flags
    ):
        icr = (
            0x30 + m * 0x100 + logical * 0x800 + assert_ * 0x4000 + level * 0x8000
            + s * 0x4_0000 + (widest - 1) * (1 << (32 if x2apic else 56))
        )  # fmt: skip
        found = encode(
            mode, vector=0x30, destination=widest - 1, shorthand=shorthand,
            logical=logical, level=level, assert_=assert_, x2apic=x2apic,
        )  # fmt: skip
        assert found == icr
        assert decode(icr, x2apic=x2apic, sender=2) == Ipi(
            2, icr, x2apic, mode, 0x30, logical, shorthand, level, assert_, widest - 1
        )


def test_the_largest_vector_and_destinations_fit() -> None:
    assert encode("fixed", vector=0xFF, destination=0xFF) == 0xFF00_0000_0000_40FF
    found = encode("nmi", destination=0xFFFF_FFFF, x2apic=True)
    assert found == 0xFFFF_FFFF_0000_4400
