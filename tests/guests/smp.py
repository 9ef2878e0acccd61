"""The sample kernel with planted SMP bugs: its variants (`smp.asm`)."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE: Final = Path(__file__).with_name("smp.asm")
VARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "repaired": "",
        "lost-wakeup": "LOST_WAKEUP",
        "lost-update": "LOST_UPDATE",
        "deadlock": "DEADLOCK",
    }
)
"""What nasm is told with -d for each; nothing for the one without a bug."""
BUGS: Final = tuple(name for name, define in VARIANTS.items() if define)
PASSED: Final = 'stop == "suspended" and "passed" in console'
"""Condition of `lapis explore` for a run that went well."""
FAILED: Final = 'stop and "passed" not in console'
"""Condition for one that came to any other end."""

VERDICTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lost-wakeup": 'stop == "halted"',
        "lost-update": 'stop and "wrong count" in console',
        "deadlock": "u16(0x704) == 1 and u16(0x706) == 2",
    }
)
"""Condition of `lapis explore` for what each bug comes to: no run of another variant
meets it."""


def kernel(name: str) -> Path:
    """Return the file of one of `VARIANTS`."""
    return SOURCE.with_name(f"smp-{name}.bin")


def arguments(name: str, out: Path) -> list[str]:
    """Return the arguments of nasm that make it."""
    define = VARIANTS[name]
    more = ["-d", define] if define else []
    return ["-f", "bin", *more, "-o", str(out), str(SOURCE)]
