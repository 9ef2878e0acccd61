"""What the kernel debugger of Windows prints: `!apic`, `!ioapic` and `!pic`.

HyperDbg prints its IOAPIC in the same way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_sessions.apic_files.contents import (
    Chip,
    Contents,
    Ioapic,
    contents_of,
)
from lapis_sessions.apic_files.pasted import ranges
from lapis_sessions.apic_files.registers import Dump, contents, vectors

if TYPE_CHECKING:
    from lapis_sessions.apic_files.pasted import Pasted

HEAD: Final = re.compile(
    r"(?:(\d{1,4}): kd> !apic )?(?<![a-z0-9])"
    r"Apic (?:@ [0-9a-f`]{1,17}|\((x2Apic) mode\)) "
    r"ID:([0-9a-f]{1,8}) \(([0-9a-f]{1,8})\)",
    re.IGNORECASE,
)
END: Final = re.compile(r"kd> |IoApic @ |----- IRQ Number", re.IGNORECASE)
SPELLED: Final = {
    "id": "ID", "tpr": "TPR", "ldr": "LogDesc", "dfr": "DestFmt", "svr": "SpurVec",
    "esr": "error", "icr": "Ipi Cmd", "lvt_timer": "Timer", "lvt_lint0": "Linti0",
    "lvt_lint1": "Linti1", "lvt_perf": "Perf", "lvt_thermal": "Thermal",
    "lvt_error": "mask of FaultVec", "isr": "ISR", "irr": "IRR", "tmr": "TMR",
    "timer_initial": "initial count", "timer_divide": "divide configuration",
}  # fmt: skip
NAMED: Final = {
    "LogDesc:": ("ldr", 8), "DestFmt:": ("dfr", 8), "TPR ": ("tpr", 2),
    "SpurVec:": ("svr", 2), "error:": ("esr", 0),
}  # fmt: skip
WIDE: Final = re.compile(
    r"(Ipi Cmd|Timer|Linti0|Linti1)\.{0,3}: ?([0-9a-f]*)[`']([0-9a-f]*)(?![0-9a-z])",
    re.IGNORECASE,
)
WIDE_KEYS: Final = {
    "ipi cmd": "icr", "timer": "lvt_timer", "linti0": "lvt_lint0",
    "linti1": "lvt_lint1",
}  # fmt: skip
ITEM: Final = r"[0-9a-f]{1,8}(?:-[0-9a-f]{0,8})?(?![0-9a-z])"
LIST: Final = re.compile(
    rf"(?<![a-z0-9])(TMR|IRR|ISR)::? ?((?!\d+: ){ITEM}(?: ?, ?{ITEM})*(?: ?,)?)?",
    re.IGNORECASE,
)
RANGE: Final = re.compile(r"([0-9a-f]{2})(?:-([0-9a-f]{2}))?", re.IGNORECASE)
IOAPIC: Final = re.compile(
    r"IoApic @ [0-9a-f`]{1,17} ID:([0-9a-f]{1,2}) \(([0-9a-f]{1,2})\)", re.IGNORECASE
)
PIN: Final = re.compile(
    r"Inti([0-9a-f]{2})\.: ([0-9a-f]*)[`']([0-9a-f]*)(?![0-9a-z])", re.IGNORECASE
)
LOOSE_PIN: Final = re.compile(r"Inti[0-9a-f]{2}\.:", re.IGNORECASE)
PIC: Final = {
    "isr": "Physically in service:", "imr": "Physically masked:",
    "irr": "Physically requested:", "elcr": "Level Triggered:",
}  # fmt: skip
MARKS: Final = re.compile(r"(?: ?[Y.](?![a-z0-9]))+", re.IGNORECASE)


def is_dump(text: str) -> bool:
    """Tell whether there is one of the three in `text`."""
    return bool(
        HEAD.search(text) or IOAPIC.search(text) or PIC["imr"].lower() in text.lower()
    )


def read(name: str, text: Pasted) -> list[Contents]:
    """Understand the local APICs in `text`; raise `ApicFileError` naming the line."""
    return contents_of(name, text.headed(HEAD, END), _contents)


def _contents(name: str, head: re.Match[str], text: str, *, is_cut: bool) -> Contents:
    number = None if head[1] is None else int(head[1])
    if text.lower().count("timecnt:") > 1:
        raise ValueError("TimeCnt is there twice: the head of a second APIC is missing")
    dump = Dump(number)
    x2apic, ident = head[2] is not None, int(head[3], 16)
    dump.put("id", ident if x2apic else ident << 24, f"ID:{head[3]}")
    dump.put("version", int(head[4], 16), f"({head[4]})")
    _named(dump, text, is_cut=is_cut)
    _wide(dump, text)
    _lists(dump, text, is_cut=is_cut)
    unknown = []
    if "svr" in dump.values:
        # The vector alone is printed: that the APIC is on is taken, and not known.
        dump.values["svr"] |= 0x100
        unknown.append("svr")
    apic = contents(name, "windows", dump, SPELLED, (x2apic, ""))
    fault = re.search(r"FaultVec:([0-9a-f]{2})(?![0-9a-z])", text, re.IGNORECASE)
    shown = dict(apic.shown)
    if fault is not None:
        shown["lvt_error"] = f"FaultVec:{fault[1]}"
    remarks = [*apic.remarks, "SpurVec has no enable bit: that the APIC is on is taken"]
    return Contents(
        name, "windows", apic.saved, tuple(remarks), number,
        missing=(*apic.missing, *unknown), shown=shown,
    )  # fmt: skip


def _named(dump: Dump, text: str, *, is_cut: bool) -> None:
    """Take the registers that are a name and a number."""
    for label, (key, width) in NAMED.items():
        found = re.search(
            re.escape(label) + r" ?([0-9a-z]{1,9})(?![0-9a-z])( [0-9a-f]{1,8} Ipi)?",
            text,
            re.IGNORECASE,
        )
        if found is None or (is_cut and found.end() == len(text)):
            continue
        digits = found[1]
        is_hex = re.fullmatch(r"[0-9a-fA-F]+", digits) is not None
        if not is_hex or (width and len(digits) != width) or found[2]:
            raise ValueError(f"{label.strip()} has no number that can be read")
        dump.put(key, int(digits, 16), f"{label}{digits}")


def _wide(dump: Dump, text: str) -> None:
    for row in WIDE.finditer(text):
        if len(row[2]) != 8 or len(row[3]) != 8:
            raise ValueError(f"{row[1]} has no number of 16 digits: {row[0][:40]!r}")
        key = WIDE_KEYS[row[1].lower()]
        value = int(row[2] + row[3], 16)
        if key != "icr" and value >> 32:
            raise ValueError(f"{row[1]} has more than 32 bits: {row[0][:40]!r}")
        dump.put(key, value, f"{row[1]}: {row[2]}`{row[3]}")


def _lists(dump: Dump, text: str, *, is_cut: bool) -> None:
    for row in LIST.finditer(text):
        word, given = row[1].upper(), (row[2] or "").strip()
        if given.endswith(","):
            raise ValueError(f"line {word} is cut: it ends with a comma")
        if is_cut and not text[row.end() :].strip():
            raise ValueError(
                f"line {word} may be cut: the file ends in it, without the end "
                f"of a line"
            )
        numbers: list[int] = []
        for each in given.replace(",", " ").split():
            found = RANGE.fullmatch(each)
            if found is None:
                raise ValueError(f"line {word}: {each!r} is no vector of two digits")
            first = int(found[1], 16)
            numbers += range(first, int(found[2] or found[1], 16) + 1)
        dump.put(word.lower(), vectors(word, numbers), f"{word}: {given or '(none)'}")


def ioapic(text: Pasted) -> tuple[Ioapic | None, list[str]]:
    """Return the first IOAPIC and remarks; raise `ValueError` naming the line."""
    flat = text.flat
    heads = list(IOAPIC.finditer(flat))
    if not heads:
        return None, []
    head, remarks = heads[0], []
    end = heads[1].start() if len(heads) > 1 else len(flat)
    if len(heads) > 1:
        remarks.append(f"{len(heads)} IOAPICs: the first is taken, a machine has one")
    part = flat[head.end() : end]
    pins: dict[int, int] = {}
    rows = list(PIN.finditer(part))
    for row in rows:
        if len(row[2]) != 8 or len(row[3]) != 8:
            raise ValueError(
                f"Inti{row[1]} has no number of 16 digits: {row[0][:40]!r}"
            )
        number, value = int(row[1], 16), int(row[2] + row[3], 16)
        if pins.setdefault(number, value) != value:
            raise ValueError(f"Inti{row[1]} is there twice")
    if len(rows) != len(LOOSE_PIN.findall(part)):
        raise ValueError("a row of the IOAPIC (Inti) is cut or cannot be read")
    count = max(23, *pins, 0) + 1
    absent = [n for n in range(count) if n not in pins]
    if absent:
        which = ranges(absent, base="02X")
        remarks.append(f"the IOAPIC has no Inti {which} in the text")
    remarks.append("the text does not say which pins of the IOAPIC are high")
    return Ioapic(
        pins, count, int(head[2], 16), int(head[1], 16) & 0xF, name="IoApic"
    ), remarks  # fmt: skip


def pic(text: Pasted) -> tuple[tuple[Chip, Chip] | None, list[str]]:
    """Return the 8259 pair and remarks; raise `ValueError` naming the line."""
    found: dict[str, int] = {}
    lower = text.flat.lower()
    for key, label in PIC.items():
        at = lower.find(label.lower())
        if at < 0:
            continue
        row = MARKS.match(text.flat, at + len(label))
        marks = row[0].split() if row else []
        if len(marks) != 16:
            raise ValueError(f"{label} has {len(marks)} marks, and not 16")
        found[key] = sum((mark.upper() == "Y") << n for n, mark in enumerate(marks))
    if not found:
        return None, []
    if len(found) != len(PIC):
        absent = ", ".join(label for key, label in PIC.items() if key not in found)
        return None, [f"the text has no {absent} and is taken to have no 8259"]
    master, slave = (
        Chip(**{key: value >> shift & 0xFF for key, value in found.items()})
        for shift in (0, 8)
    )
    remark = "the text has no vector base of the 8259: what it asks for has no vector"
    return (master, slave), [remark]
