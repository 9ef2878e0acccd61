"""The ICR: what may be sent, and whom it reaches.

Literal values are worked out from the SDM's register figure; the validity table is
bhyve's `vlapic_is_icr_valid`, which is the SDM's table of valid combinations.

Mutants of `icr.py`, `icr_rules.py` and `destination.py`, each a change of one token,
all killed: broadcast id; FLAT;
the shorthands allowed to fixed, lowest, nmi, init and sipi, and `MANY` itself;
x2APIC destinations read as xAPIC ones; `not` lost in the rule for INIT de-assert and in
the one for level de-assert, `level` lost there, `!=` inverted for SIPI; `<` to `<=` for
illegal vectors; the switch for lowest priority inverted; `others` inverted; `==` to
`>=` for physical ids; the x2APIC member mask, and `==` to `<=` for its cluster; LDR
shifted by 23; `&` to `|` in flat mode; `and` to `or` and the member mask in cluster
mode; lowest priority by the whole PPR, by the highest number, and among those off.
"""

import itertools

import pytest

from lapis_engine.apic import destination as apic_destination
from lapis_engine.apic import icr as apic_icr
from lapis_engine.apic import icr_rules
from lapis_engine.apic import state as apic_state
from lapis_engine.apic.icr import icr_text
from lapis_engine.apic.state import ApicState
from lapis_engine.cause import Cause
from lapis_engine.errors import EngineError
from lapis_engine.explain import explain
from lapis_engine.profiles.catalog import ILLUMOS, SDM

MODES = ("fixed", "lowest", "smi", "remote-read", "nmi", "init", "sipi", "reserved")
SHORTHANDS = ("none", "self", "all", "all-but-self")


def apics(count: int) -> list[ApicState]:
    found = [apic_state.reset(n, SDM) for n in range(count)]
    for state in found:
        state.svr = 0x1FF
    return found


def decode(icr: int, *, x2apic: bool = False, sender: int = 0) -> apic_icr.Ipi:
    return apic_icr.decode(icr, x2apic=x2apic, sender=sender)


@pytest.mark.parametrize(
    ("icr", "mode", "shorthand", "level", "assert_", "sent"),
    [
        (0xC4500, "init", "all-but-self", False, True, True),
        (0x84500, "init", "all", False, True, False),
        (0x44500, "init", "self", False, True, False),
        (0xC8500, "init", "all-but-self", True, False, False),
        (0xC0500, "init", "all-but-self", False, False, True),
        (0xCC500, "init", "all-but-self", True, True, True),
        (0xC4400, "nmi", "all-but-self", False, True, True),
        (0xC4608, "sipi", "all-but-self", False, True, True),
        (0xC0608, "sipi", "all-but-self", False, False, True),
        (0x000FB, "fixed", "none", False, False, True),
        (0x40031, "fixed", "self", False, False, True),
        (0x0000F, "fixed", "none", False, False, False),
        (0x00010, "fixed", "none", False, False, True),
        (0x00700, "reserved", "none", False, False, False),
    ],
)
def test_known_values(
    icr: int,
    mode: str,
    shorthand: str,
    level: bool,
    assert_: bool,
    sent: bool,
) -> None:
    request = decode(icr)
    assert (request.mode, request.shorthand) == (mode, shorthand)
    assert (request.level, request.assert_) == (level, assert_)
    assert (icr_rules.refusal(request, SDM) is None) is sent


@pytest.mark.parametrize("profile", [SDM, ILLUMOS], ids=lambda p: p.name)
def test_every_cell_of_the_validity_table(profile: object) -> None:
    many, every = {"none", "all-but-self"}, set(SHORTHANDS)
    allowed = {"fixed": every, "nmi": many, "init": many, "sipi": many}
    if profile is SDM:
        allowed["lowest"] = many
    for mode, shorthand, level, assert_ in itertools.product(
        MODES, SHORTHANDS, (False, True), (False, True)
    ):
        icr = apic_icr.encode(
            mode, vector=0x31, shorthand=shorthand, level=level, assert_=assert_
        )
        good = mode in allowed and shorthand in allowed[mode]
        if mode == "init":
            good = good and (assert_ or (profile is SDM and not level))
        elif mode != "sipi" and profile is ILLUMOS:
            good = good and (assert_ or not level)
        found = icr_rules.refusal(decode(icr), SDM if profile is SDM else ILLUMOS)
        assert (found is None) is good, (mode, shorthand, level, assert_, found)


@pytest.mark.parametrize(
    ("icr", "sender", "reached"),
    [
        (0xC4500, 0, (1, 2, 3)),
        (0xC4500, 2, (0, 1, 3)),
        (0x40031, 2, (2,)),
        (0x80031, 2, (0, 1, 2, 3)),
        (0x0200_0000_0000_0031, 0, (2,)),
        (0x0900_0000_0000_0031, 0, ()),
        (0xFF00_0000_0000_0031, 1, (0, 1, 2, 3)),
        (0xFF00_0000_0000_0831, 1, (0, 1, 2, 3)),
        (0x0A00_0000_0000_0831, 0, (1, 3)),
    ],
)
def test_whom_an_ipi_reaches_in_xapic_mode(
    icr: int, sender: int, reached: tuple[int, ...]
) -> None:
    states = apics(4)
    for n, state in enumerate(states):
        state.ldr = 1 << n << 24  # flat: vCPU n answers to bit n
    assert apic_destination.targets(decode(icr, sender=sender), states) == reached


def test_cluster_destinations_and_the_model_of_each_target() -> None:
    states = apics(4)
    for n, (ldr, dfr) in enumerate([(0x11, 0), (0x12, 0), (0x21, 0), (0x22, 0xF)]):
        states[n].ldr, states[n].dfr = ldr << 24, dfr << 28 | 0x0FFF_FFFF
    # MDA 0x13: cluster 1, members 1 and 2; for the flat target any common bit.
    assert apic_destination.targets(decode(0x13 << 56 | 0x831), states) == (0, 1, 3)
    assert apic_destination.targets(decode(0x21 << 56 | 0x831), states) == (2, 3)


@pytest.mark.parametrize(
    ("vcpu", "ldr"),
    [(0, 0x1), (1, 0x2), (0xF, 0x8000), (0x10, 0x1_0001), (0x1F, 0x1_8000),
     (0xFE, 0xF_4000)],
)  # fmt: skip
def test_the_logical_id_of_x2apic_mode_follows_from_the_id(vcpu: int, ldr: int) -> None:
    state = apic_state.reset(vcpu, SDM)
    state.apicbase |= 0x400
    assert apic_state.logical_id(state) == ldr


def test_x2apic_destinations_are_32_bits() -> None:
    states = apics(20)
    for state in states:
        state.apicbase |= 0x400

    def send(icr: int) -> tuple[int, ...]:
        return apic_destination.targets(decode(icr, x2apic=True), states)

    assert send(0x12 << 32 | 0x31) == (0x12,)
    assert send(0xFFFF_FFFF << 32 | 0x31) == tuple(range(20))
    assert send(0xFF << 32 | 0x31) == ()
    assert send(0x1_0003 << 32 | 0x831) == (16, 17)
    assert send(0x0_0003 << 32 | 0x831) == (0, 1)


def test_lowest_priority_goes_to_the_lowest_ppr_then_the_lowest_number() -> None:
    states = apics(3)
    for state, ppr in zip(states, (0x40, 0x2F, 0x20), strict=True):
        state.ppr = ppr
    assert apic_destination.targets(decode(0xFF << 56 | 0x131), states) == (1,)
    states[1].svr = 0xFF
    assert apic_destination.targets(decode(0xFF << 56 | 0x131), states) == (2,)


def test_a_destination_of_more_than_8_bits_is_read_as_an_x2apic_one() -> None:
    assert explain("icr", 0x2_0000_4500).text.endswith("to APIC id 0x2")
    assert explain("icr", 0x0200_0000_0000_4500).text.endswith("to APIC id 0x2")


def test_encode_is_the_reverse_of_decode() -> None:
    assert apic_icr.encode("init", shorthand="all-but-self") == 0xC4500
    assert apic_icr.encode("sipi", vector=8, shorthand="all-but-self") == 0xC4608
    assert apic_icr.encode("fixed", vector=0x31, destination=2) == 0x0200_0000_0000_4031
    assert apic_icr.encode("nmi", destination=1, x2apic=True) == 0x1_0000_4400
    for bad in ({"vector": 256}, {"destination": 256}, {"shorthand": "some"}):
        with pytest.raises(EngineError):
            apic_icr.encode("fixed", **bad)
    with pytest.raises(EngineError, match="no delivery mode 'x'"):
        apic_icr.encode("x")


@pytest.mark.parametrize(
    ("icr", "text"),
    [
        (0xFFFF_FFFF_0000_4400, "to everyone (broadcast)"),
        (0x0000_00FF_0000_4400, "to APIC id 0xff"),
        (0x0000_00FF_0000_4C00, "to logical destination 0xff"),
    ],
)
def test_an_x2apic_destination_in_words(icr: int, text: str) -> None:
    assert icr_text(icr, x2apic=True).endswith(text)


@pytest.mark.parametrize(
    ("icr", "code", "text"),
    [
        (0x4_4400, "mode-shorthand",
         "NMI cannot have the shorthand self, only all-but-self or an id"),
        (0x8_4300, "mode-shorthand",
         "REMOTE READ cannot have the shorthand all, only an id"),
        (0xC_8500, "init-deassert", "an INIT de-assert is ignored by every APIC"),
        (0x0_8031, "level-deassert",
         "a level-triggered FIXED must be asserted, or it is ignored"),
        (0x0_400F, "illegal-vector",
         "vector 0x0f is illegal: vectors below 16 are exceptions"),
    ],
)  # fmt: skip
def test_what_a_user_is_kept_from_sending(icr: int, code: str, text: str) -> None:
    assert icr_rules.advice(decode(icr), ILLUMOS) == Cause(code, text)


@pytest.mark.parametrize("icr", [0x500, 0xC0500])
def test_an_edge_init_needs_no_level_bit_but_under_bhyve(icr: int) -> None:
    """SDM Vol. 3A "Interrupt Command Register (ICR)": no meaning from Pentium 4 on."""
    assert icr_rules.refusal(decode(icr), SDM) is None
    why = icr_rules.refusal(decode(icr), ILLUMOS)
    assert why is not None
    assert why.code == "init-level-bit"
    assert icr_rules.advice(decode(icr), ILLUMOS) is None


@pytest.mark.parametrize("icr", [0x0_4031, 0x0_4131, 0x0_4200, 0x0_4700])
def test_what_a_profile_just_does_not_implement_is_no_reason(icr: int) -> None:
    assert icr_rules.advice(decode(icr), ILLUMOS) is None


@pytest.mark.parametrize(
    ("icr", "text"),
    [
        (0xC4500, "INIT, physical, assert, edge, all excluding self"),
        (
            0xC4610,
            (
                "STARTUP vector 0x10 (start 0x10000), physical, assert, edge, "
                "all excluding self"
            ),
        ),
        (
            0x0400_0000_0000_08FB,
            "FIXED vector 0xfb, logical, de-assert, edge, to logical destination 0x4",
        ),
        (0xFF00_0000_0000_4400, "NMI, physical, assert, edge, to everyone (broadcast)"),
        (0x4_4131, "LOWEST PRIORITY vector 0x31, physical, assert, edge, self"),
        (0x8_C200, "SMI, physical, assert, level, all including self"),
        (0x0_4300, "REMOTE READ, physical, assert, edge, to APIC id 0x0"),
        (0x0_4700, "reserved mode 7, physical, assert, edge, to APIC id 0x0"),
    ],
)
def test_the_words_for_an_icr(icr: int, text: str) -> None:
    assert icr_text(icr) == text
    found = explain("icr", icr)
    assert found.text == text
    assert {f.name: f.value for f in found.fields}["delivery mode"] == icr >> 8 & 7
