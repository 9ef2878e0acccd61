"""What HyperDbg prints of a local APIC: `!apic`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_sessions.apic_files.contents import Contents, contents_of
from lapis_sessions.apic_files.registers import Dump, contents, vectors

if TYPE_CHECKING:
    from lapis_sessions.apic_files.pasted import Pasted

HEAD: Final = re.compile(
    r"(?:(\d{1,4}): kHyperDbg> !apic )?\*{0,3} ?\((X2APIC|XAPIC) Mode\) PHYSICAL LAPIC "
    r"ID = (\d{1,10}), Ver = 0x([0-9a-f]{1,8}), MaxLvtEntry",
    re.IGNORECASE,
)
END: Final = re.compile(r"kHyperDbg>|IoApic @ ", re.IGNORECASE)
KEYS: Final = {
    "TPR": "tpr", "PPR": "ppr", "LDR": "ldr", "SVR": "svr", "Err": "esr",
    "LVT_INT0": "lvt_lint0", "LVT_INT1": "lvt_lint1", "LVT_CMCI": "lvt_cmci",
    "LVT_PMCR": "lvt_perf", "LVT_TMR": "lvt_timer", "LVT_TSR": "lvt_thermal",
    "LVT_ERR": "lvt_error", "InitialCount": "timer_initial",
    "CurrentCount": "timer_current", "DivideConfig": "timer_divide",
}  # fmt: skip
LOWER: Final = {key.lower(): value for key, value in KEYS.items()}
SPELLED: Final = {value: key for key, value in KEYS.items()} | {
    "icr": "ICR", "dfr": "DFR", "isr": "ISR", "irr": "IRR", "tmr": "TMR",
}  # fmt: skip
VALUE: Final = re.compile(
    r"(?<![a-z0-9_])(" + "|".join(KEYS) + r") ?= ?0x([0-9a-z]{0,9})", re.IGNORECASE
)
LIST: Final = re.compile(
    r"(?<![a-z0-9_])(ISR|TMR|IRR) ?: ?((?: ?0x[0-9a-z]{0,9})*)", re.IGNORECASE
)


def is_dump(text: str) -> bool:
    """Tell whether there is such a dump in `text`."""
    return HEAD.search(text) is not None


def read(name: str, text: Pasted) -> list[Contents]:
    """Understand the dumps in `text`; raise `ApicFileError` naming the line."""
    return contents_of(name, text.headed(HEAD, END), _contents)


def _contents(name: str, head: re.Match[str], text: str, *, is_cut: bool) -> Contents:
    dump = Dump(None if head[1] is None else int(head[1]))
    x2apic = head[2].upper() == "X2APIC"
    if not x2apic:
        # In the other mode the upper byte of the id is printed, which says nothing.
        dump.put("id", (int(head[3]) & 0xFF) << 24, f"LAPIC ID = {head[3]}")
    dump.put("version", int(head[4], 16), f"Ver = 0x{head[4]}")
    for row in VALUE.finditer(text):
        if not re.fullmatch(r"[0-9a-fA-F]{8}", row[2]):
            raise ValueError(f"{row[1]} has no number of 8 digits: {row[0][:40]!r}")
        dump.put(LOWER[row[1].lower()], int(row[2], 16), f"{row[1]} = 0x{row[2]}")
    for row in LIST.finditer(text):
        word = row[1].upper()
        if is_cut and not text[row.end() :].strip():
            raise ValueError(
                f"line {word} may be cut: the file ends in it, without the end "
                f"of a line"
            )
        numbers = []
        for each in row[2].split():
            if not re.fullmatch(r"0[xX][0-9a-fA-F]{2}", each):
                raise ValueError(f"line {word}: {each!r} is no vector of two digits")
            numbers.append(int(each, 16))
        shown = f"{word} : {row[2].strip() or '(none)'}"
        dump.put(word.lower(), vectors(word, numbers), shown)
    if "timer_initial" not in dump.values:
        dump.values.pop("timer_current", None)
    return contents(name, "hyperdbg", dump, SPELLED, (x2apic, ""))
