"""What Linux prints of local APICs and of the 8259 pair with `apic=debug`.

`print_local_APIC` and `print_PIC` of arch/x86/kernel/apic, and what they were in 2.4,
where the bits of ISR, TMR and IRR are digits of their own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_engine.saved import lapic as lapic_record
from lapis_sessions.apic_files.contents import ApicFileError, Chip, Contents
from lapis_sessions.apic_files.page import is_x2apic
from lapis_sessions.apic_files.registers import Dump, contents

if TYPE_CHECKING:
    from lapis_sessions.apic_files.pasted import Pasted

HEAD: Final = re.compile(
    r"printing local APIC contents on CPU#(\d{1,5})/(\d{1,5})(?!\d)", re.IGNORECASE
)
SPELLED: Final = {
    "id": "APIC ID", "version": "APIC VERSION", "tpr": "APIC TASKPRI",
    "ldr": "APIC LDR", "dfr": "APIC DFR", "svr": "APIC SPIV", "esr": "APIC ESR",
    "icr": "APIC ICR and ICR2", "isr": "APIC ISR field", "tmr": "APIC TMR field",
    "irr": "APIC IRR field", "lvt_timer": "APIC LVTT", "lvt_perf": "APIC LVTPC",
    "lvt_lint0": "APIC LVT0", "lvt_lint1": "APIC LVT1", "lvt_error": "APIC LVTERR",
    "lvt_thermal": "APIC LVTTHMR", "timer_initial": "APIC TMICT",
    "timer_divide": "APIC TDCR",
}  # fmt: skip
KEYS: Final = {
    "ID": "id", "VERSION": "version", "TASKPRI": "tpr", "PROCPRI": "ppr",
    "LDR": "ldr", "DFR": "dfr", "SPIV": "svr", "ESR": "esr", "ICR": "icr",
    "ICR2": "icr2", "LVTT": "lvt_timer", "LVTPC": "lvt_perf", "LVT0": "lvt_lint0",
    "LVT1": "lvt_lint1", "LVTERR": "lvt_error", "TMICT": "timer_initial",
    "TMCCT": "timer_current", "TDCR": "timer_divide",
}  # fmt: skip
VALUE: Final = re.compile(
    r"\.{1,3} APIC (" + "|".join(KEYS) + r"): ([0-9a-z]{1,17})(?![0-9a-z])",
    re.IGNORECASE,
)
BITS: Final = re.compile(
    r"\.{1,3} APIC (ISR|TMR|IRR) field: ([0-9a-f ]{1,330})", re.IGNORECASE
)
LABEL: Final = re.compile(r"[ \n]*\.{1,3} APIC ([A-Z0-9]{2,8})", re.IGNORECASE)
FIELDS: Final = frozenset({"ISR", "TMR", "IRR"})
NEXT: Final = {"ISR": "TMR", "TMR": "IRR"}
"""Fields are printed one behind another: what comes after each."""
RULER: Final = "0123456789abcdef" * 2
"""What 2.4 prints above the bits."""
PIC: Final = re.compile(
    r"\.{1,3} PIC ?(IMR|IRR|ISR|ELCR): ([0-9a-z]{1,9})(?![0-9a-z])", re.IGNORECASE
)


def is_dump(text: str) -> bool:
    """Tell whether there is such a dump in `text`."""
    return bool(HEAD.search(text) or VALUE.search(text) or PIC.search(text))


def read(name: str, text: Pasted) -> tuple[list[Contents], list[str]]:
    """Understand the dumps in `text`; raise `ApicFileError` naming the line."""
    flat = text.flat
    heads = list(HEAD.finditer(flat))
    spans = [(int(head[1]), int(head[2]), head.end()) for head in heads]
    if not spans and VALUE.search(flat):
        spans = [(-1, -1, 0)]
    found, remarks = [], []
    for nth, (number, ident, first) in enumerate(spans):
        last = heads[nth + 1].start() if nth + 1 < len(heads) else len(flat)
        try:
            dump = _dump(None if number < 0 else number, flat[first:last])
            _check_id(dump, ident)
            apic = _contents(name, dump)
        except ValueError as error:
            which = "" if number < 0 else f"CPU#{number}: "
            raise ApicFileError(f"APIC file {name!r}: {which}{error}") from None
        if apic is None:
            remarks.append(f"of CPU#{number} the text has the head alone")
        else:
            found.append(apic)
    return found, remarks


def _check_id(dump: Dump, ident: int) -> None:
    """Compare the id with that of the head; raise `ValueError` when they differ."""
    found = dump.values.get("id")
    if ident >= 0 and found is not None and ident not in {found, found >> 24}:
        raise ValueError(f"the head names APIC id {ident}, and APIC ID is {found:08x}")


def _dump(number: int | None, text: str) -> Dump:
    """Return the registers of one APIC; raise `ValueError` naming the line."""
    dump = Dump(number)
    for row in VALUE.finditer(text):
        word, digits = row[1].upper(), row[2]
        if not re.fullmatch(r"[0-9a-fA-F]{8}", digits):
            raise ValueError(f"APIC {word} has no number of 8 digits: {row[0][:40]!r}")
        dump.put(KEYS[word], int(digits, 16), f"APIC {word}: {digits}")
    for row in BITS.finditer(text):
        word = row[1].upper()
        follows = LABEL.match(text, row.end())
        after = "" if follows is None else follows[1].upper()
        if after != NEXT[word] if word in NEXT else after in FIELDS or not after:
            continue  # its bits may be those of the next one, whose label was cut
        bits = _bits(word, row[2])
        found = [str(n) for n in range(256) if bits >> n & 1]
        shown = f"APIC {word} field: {', '.join(found) or 'no bit'}"
        dump.put(word.lower(), bits, shown)
    return dump


def _contents(name: str, dump: Dump) -> Contents | None:
    """Return the APIC, or None where there is no register of it."""
    if not dump.shown:
        return None
    icr, icr2 = dump.values.pop("icr", None), dump.values.pop("icr2", None)
    if icr is not None and icr2 is not None:
        dump.values["icr"] = icr2 << 32 | icr
    ldr = dump.values.get("ldr", 0)
    x2apic = is_x2apic(ldr)
    if "timer_initial" not in dump.values:
        dump.values.pop("timer_current", None)
    why = f", because LDR is {ldr:#x}" if "ldr" in dump.values else ""
    return contents(name, "linux", dump, SPELLED, (x2apic, why))


def _bits(word: str, text: str) -> int:
    """Return the bits of a field: eight words of hex, or eight rows of 32 digits."""
    words = text.split()
    if words and words[0].lower() == RULER:
        words = words[1:]
    rows = words[:8]
    if len(words) == 8 and all(len(r) == 32 and not set(r) - {"0", "1"} for r in rows):
        return int("".join(rows)[::-1], 2)
    digits = "" if words and len(words[0]) == 32 else "".join(words)
    if len(digits) != 64:
        raise ValueError(
            f"APIC {word} field has neither 64 digits of hex nor 8 rows of 32 bits"
        )
    row = [int(digits[n : n + 8], 16) for n in range(0, 64, 8)]
    return lapic_record.bank(tuple(row))


def pic(text: Pasted) -> tuple[tuple[Chip, Chip] | None, list[str]]:
    """Return the 8259 pair and remarks; raise `ValueError` naming the line."""
    found: dict[str, int] = {}
    for row in PIC.finditer(text.flat):
        word, digits = row[1].upper(), row[2]
        if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            raise ValueError(f"PIC {word} has no number of 4 digits: {row[0][:40]!r}")
        value = int(digits, 16)
        if found.setdefault(word, value) != value:
            raise ValueError(f"PIC {word} is there twice, and differs")
    if not found:
        return None, []
    if len(found) != 4:
        absent = ", ".join(w for w in ("IMR", "IRR", "ISR", "ELCR") if w not in found)
        return None, [f"the text has no PIC {absent}, and is taken to have no 8259"]
    master, slave = (
        Chip(*(found[word] >> shift & 0xFF for word in ("IRR", "IMR", "ISR", "ELCR")))
        for shift in (0, 8)
    )
    remark = "the text has no vector base of the 8259: what it asks for has no vector"
    return (master, slave), [remark]
