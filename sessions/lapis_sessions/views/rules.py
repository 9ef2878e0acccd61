"""The rules that answer requests, and what has become of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.rules.rule import Answer, Rule


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule."""

    number: int
    text: str
    """As it was written."""
    how: str
    """always, once, sequence, cycle, device or fault."""
    state: str
    """on, used up, or disabled."""
    answered: int
    """Requests."""
    disabled: str
    """Why it does nothing any more, or nothing."""
    last: tuple[Answer, ...]
    """What it did last."""


def of(it: Rule) -> RuleView:
    """Return a rule, and what has become of it."""
    return RuleView(
        number=it.number,
        text=it.text,
        how=it.how.kind,
        state=it.state,
        answered=it.answered,
        disabled=it.disabled,
        last=tuple(it.last),
    )


def text(row: RuleView) -> str:
    """Say what a rule is, what it has done, and its last answers."""
    state = f"disabled: {row.disabled}" if row.disabled else row.state
    out = [f"rule {row.number}: {row.text}", f"  {state}, {row.answered} answered"]
    out += [f"  {each.given:<12} to {each.request}" for each in row.last]
    return "\n".join(out)


def table_text(rows: Sequence[RuleView]) -> str:
    """Return the table of rules."""
    return "\n".join(map(text, rows)) or "no rule answers requests"
