"""The text of QEMU's monitor command `info lapic` (`x86_cpu_dump_local_apic_state`).

It has no id, no version, no APICBASE and no deadline. Older ones have no current count,
and no blank before PPR.
"""

from __future__ import annotations

import re
from typing import Any

from lapis_engine.saved import lapic as lapic_record
from lapis_sessions.apic_files.contents import (
    ApicFileError,
    Contents,
    apicbase,
    count,
    ppr_remark,
)

HEAD = re.compile(r"dumping local APIC state for CPU\s+(\d{1,9})\s*$", re.MULTILINE)
REGISTERS = {
    "LVT0": "vlp_lvt_lint0",
    "LVT1": "vlp_lvt_lint1",
    "LVTPC": "vlp_lvt_pcint",
    "LVTERR": "vlp_lvt_error",
    "LVTTHMR": "vlp_lvt_thermal",
    "LVTT": "vlp_lvt_timer",
    "SPIV": "vlp_svr",
    "ESR": "vlp_esr",
    "ICR": "",
    "ICR2": "",
}
"""First word of a line with one register -> field of the record."""
NAMES = (*REGISTERS, "Timer", "ISR", "IRR", "APR")
VALUE = re.compile(r"0x([0-9a-fA-F]{1,8})(?![0-9a-zA-Z])")
TIMER = re.compile(
    r"DCR=0x([0-9a-fA-F]{1,8}) \(divide by \d+\)\s+initial_count = (\d{1,10})"
    r"(?:\s+current_count = (\d{1,10}))?\s*$"
)
VECTOR = re.compile(r"(\d{1,9})(\(level\))?")
LAST = re.compile(
    r"APR 0x([0-9a-f]{1,8}) TPR 0x([0-9a-f]{1,8}) DFR 0x([0-9a-f]{1,8}) "
    r"LDR 0x([0-9a-f]{1,8})(?:\s*\(cluster \d+: id \d+\))?\s*PPR 0x([0-9a-f]{1,8})\s*$",
    re.IGNORECASE,
)
NOT_IN_XAPIC = 0x00FF_FFFF
"""Bits of ICR2 that only an x2APIC destination has."""


def is_dump(text: str) -> bool:
    """Tell whether there is such a dump in `text`."""
    return HEAD.search(text) is not None


def read(name: str, text: str) -> Contents:
    """Understand the dump in `text`, whatever stands before it.

    Raises `ApicFileError` naming the line.
    """
    heads = list(HEAD.finditer(text))
    if len(heads) != 1:
        raise ApicFileError(
            f"APIC file {name!r} has the dumps of {len(heads)} CPUs; leave one in it"
        )
    number = int(heads[0][1])
    try:
        saved, remarks = _saved(_lines(text[heads[0].end() :]), number)
    except ValueError as error:
        raise ApicFileError(f"APIC file {name!r}: {error}") from None
    return Contents(name, "qemu", saved, tuple(remarks), number)


def _lines(text: str) -> dict[str, str]:
    """Return the lines that are wanted by their first word."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split(maxsplit=1)
        if words and words[0] in NAMES:
            if words[0] in found:
                raise ValueError(f"line {words[0]} is there twice")
            found[words[0]] = line.strip()
    for wanted in NAMES:
        if wanted not in found:
            raise ValueError(f"line {wanted} is missing")
    return found


def _saved(lines: dict[str, str], number: int) -> tuple[dict[str, Any], list[str]]:
    values = {each: _value(each, lines[each]) for each in REGISTERS}
    isr, isr_level = _vectors("ISR", lines["ISR"])
    irr, irr_level = _vectors("IRR", lines["IRR"])
    x2apic = bool(values["ICR2"] & NOT_IN_XAPIC)
    given, ppr = _last(lines["APR"])
    divide, initial, current = _timer(lines["Timer"])
    lapic: dict[str, Any] = {
        **{field: values[each] for each, field in REGISTERS.items() if field},
        **given,
        "vlp_icr": values["ICR2"] << 32 | values["ICR"],
        "vlp_isr": list(lapic_record.words(isr)),
        "vlp_irr": list(lapic_record.words(irr)),
        "vlp_tmr": list(lapic_record.words(isr_level | irr_level)),
        "vlp_dcr_timer": divide,
        "vlp_icr_timer": initial,
        "vl_msr_apicbase": apicbase(x2apic=x2apic, bsp=number == 0),
        "vl_esr_pending": 0,
    }
    if x2apic:
        how = f"x2APIC mode is taken, because ICR2 is {values['ICR2']:#x}"
    else:
        how = "xAPIC mode is taken"
    left, timer = count(lapic["vlp_lvt_timer"], initial, current)
    remarks = [
        f"the text has no APICBASE: {how}",
        "the text has no version and no id: the target's stay",
        ppr_remark(ppr, lapic["vlp_tpr"], lapic["vlp_isr"]),
    ]
    return {"lapic": lapic, "timer_current": left}, remarks + [timer] * bool(timer)


def _value(name: str, line: str) -> int:
    found = VALUE.match(line.split(maxsplit=1)[-1])
    if found is None:
        raise ValueError(f"line {name} has no number of 32 bits: {line[:40]!r}")
    return int(found[1], 16)


def _timer(line: str) -> tuple[int, int, int | None]:
    """Return divide configuration, initial count and current count."""
    found = TIMER.match(line.split(maxsplit=1)[-1])
    if found is None:
        raise ValueError(f"line Timer cannot be read: {line[:60]!r}")
    current = None if found[3] is None else int(found[3])
    return int(found[1], 16), int(found[2]), current


def _vectors(name: str, line: str) -> tuple[int, int]:
    """Return the vectors of a list, and those of them that are level-triggered."""
    words = line.split()[1:]
    every = level = 0
    for word in [] if words == ["(none)"] else words:
        found = VECTOR.fullmatch(word)
        if found is None or int(found[1]) > 0xFF:
            raise ValueError(f"line {name}: {word[:20]!r} is no vector, 0 to 255")
        every |= 1 << int(found[1])
        level |= 1 << int(found[1]) if found[2] else 0
    if not words:
        raise ValueError(f"line {name} has neither vectors nor (none)")
    return every, level


def _last(line: str) -> tuple[dict[str, int], int]:
    """Return the fields of the last line, and the PPR."""
    found = LAST.match(line)
    if found is None:
        raise ValueError(f"line APR cannot be read: {line[:60]!r}")
    _, tpr, dfr, ldr, ppr = (int(digits, 16) for digits in found.groups())
    for name, value, most in (
        ("TPR", tpr, 0xFF), ("DFR", dfr, 0xF), ("LDR", ldr, 0xFF), ("PPR", ppr, 0xFF),
    ):  # fmt: skip
        if value > most:
            raise ValueError(f"line APR: {name} {value:#x} is above {most:#x}")
    given = {"vlp_tpr": tpr, "vlp_dfr": dfr << 28, "vlp_ldr": ldr << 24}
    return given | {"vlp_apr": 0}, ppr
