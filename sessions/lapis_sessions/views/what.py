"""What is at an address, in words, with its name among the symbols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from lapis_engine.why.addresses import AddressAnswer
    from lapis_engine.why.reason import Reason
    from lapis_sessions.symbols.book import Places


@dataclass(frozen=True, slots=True)
class WhatView:
    """What is known of an address."""

    vcpu: int
    address: int
    physical: bool
    gpa: int | None
    """The physical address, where there is one."""
    served: str | None
    """Memory or device; there may be none."""
    reasons: tuple[Reason, ...]
    """What the processor takes it for."""
    text: str
    symbol: str | UnsetType = UNSET
    """The name that is there or before it."""


def of(found: AddressAnswer, places: Places) -> WhatView:
    """Return an answer with its symbol."""
    name = "" if found.physical else places.near(found.address)
    return WhatView(
        found.vcpu, found.address, found.physical, found.gpa, found.served,
        found.reasons, found.text, name or UNSET,
    )  # fmt: skip


def text(view: WhatView) -> str:
    """Return the sentence, and below it what it is."""
    out = [view.text]
    if view.symbol is not UNSET:
        out.append(f"  symbol        {view.symbol}")
    out += [f"  {row.rule:<13} {row.text}" for row in view.reasons]
    return "\n".join(out)
