"""What each act takes, by name: the part of a recording that says what was done.

These names are written into recordings and are there for ever. A parameter that is
added later is optional: without it the act does what it did before. A golden list in
the tests holds the table, and another test that the verbs of `Machine` take just this.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an act wants by one name."""

    kinds: tuple[type, ...]
    words: str
    """The kinds, for people."""
    required: bool = True
    since: int = 1
    """State schema (`replay.schema`) under which it came; older recordings lack it."""


Schema = dict[str, Parameter]

INT: Final = Parameter((int,), "int")
BOOL: Final = Parameter((bool,), "bool")
STR: Final = Parameter((str,), "str")
MAPPING: Final = Parameter((dict,), "a mapping")
OPTIONAL_INT: Final = Parameter((int,), "int", required=False)
OPTIONAL_BOOL: Final = Parameter((bool,), "bool", required=False)
OPTIONAL_STR: Final = Parameter((str,), "str", required=False)
INT_OR_NONE: Final = Parameter((int, type(None)), "int or None", required=False)
STR_OR_NONE: Final = Parameter((str, type(None)), "str or None", required=False)

ACTS: Final[Mapping[str, Schema]] = MappingProxyType(
    {
        "answer": {"number": INT, "value": INT, "by": OPTIONAL_STR},
        "answer_by_device": {"number": INT, "by": OPTIONAL_STR},
        "answer_fault": {
            "number": INT,
            "name": STR,
            "error": INT_OR_NONE,
            "address": INT_OR_NONE,
            "by": OPTIONAL_STR,
        },
        "clear_interference": {"number": INT_OR_NONE},
        "discard": {"number": INT, "by": OPTIONAL_STR},
        "import_apic": {
            "number": INT, "saved": MAPPING, "source": STR, "lenient": BOOL,
        },
        "import_system": {"saved": MAPPING},
        "inject_nmi": {"number": INT},
        "interfere": {
            "action": STR,
            "mode": STR_OR_NONE,
            "to": INT_OR_NONE,
            "sender": INT_OR_NONE,
            "vector": INT_OR_NONE,
            "nth": OPTIONAL_INT,
            "by": OPTIONAL_INT,
        },
        "kernemu_read": {"number": INT, "gpa": INT, "size": INT},
        "kernemu_write": {"number": INT, "gpa": INT, "size": INT, "value": INT},
        "move_keys": {"codes": STR},
        "press_power": {},
        "press_reset": {},
        "pulse_lint": {"lint": INT, "number": INT_OR_NONE},
        "receive": {"port": STR, "data": STR},
        "run": {"limit": INT},
        "send_ipi": {"sender": INT, "icr": INT},
        "send_msi": {"address": INT, "data": INT},
        "set_isrvec": {"on": BOOL},
        "set_line": {"irq": INT, "asserted": BOOL},
        "set_lint": {"name": STR, "on": BOOL},
        "set_pin": {"pin": INT, "asserted": BOOL},
        "set_quantum": {"quantum": INT},
        "set_run_state": {"number": INT, "state": INT, "sipi_vector": OPTIONAL_INT},
        "set_schedule": {"policy": STR, "only": INT_OR_NONE},
        "step": {"number": INT, "count": OPTIONAL_INT},
        "touch": {
            "number": INT, "address": INT, "size": INT, "physical": OPTIONAL_BOOL,
        },
        "trap": {"space": STR, "first": INT, "size": OPTIONAL_INT},
        "unplug": {"number": INT},
        "untrap": {"number": INT_OR_NONE},
        "write_apic": {"number": INT, "register": STR, "value": INT},
        "write_memory": {
            "number": INT, "address": INT, "data": STR, "physical": OPTIONAL_BOOL,
        },
        "write_msr": {"number": INT, "msr": INT, "value": INT},
        "write_register": {
            "number": INT, "name": STR, "value": INT, "raw": OPTIONAL_BOOL,
        },
    }
)  # fmt: skip
"""By verb and name."""


def listing() -> list[str]:
    """Return the table, one line per parameter, sorted: what the golden list holds."""
    return sorted(
        f"{verb}.{name}: {it.words}{'' if it.required else ', optional'}"
        f"{f', since {it.since}' if it.since > 1 else ''}"
        for verb, schema in ACTS.items()
        for name, it in schema.items()
    )
