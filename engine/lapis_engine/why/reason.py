"""What an answer is made of: a rule, its words, and the values that it was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that bears on the question."""

    rule: str
    """Short and stable: class, if, shadow, svr, lvt-mask, destination ..."""
    text: str
    """The rule with the bits and the values, without a full stop."""
    values: Mapping[str, int]
    """The numbers in it, by name."""
    blocks: bool
    """It keeps what was asked about from happening; else it lets it happen."""
    about: str = ""
    """Who it is about, where that is not the vCPU: lvt timer, ioapic pin 4, vcpu 2."""


def blocks(rule: str, text: str, about: str = "", **values: int) -> Reason:
    """Return a reason against it."""
    return Reason(rule, text, values, blocks=True, about=about)


def allows(rule: str, text: str, about: str = "", **values: int) -> Reason:
    """Return a reason for it, or a fact beside it."""
    return Reason(rule, text, values, blocks=False, about=about)


def sentence(reasons: Iterable[Reason]) -> str:
    """Join what the blocking reasons say."""
    return "; ".join(reason.text for reason in reasons if reason.blocks)
