"""How a fault travels inside the engine between its finding and its delivery.

An access made on behalf of a guest instruction can fault in the middle of anything.
`GuestFault` unwinds to the run loop, which delivers it; it never leaves the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lapis_engine.cpu.breach import Breach

DE: Final = 0
DB: Final = 1
BP: Final = 3
UD: Final = 6
NM: Final = 7
DF_: Final = 8
TS: Final = 10
NP: Final = 11
SS_: Final = 12
GP: Final = 13
PF_: Final = 14
MF: Final = 16
AC_: Final = 17
"""Vectors (SDM Vol. 3A "Exceptions and Interrupts"); DF_, SS_, PF_ and AC_ carry a
line because their bare names are flags and a segment."""
NMI_VECTOR: Final = 2
"""Of the non-maskable interrupt, which is no exception."""
HAS_ERROR_CODE: Final = frozenset({8, 10, 11, 12, 13, 14, 17, 21})
"""Exceptions that push an error code (SDM Vol. 3A "Exceptions and Interrupts")."""

PF_P: Final = 1
PF_W: Final = 2
PF_U: Final = 4
PF_RSVD: Final = 8
PF_I: Final = 16
"""Page-fault error code bits 0 to 4 (SDM Vol. 3A "Page-Fault Exceptions")."""


class GuestFault(Exception):  # noqa: N818 - it is the guest's fault, not an error of ours
    """An exception of the processor that the present instruction or event causes."""

    def __init__(
        self,
        vector: int,
        error: int | None = None,
        cr2: int = 0,
        rule: Breach | None = None,
        values: tuple[int, ...] = (),
    ) -> None:
        """Carry `vector`, its error code if it has one, and for #PF the address.

        `rule` is the one that was broken, if somebody can tell, and `values` are what
        broke it, as `explain.rules` wants them for that rule.
        """
        super().__init__(vector, error, cr2)
        self.vector = vector
        self.error = error
        self.cr2 = cr2
        self.rule = rule
        self.values = values
