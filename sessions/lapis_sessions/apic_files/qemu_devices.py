"""The text of QEMU's `info pic` and `info irq`: IOAPIC, 8259 pair, and counts.

Of `ioapic_print_info`, `pic_print_info` and `hmp_info_irq`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.ioapic import pins as ioapic_pins
from lapis_engine.devices.ioapic import regs
from lapis_sessions.apic_files.contents import Chip, Ioapic, Line
from lapis_sessions.apic_files.pasted import ranges

if TYPE_CHECKING:
    from lapis_sessions.apic_files.pasted import Pasted

HEAD: Final = re.compile(
    r"(ioapic\d{1,2}): ?ver=0x([0-9a-f]{1,2}) id=0x([0-9a-f]{1,2}) "
    r"sel=0x([0-9a-f]{1,2})(?![0-9a-z])",
    re.IGNORECASE,
)
PIN: Final = re.compile(
    r"(?<![a-z0-9])pin (\d{1,3}) 0x([0-9a-f]{1,17})(?![0-9a-f])"
    r"(?: dest=(\d{1,3}) vec=(\d{1,3})(?!\d))?",
    re.IGNORECASE,
)
LOOSE: Final = re.compile(r"(?<![a-z0-9])pin (\d{1,3}) 0x", re.IGNORECASE)
LINES: Final = re.compile(
    r"(?<!remote )(?<![a-z])IRR ((?:\d{1,3} ?)+|\(none\))(?=[ \n]|$)", re.IGNORECASE
)
REMOTE: Final = re.compile(
    r"Remote IRR ((?:\d{1,3} ?)+|\(none\))(?=[ \n]|$)", re.IGNORECASE
)
CHIP: Final = re.compile(
    r"pic([01]): ?irr=([0-9a-f]{2}) imr=([0-9a-f]{2}) isr=([0-9a-f]{2}) "
    r"hprio=([0-7]) irq_base=([0-9a-f]{2})(?: rr_sel=\d)?(?: elcr=([0-9a-f]{2}))?"
    r"(?![0-9a-f])",
    re.IGNORECASE,
)
OTHER: Final = re.compile(
    r"pic[01]: ?irr=|\(qemu\)|IRQ statistics|dumping local APIC"
    r"|(?<![a-z0-9])(?:LVT[A-Z0-9]{1,4}|SPIV|ESR|ICR2?|APR|TPR|Timer|ISR) ?[0-9(D]",
    re.IGNORECASE,
)
"""What ends the text of an IOAPIC."""
LOOSE_CHIP: Final = re.compile(r"pic([01]): ?irr=", re.IGNORECASE)
STATISTICS: Final = re.compile(
    r"IRQ statistics(?: for ([a-z0-9_-]{1,40}))?: ?"
    r"((?: ?\d{1,4}: \d{1,20}(?![0-9:]))+)",
    re.IGNORECASE,
)
COUNT: Final = re.compile(r"(\d{1,4}): (\d{1,20})")
MOST_PINS: Final = 240


def is_dump(text: str) -> bool:
    """Tell whether there is an IOAPIC or an 8259 in `text`."""
    return bool(HEAD.search(text) or LOOSE_CHIP.search(text) or STATISTICS.search(text))


def ioapic(text: Pasted) -> tuple[Ioapic | None, list[str]]:
    """Return the first IOAPIC and remarks; raise `ValueError` naming the line."""
    heads = list(HEAD.finditer(text.flat))
    if not heads:
        return None, []
    head, remarks = heads[0], []
    end = heads[1].start() if len(heads) > 1 else len(text.flat)
    if len(heads) > 1:
        others = ", ".join(each[1] for each in heads[1:])
        remarks.append(f"{others}: left out, as a machine here has one IOAPIC")
    other = OTHER.search(text.flat, head.end(), end)
    end = end if other is None else other.start()
    part = text.flat[head.end() : end]
    is_cut = end == len(text.flat) and not text.is_whole
    entries = _entries(part)
    asserted = _asserted(part, entries, is_cut=is_cut)
    count = max(24, *entries, 0) + (max(entries, default=0) >= 24)
    absent = [n for n in range(count) if n not in entries]
    if absent:
        remarks.append(f"{head[1]} has no pin {ranges(absent)} in the text")
    if asserted is None:
        remarks.append(f"{head[1]} has no line IRR: which pins are high is not known")
    return Ioapic(
        entries, count, int(head[2], 16), int(head[3], 16) & 0xF, int(head[4], 16),
        asserted, head[1].lower(),
    ), remarks  # fmt: skip


def _entries(part: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for pin in PIN.finditer(part):
        number, digits = int(pin[1]), pin[2]
        if len(digits) != 16:
            raise ValueError(
                f"pin {number} has no number of 16 digits: {pin[0][:40]!r}"
            )
        entry = int(digits, 16)
        fields = ioapic_pins.decode(entry)
        if pin[4] is not None and (fields.destination, fields.vector) != (
            int(pin[3]),
            int(pin[4]),
        ):
            raise ValueError(f"pin {number}: dest and vec are not of {digits}")
        if number >= MOST_PINS:
            raise ValueError(f"pin {number}: an IOAPIC has {MOST_PINS} at most")
        if found.setdefault(number, entry) != entry:
            raise ValueError(f"pin {number} is there twice")
    for pin in LOOSE.finditer(part):
        if int(pin[1]) not in found:
            raise ValueError(f"pin {pin[1]} has no number of 16 digits")
    return found


def _asserted(
    part: str, entries: dict[int, int], *, is_cut: bool
) -> frozenset[int] | None:
    """Return the pins that are high, and check those whose remote IRR is set."""
    remote = REMOTE.search(part)
    if remote is not None and not (is_cut and remote.end() == len(part)):
        said = _listed(remote[1])
        for number, entry in entries.items():
            if bool(entry & regs.REMOTE_IRR) != (number in said):
                raise ValueError(
                    f"line Remote IRR and the entry of pin {number} differ"
                )
    high = LINES.search(part)
    if high is None or (is_cut and high.end() == len(part)):
        return None
    return _listed(high[1])


def _listed(text: str) -> frozenset[int]:
    if text.startswith("("):
        return frozenset()
    numbers = [int(word) for word in text.split()]
    if numbers != sorted(set(numbers)):
        raise ValueError(f"line IRR: {text[:40]!r} does not ascend")
    return frozenset(numbers)


def pic(text: Pasted) -> tuple[tuple[Chip, Chip] | None, list[str]]:
    """Return the 8259 pair and remarks; raise `ValueError` naming the line."""
    found: dict[str, Chip] = {}
    for row in CHIP.finditer(text.flat):
        if row[7] is None:
            raise ValueError(f"line pic{row[1]} may be cut: it has no elcr")
        irr, imr, isr, base = (int(row[n], 16) for n in (2, 3, 4, 6))
        lowest = (int(row[5]) - 1) % 8
        chip = Chip(irr, imr, isr, int(row[7], 16), base, lowest)
        if found.setdefault(row[1], chip) != chip:
            raise ValueError(f"pic{row[1]} is there twice")
    if not found:
        if LOOSE_CHIP.search(text.flat):
            raise ValueError("lines pic0 and pic1 cannot be read")
        return None, []
    if len(found) != 2:
        return None, [f"the text has pic{min(found)} alone, and is taken to have none"]
    remark = "the text has no AEOI and no special mask mode of the 8259: off is taken"
    return (found["0"], found["1"]), [remark]


def counts(text: Pasted) -> list[Line]:
    """Return what `info irq` says of each number."""
    out = []
    for part in STATISTICS.finditer(text.flat):
        who = (part[1] or "all").lower()
        follows = text.flat[part.end() : part.end() + 2].strip()
        if follows[:1].isdigit() or (
            part.end() == len(text.flat) and not text.is_whole
        ):
            raise ValueError(f"the counts of `info irq` of {who} may be cut")
        for row in COUNT.finditer(part[2]):
            pin = int(row[1]) if "ioapic" in who else None
            out.append(Line(row[1], f"of {who}", pin, count=int(row[2])))
    return out
