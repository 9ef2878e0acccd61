"""The redirection tables of IOAPICs as Linux and Xen print them.

Linux `print_IO_APIC` and its successors, from `NR Log Phy Mask Trig` of 2.4 to
`pin00, disabled, edge , high, V(00)` of today; Xen's debug keys `z` and `i`.
"""

from __future__ import annotations

import re
from bisect import bisect
from typing import TYPE_CHECKING, Final

from lapis_engine.devices.ioapic import regs
from lapis_sessions.apic_files.contents import Ioapic, Line
from lapis_sessions.apic_files.pasted import ranges

if TYPE_CHECKING:
    from lapis_sessions.apic_files.pasted import Pasted

HEAD: Final = re.compile(r"IO APIC #(\d{1,3})\.{2,}", re.IGNORECASE)
REGISTER: Final = re.compile(
    r"\.{4} register #0([01]): ([0-9a-f]{1,9})(?![0-9a-z])", re.IGNORECASE
)
COLUMNS: Final = {
    "nr log phy mask trig irr pol stat dest deli vect:": (1, 3),
    "nr dst mask trig irr pol stat dmod deli vect:": (1, 2),
    "nr dst msk trg irr pol stat dstm delm vec": (1, 2),
    "nr destid msk trg irr pol stat dstm delm vec": (1, 2),
}
"""Head of a table -> its columns of the destination, and of the first one after it."""
REMAPPED: Final = "nr indx fmt mask trig irr pol stat indx2 zero vect:"
TABLE: Final = re.compile("|".join(map(re.escape, [*COLUMNS, REMAPPED])))
WORD: Final = re.compile(r"[0-9a-f]{1,8}")
SPACED: Final = re.compile(r"\S+")
MOST_TABLES: Final = 16
FEWEST_PINS: Final = 24
"""Of an IOAPIC that does not say how many it has."""
NEW: Final = re.compile(
    r"(?<![a-z0-9])pin([0-9a-f]{2}), ?(disabled|enabled) ?, ?(edge|level) ?, "
    r"?(high|low) ?, ?V\(([0-9a-f]{2})\), ?IRR\(([01])\), ?S\(([01])\), "
    r"?(?:(remapped)|(logical|physical) ?, ?D\(([0-9a-f]{2}|[0-9a-f]{4})\), "
    r"?M\(([0-7])\))",
    re.IGNORECASE,
)
LOOSE_NEW: Final = re.compile(
    r"(?<![a-z0-9])pin([0-9a-f]{2}), ?(?:dis|en)abled", re.IGNORECASE
)
XEN: Final = re.compile(r"IRQ ?(\d{1,4}) Vec ?(\d{1,3}):", re.IGNORECASE)
LOOSE_XEN: Final = re.compile(r"Apic 0x[0-9a-f]{2}, Pin ", re.IGNORECASE)
XEN_PIN: Final = re.compile(
    r"Apic 0x([0-9a-f]{2}), Pin (\d{1,3}): vec=([0-9a-f]{2}) delivery=([a-z]{3,6}) "
    r"dest=([LP]) status=([01]) polarity=([01]) irr=([01]) trig=([LE]) mask=([01]) "
    r"dest_id:([0-9a-f]{2}|[0-9a-f]{8})(?![0-9a-f])"
    r"(?! [0-9a-f]{1,7}(?: |$))",
    re.IGNORECASE,
)
XEN_MODES: Final = {
    "fixed": 0, "lopri": 1, "lowest": 1, "smi": 2, "nmi": 4, "init": 5, "exint": 7,
}  # fmt: skip
MAPPED: Final = re.compile(r"IRQ(\d{1,4}) -> (\d{1,3}):(\d{1,3})(?!\d)", re.IGNORECASE)


def is_dump(text: str) -> bool:
    """Tell whether there is a table, or a part of one, in `text`."""
    return bool(
        HEAD.search(text)
        or LOOSE_NEW.search(text)
        or LOOSE_XEN.search(text)
        or TABLE.search(text.lower())
    )


def entry(  # noqa: PLR0913 - the fields of a register, by name
    *,
    vector: int,
    mode: int,
    logical: int,
    status: int,
    low: int,
    irr: int,
    level: int,
    masked: int,
    dest: int,
) -> int:
    """Return the redirection entry of its fields; raise `ValueError`."""
    if dest > 0xFF:
        raise ValueError(f"destination {dest:#x} has more than 8 bits")
    out = regs.VECTOR.put(0, vector) | regs.MODE.put(0, mode)
    for flag, is_set in (
        (regs.LOGICAL, logical), (regs.BUSY, status), (regs.ACTIVE_LOW, low),
        (regs.REMOTE_IRR, irr), (regs.LEVEL, level), (regs.MASKED, masked),
    ):  # fmt: skip
        out |= int(flag) if is_set else 0
    return regs.DESTINATION.put(out, dest)


def read(text: Pasted) -> tuple[Ioapic | None, list[Line], list[str]]:
    """Return the first IOAPIC, what is on its pins, and remarks.

    Raises `ValueError` naming pin and rule.
    """
    flat = text.flat
    found, remarks = _tables(flat)
    lines = [
        Line(row[1], f"{row[2]}:{row[3]}", int(row[3]))
        for row in MAPPED.finditer(flat)
        if int(row[2]) == 0
    ]
    xen, named = _xen(flat)
    for number, value in xen.items():
        if found.setdefault(number, value) != value:
            raise ValueError(f"pin {number} is there twice, and differs")
    lines += named
    registers = _registers(flat)
    if not found:
        return None, lines, remarks
    last = registers[1] >> 16 & 0xFF if 1 in registers else FEWEST_PINS - 1
    count = max(last, *found) + 1
    absent = [n for n in range(count) if n not in found]
    if absent:
        remarks.append(f"the IOAPIC has no pin {ranges(absent)} in the text")
    remarks.append("the text does not say which pins of the IOAPIC are high")
    version = registers.get(1, 0x20) & 0xFF
    head = HEAD.search(flat)
    name = "the IOAPIC" if head is None else f"IO APIC #{head[1]}"
    ident = registers.get(0, 0) >> 24 & 0xF
    return Ioapic(found, count, version, ident, name=name), lines, remarks


def _registers(flat: str) -> dict[int, int]:
    """Return registers 0 and 1 of the first IOAPIC."""
    found: dict[int, int] = {}
    heads = [each.start() for each in HEAD.finditer(flat)][1:2]
    for row in REGISTER.finditer(flat, 0, heads[0] if heads else len(flat)):
        if len(row[2]) != 8:
            raise ValueError(f"register #0{row[1]} has no number of 8 digits: {row[0]}")
        found.setdefault(int(row[1]), int(row[2], 16))
    return found


def _tables(flat: str) -> tuple[dict[int, int], list[str]]:
    """Return the entries of the first table, by pin, and remarks."""
    lower, remarks = flat.lower(), []
    tables: list[dict[int, int]] = []
    for head in TABLE.finditer(lower):
        if head[0] == REMAPPED:
            remarks.append(
                "the table of the IOAPIC is of remapped entries (an index each, and no "
                "destination): it is left out"
            )
        else:
            tables.append(_rows(lower, head.end(), *COLUMNS[head[0]]))
        if len(tables) == MOST_TABLES:
            break
    tables += _new(flat, remarks)
    tables = [table for table in tables if table]
    if len(tables) > 1:
        remarks.append(
            f"the text has the tables of {len(tables)} IOAPICs: the first is taken"
        )
    return (tables[0] if tables else {}), remarks


def _rows(text: str, at: int, dest: int, first: int) -> dict[int, int]:
    """Return the entries of an older table by pin; raise `ValueError`."""
    found: dict[int, int] = {}
    width, words = first + 8, []
    for word in SPACED.finditer(text, at):
        if not WORD.fullmatch(word[0]):
            break
        words.append(word[0])
        if len(words) < width:
            continue
        number = int(words[0], 16)
        if len(words[0]) != 2 or number in found:
            raise ValueError(f"a row of the IOAPIC has lost columns: {words!r}"[:100])
        found[number] = _row(number, words, dest, first)
        words = []
    if words and len(words[0]) == 2 and len(words) > 2:
        raise ValueError(
            f"pin {int(words[0], 16)}: its row has {len(words)} of {width} columns"
        )
    return found


def _row(number: int, words: list[str], dest: int, first: int) -> int:
    """Return the entry of one row."""
    flags = words[first : first + 7]
    if any(len(flag) != 1 for flag in flags) or len(words[-1]) != 2:
        raise ValueError(f"pin {number}: its row cannot be read: {' '.join(words)!r}")
    mask, level, irr, low, status, logical, mode = map(int, flags, [16] * 7)
    if max(mask, level, irr, low, status, logical) > 1 or mode > 7:
        raise ValueError(f"pin {number}: its row cannot be read: {' '.join(words)!r}")
    return entry(
        vector=int(words[-1], 16), mode=mode, logical=logical, status=status, low=low,
        irr=irr, level=level, masked=mask, dest=int(words[dest], 16),
    )  # fmt: skip


def _new(flat: str, remarks: list[str]) -> list[dict[int, int]]:
    """Return the tables of newer kernels: one begins anew with a lower pin."""
    tables: list[dict[int, int]] = []
    seen, remapped, before = set(), 0, 0x100
    for row in NEW.finditer(flat):
        number = int(row[1], 16)
        seen.add(row.start())
        if number <= before:
            tables.append({})
        before = number
        if row[8] is not None:
            remapped += 1
            continue
        tables[-1][number] = entry(
            vector=int(row[5], 16), mode=int(row[11]), status=int(row[7]),
            logical=row[9].lower() == "logical", low=row[4].lower() == "low",
            irr=int(row[6]), level=row[3].lower() == "level",
            masked=row[2].lower() == "disabled", dest=int(row[10], 16),
        )  # fmt: skip
    for loose in LOOSE_NEW.finditer(flat):
        if loose.start() not in seen:
            raise ValueError(f"pin{loose[1]}: its row is cut or cannot be read")
    if remapped:
        remarks.append(
            f"{remapped} pins of the IOAPIC are remapped (an index each, and no "
            f"destination): they are left out"
        )
    return tables


def _xen(flat: str) -> tuple[dict[int, int], list[Line]]:
    """Return what Xen's key `i` says of the first IOAPIC."""
    found: dict[int, int] = {}
    lines = []
    heads = [(row.start(), row[1], row[2]) for row in XEN.finditer(flat)]
    rows = list(XEN_PIN.finditer(flat))
    if len(rows) != len(LOOSE_XEN.findall(flat)):
        raise ValueError("a row of the IOAPIC (Apic, Pin) is cut or cannot be read")
    for pin in rows:
        if int(pin[1], 16):
            continue
        number, mode = int(pin[2]), XEN_MODES.get(pin[4].lower())
        if mode is None:
            raise ValueError(f"pin {number}: there is no delivery {pin[4]!r}")
        found[number] = entry(
            vector=int(pin[3], 16), mode=mode, logical=pin[5].upper() == "L",
            status=int(pin[6]), low=int(pin[7]), irr=int(pin[8]),
            level=pin[9].upper() == "L", masked=int(pin[10]), dest=int(pin[11], 16),
        )  # fmt: skip
        at = bisect(heads, (pin.start(), "", "")) - 1
        if at >= 0:
            _, irq, vector = heads[at]
            lines.append(Line(irq, f"Vec{vector}", number, int(vector)))
    return found, lines
