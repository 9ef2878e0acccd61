"""The versions of what a recording rests on, and what each of them changed.

A recording says under which it was made. Hashes are comparable within one state schema
only; acts are done again whatever the schema was, and the stops compared. Where the
engine itself has come to behave otherwise, an older recording may come to something
else for that reason, and the report names it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMAS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "names of fields and classes in the order of their declaration",
        2: "sorted names; what has its reset value is left out; kinds by their name",
    }
)
"""What a hash is over, by number of the state schema. A new number is needed when a
field is renamed, retyped or given another reset value, or goes: the hashes of older
recordings are then no longer compared. A field that is added needs none."""
STATE_SCHEMA: Final = max(SCHEMAS)

REPAIRS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "the first",
        2: "a device that answers in the middle of a REP answers one iteration",
        3: "KERNEMU of a malformed APIC access is refused and leaves nothing behind",
        4: "the processor keeps to the manual where it did not",
        5: "x87, MXCSR, IRET and task switches do, and code ahead faults in time",
        6: "a REP on a device takes time between iterations, A bits come with code, "
        "INT 6 is an interrupt, and new code runs whoever wrote it",
        7: "a store to ROM is dropped after a load from there, too, and a fault in the "
        "middle of a block is counted there, whatever is in the TLB",
    }
)
"""What was repaired in how the engine behaves, by the number of that behaviour. Only
what a recorded run can come to is one, not what a command shows."""
ENGINE: Final = max(REPAIRS)


def repairs_since(engine: int) -> list[str]:
    """Return the repairs of the behaviours after number `engine`, oldest first."""
    return [text for number, text in sorted(REPAIRS.items()) if number > engine]
