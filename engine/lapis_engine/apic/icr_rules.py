"""What an ICR may not ask for: one list, for the act, its dry run and its refusal.

SDM Vol. 3A "Valid Interrupt Vectors", "Valid Combinations for the xAPIC Local APIC's
Interrupt Command Register"; bhyve `vlapic_is_icr_valid`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_engine.apic.icr import MODE_WORDS
from lapis_engine.apic.priority import LOWEST_LEGAL
from lapis_engine.apic.regs import SHORTHANDS
from lapis_engine.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_engine.apic.icr import Ipi
    from lapis_engine.profiles.switches import Profile

MANY: Final = frozenset({"none", "all-but-self"})
ANY: Final = frozenset(SHORTHANDS)
SHORTHAND_RULES: Final = {
    "fixed": ANY,
    "lowest": MANY,
    "smi": MANY,
    "remote-read": frozenset({"none"}),
    "nmi": MANY,
    "init": MANY,
    "sipi": MANY,
}
"""Shorthands that each mode may have (SDM "Valid Combinations for the xAPIC Local
APIC's Interrupt Command Register"; bhyve `vlapic_is_icr_valid`)."""


class IcrRule(NamedTuple):
    """One way in which fields of an ICR exclude each other."""

    code: str
    """Short name, as a dry run shows it."""
    forbids: Callable[[Ipi, Profile], bool]
    text: Callable[[Ipi], str]
    """Why it is dropped."""
    advice: Callable[[Ipi], str] | None = None
    """Why a user is kept from sending it; None where it is sent and its fate told,
    because another profile would do it."""


def _has_wrong_shorthand(ipi: Ipi, _profile: Profile) -> bool:
    if ipi.mode == "reserved":
        return False  # has a rule of its own
    return ipi.shorthand not in SHORTHAND_RULES[ipi.mode]


def _level_off(ipi: Ipi, profile: Profile) -> bool:
    off = ipi.level and not ipi.assert_
    return off and ipi.mode != "sipi" and not profile.ipi_always_edge


def _has_no_level_bit(ipi: Ipi, profile: Profile) -> bool:
    return ipi.mode == "init" and not ipi.assert_ and profile.init_needs_level_bit


def _legal_shorthands(ipi: Ipi) -> str:
    legal = SHORTHAND_RULES[ipi.mode]
    others = " or ".join([*sorted(legal - {"none"}), "an id"])
    word = MODE_WORDS[ipi.mode]
    return f"{word} cannot have the shorthand {ipi.shorthand}, only {others}"


RULES: Final = (
    IcrRule(
        "reserved-mode",
        lambda ipi, _: ipi.mode == "reserved",
        lambda _: "delivery mode 7 is reserved",
    ),
    IcrRule(
        "mode-shorthand",
        _has_wrong_shorthand,
        lambda ipi: f"{ipi.mode} cannot have the shorthand {ipi.shorthand}",
        _legal_shorthands,
    ),
    IcrRule(
        "init-deassert",
        lambda ipi, _: ipi.mode == "init" and ipi.level and not ipi.assert_,
        lambda _: "INIT de-assert is ignored",
        lambda _: "an INIT de-assert is ignored by every APIC",
    ),
    IcrRule(
        "init-level-bit",
        _has_no_level_bit,
        lambda _: "INIT with the level bit clear is ignored, edge-triggered or not",
    ),
    IcrRule(
        "level-deassert",
        _level_off,
        lambda _: "level-triggered de-assert is ignored",
        lambda ipi: (
            f"a level-triggered {MODE_WORDS[ipi.mode]} must be asserted, "
            "or it is ignored"
        ),
    ),
    IcrRule(
        "not-implemented",
        lambda ipi, _: ipi.mode in {"smi", "remote-read"},
        # Not modelled: SMM, remote read
        lambda ipi: f"{ipi.mode} is not implemented",
    ),
    IcrRule(
        "not-implemented",
        lambda ipi, profile: ipi.mode == "lowest" and not profile.ipi_lowest_priority,
        lambda _: "lowest priority is not implemented for IPIs",
    ),
    IcrRule(
        "illegal-vector",
        lambda ipi, _: ipi.mode in {"fixed", "lowest"} and ipi.vector < LOWEST_LEGAL,
        lambda ipi: f"vector {ipi.vector:#04x} is illegal: below 16",
        lambda ipi: (
            f"vector {ipi.vector:#04x} is illegal: vectors below 16 are exceptions"
        ),
    ),
)
"""In the order in which they are looked at: an IPI is dropped by the first.

# As bhyve: an invalid combination is dropped without a trace (`vlapic_is_icr_valid`);
the SDM leaves it undefined. INIT level de-assert is not supported from Pentium 4 on
("Interrupt Command Register (ICR)", delivery mode 101). The vector comes last: an
ICR that is valid but for it sets ESR bit 5.
"""


def refusal(ipi: Ipi, profile: Profile) -> Cause | None:
    """Return why the sender's APIC drops this IPI, or None when it does not."""
    # Differs from the SDM: there the message of an illegal vector goes out, and ESR bit
    # 6 is set where it arrives ("Error Handling"). As bhyve: nothing is sent.
    for rule in RULES:
        if rule.forbids(ipi, profile):
            return Cause(rule.code, rule.text(ipi))
    return None


def advice(ipi: Ipi, profile: Profile) -> Cause | None:
    """Return why no APIC whatever would do this, or None; for a user who asks for it.

    What a profile just does not implement is no reason here.
    """
    for rule in RULES:
        if rule.advice is not None and rule.forbids(ipi, profile):
            return Cause(rule.code, rule.advice(ipi))
    return None


def is_vector_illegal(ipi: Ipi, profile: Profile) -> bool:
    """Tell whether this would be sent but for its vector, which sets ESR bit 5."""
    if ipi.vector >= LOWEST_LEGAL:
        return False
    why = refusal(ipi, profile)
    return why is not None and why.code == "illegal-vector"
