"""From the registers that a text has to an APIC, and what the text does not have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.saved import lapic as lapic_record
from lapis_sessions.apic_files.contents import Contents, apicbase, count, ppr_remark

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Final = {
    "tpr": "vlp_tpr", "ldr": "vlp_ldr", "dfr": "vlp_dfr", "svr": "vlp_svr",
    "esr": "vlp_esr", "icr": "vlp_icr", "id": "vlp_id", "version": "vlp_version",
    "timer_initial": "vlp_icr_timer", "timer_divide": "vlp_dcr_timer",
    "lvt_cmci": "vlp_lvt_cmci", "lvt_timer": "vlp_lvt_timer",
    "lvt_thermal": "vlp_lvt_thermal", "lvt_perf": "vlp_lvt_pcint",
    "lvt_lint0": "vlp_lvt_lint0", "lvt_lint1": "vlp_lvt_lint1",
    "lvt_error": "vlp_lvt_error",
}  # fmt: skip
"""Register -> field of the record."""
BANKS: Final = {"isr": "vlp_isr", "tmr": "vlp_tmr", "irr": "vlp_irr"}
WANTED: Final = (
    "lvt_timer", "lvt_thermal", "lvt_perf", "lvt_lint0", "lvt_lint1", "lvt_error",
    "svr", "tpr", "isr", "irr", "tmr", "icr", "ldr", "dfr", "esr", "timer_initial",
    "timer_divide",
)  # fmt: skip
TIMER: Final = "timer"
"""What `missing` calls the counts of the timer."""
MODE: Final = {False: "xAPIC", True: "x2APIC"}


@dataclass(slots=True)
class Dump:
    """The registers of one APIC as a text has them."""

    number: int | None = None
    """Of the processor."""
    values: dict[str, int] = field(default_factory=dict)
    """By the engine's name; ISR, TMR and IRR are 256 bits; also ppr and
    timer_current."""
    shown: dict[str, str] = field(default_factory=dict)
    """The same as they stand there."""

    def put(self, name: str, value: int, shown: str) -> None:
        """Note a register; raise `ValueError` when it is there with another value."""
        before = self.values.get(name)
        if before is not None and before != value:
            raise ValueError(
                f"{self.shown[name][:40]!r} and {shown[:40]!r} are of one register"
            )
        self.values[name], self.shown[name] = value, shown


def contents(
    name: str,
    form: str,
    dump: Dump,
    spelled: Mapping[str, str],
    mode: tuple[bool, str],
) -> Contents:
    """Return the APIC of a dump.

    `spelled` has the registers that such a text can have, as it spells them. `mode` is
    whether it is an x2APIC, and why.
    """
    values, x2apic = dump.values, mode[0]
    is_first = dump.number == 0 if dump.number is not None else not values.get("id", 0)
    fields: dict[str, Any] = {
        FIELDS[key]: value for key, value in values.items() if key in FIELDS
    }
    fields |= {
        BANKS[key]: list(lapic_record.words(value))
        for key, value in values.items()
        if key in BANKS
    }
    fields |= {
        "vlp_apr": 0,
        "vl_esr_pending": 0,
        "vl_msr_apicbase": apicbase(x2apic=x2apic, bsp=is_first),
    }
    lvt, initial = values.get("lvt_timer", 0), values.get("timer_initial", 0)
    left, timer = count(lvt, initial, values.get("timer_current"))
    if left > initial:
        raise ValueError(
            f"the current count, {left}, is above the initial one, {initial}"
        )
    remarks = [f"the text has no APICBASE: {MODE[x2apic]} mode is taken{mode[1]}"]
    if dump.number is None:
        remarks.append("the text does not say which CPU it is of")
    if not {"id", "version"} & values.keys():
        remarks.append("the text has no version and no id: the target's stay")
    if "ppr" in values and {"tpr", "isr"} <= values.keys():
        row = fields["vlp_isr"]
        remarks.append(ppr_remark(values["ppr"], values["tpr"], row))
    missing = [key for key in WANTED if key not in values]
    if {"isr", "irr"} & set(missing) and "tmr" in missing:
        missing.remove("tmr")
    if missing:
        words = ", ".join(dict.fromkeys(spelled.get(key, key) for key in missing))
        remarks.append(f"the text has no {words}: what it was is not known")
    if timer and "lvt_timer" in values:
        remarks.append(timer)
    return Contents(
        name,
        form,
        {"lapic": fields, "timer_current": left},
        tuple(remarks),
        dump.number,
        missing=tuple(
            dict.fromkeys(TIMER if key.startswith("timer_") else key for key in missing)
        ),
        shown=dict(dump.shown),
    )


def vectors(what: str, numbers: list[int]) -> int:
    """Return the bits of a list of vectors that ascends; raise `ValueError`.

    Every one is legal, 16 to 255: so a number that was cut in two does not pass.
    """
    bits, before = 0, -1
    for number in numbers:
        if not 0x10 <= number <= 0xFF:
            raise ValueError(f"line {what}: {number} is no vector, 16 to 255")
        if number <= before:
            raise ValueError(f"line {what}: {number} comes after {before}")
        bits, before = bits | 1 << number, number
    return bits
