"""How many sources hold a shared interrupt line: the wired-OR, as bhyve counts it.

Each assert needs its own de-assert. A count that cannot move saturates, which is an
oddity and no error: `vioapic_set_pinstate`, `vatpic_set_pinstate`.
"""

from __future__ import annotations

from typing import Final

from lapis_engine.events import Oddity

LIMIT: Final = 0xFFFF_FFFF
"""Sources that a line can count: the counters of bhyve are 32 bits wide."""


def step(count: int, line: str, *, asserted: bool) -> tuple[int, Oddity | None]:
    """Return the count after one source of `line` has moved, and what was odd."""
    if asserted and count == LIMIT:
        text = f"{line} is asserted {count} times already (E2BIG)"
        return count, Oddity(-1, "line saturated high", text)
    if not asserted and count == 0:
        text = f"{line} is de-asserted, and nothing asserts it (ERANGE)"
        return count, Oddity(-1, "line saturated low", text)
    return count + (1 if asserted else -1), None
