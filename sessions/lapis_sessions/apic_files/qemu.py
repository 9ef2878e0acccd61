"""The text of QEMU's monitor command `info lapic` (`x86_cpu_dump_local_apic_state`).

It has no id, no version, no APICBASE and no deadline. Older ones have no current count,
and no blank before PPR. Registers have eight digits, or two on the last line: what has
fewer was cut.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lapis_engine.apic.timer import DIVISORS
from lapis_sessions.apic_files.contents import ApicFileError, Contents
from lapis_sessions.apic_files.pasted import PARAGRAPH, pasted
from lapis_sessions.apic_files.registers import Dump, contents, vectors

if TYPE_CHECKING:
    from lapis_sessions.apic_files.pasted import Pasted

HEAD: Final = re.compile(
    r"dumping local APIC state for CPU (\d{1,9})(?! ?\d)", re.IGNORECASE
)
END: Final = re.compile(
    r"\(qemu\)|ioapic\d?: ?ver=|pic[01]: ?irr=|IRQ statistics"
    r"|(?<![a-z0-9])pin \d{1,3} 0x|IRR (?:\(none\)|[\d ]{1,200}) ?Remote|Remote IRR",
    re.IGNORECASE,
)
"""What ends the text of a dump, if no other dump does."""
SPELLED: Final = {
    "lvt_lint0": "LVT0", "lvt_lint1": "LVT1", "lvt_perf": "LVTPC",
    "lvt_error": "LVTERR", "lvt_thermal": "LVTTHMR", "lvt_timer": "LVTT",
    "svr": "SPIV", "esr": "ESR", "icr": "ICR and ICR2", "isr": "ISR", "irr": "IRR",
    "tmr": "ISR and IRR", "tpr": "TPR", "ldr": "LDR", "dfr": "DFR",
    "timer_initial": "Timer", "timer_divide": "Timer",
}  # fmt: skip
WIDE: Final = {
    "LVT0": "lvt_lint0", "LVT1": "lvt_lint1", "LVTPC": "lvt_perf",
    "LVTERR": "lvt_error", "LVTTHMR": "lvt_thermal", "LVTT": "lvt_timer",
    "SPIV": "svr", "ESR": "esr", "ICR": "icr", "ICR2": "icr2",
}  # fmt: skip
NARROW: Final = {"APR": "apr", "TPR": "tpr", "DFR": "dfr", "LDR": "ldr", "PPR": "ppr"}
KEY: Final = re.compile(
    r"(?:(?<![a-z0-9_])|(?<=0x[0-9a-f]{2}))"
    r"(LVTTHMR|LVTERR|LVTPC|LVTT|LVT0|LVT1|SPIV|ESR|ICR2|ICR|APR|TPR|DFR|LDR|PPR)"
    r" ?0x([0-9a-f]*)(?=([g-z_]?))",
    re.IGNORECASE,
)
"""A register with its number; the last group is what no number has."""
LIST: Final = re.compile(r"(?<![a-z0-9_])([IS]RR|ISR)(?= (?:\d|\())", re.IGNORECASE)
VECTOR: Final = re.compile(r"(\d{1,3})(\(level\))?", re.IGNORECASE)
APART: Final = re.compile(r"(?<=\d) ?\( ?level ?\)", re.IGNORECASE)
COUNTS: Final = re.compile(
    r"(?<![a-z0-9_])Timer DCR ?= ?0x([0-9a-f]) \(divide by (\d{1,3})\) "
    r"initial_count ?= ?(\d{1,10})(?: current_count ?= ?(\d{1,10}))?(?![0-9_])( \d)?",
    re.IGNORECASE,
)
NAMED: Final = re.compile(r"\(vec (\d{1,3})\)", re.IGNORECASE)
NOT_IN_XAPIC: Final = 0x00FF_FFFF
"""Bits of ICR2 that only an x2APIC destination has."""
FEWEST: Final = 3
"""Registers without a head from which a text is taken for a dump."""


def is_dump(text: str) -> bool:
    """Tell whether there is such a dump in `text`."""
    if HEAD.search(text) is not None:
        return True
    return len({found[1].upper() for found in KEY.finditer(text)} & {
        "LVT0", "LVT1", "LVTPC", "LVTERR", "LVTTHMR", "LVTT", "SPIV",
    }) >= FEWEST  # fmt: skip


def read(name: str, text: Pasted) -> tuple[list[Contents], list[str]]:
    """Understand the dumps in `text`, whatever stands around them.

    Returns them with remarks. Raises `ApicFileError` naming the line.
    """
    found, remarks = [], []
    for number, dump, is_last in _dumps(text.flat):
        is_cut = is_last and not text.is_whole
        try:
            apic = _contents(name, number, dump, is_cut=is_cut)
        except ValueError as error:
            which = "" if number is None else f"CPU {number}: "
            raise ApicFileError(f"APIC file {name!r}: {which}{error}") from None
        if apic is None:
            remarks.append(f"of CPU {number} the text has the head alone")
        else:
            found.append(apic)
    return found, remarks


def read_one(name: str, text: str) -> Contents:
    """Understand the dump of one CPU as QEMU gave it, whole.

    Raises `ApicFileError` naming the line, also for one that is missing.
    """
    found, _ = read(name, pasted(f"{text}\n"))
    if len(found) != 1:
        raise ApicFileError(f"APIC file {name!r} has the dumps of {len(found)} CPUs")
    if found[0].missing:
        words = ", ".join(SPELLED.get(each, each) for each in found[0].missing)
        raise ApicFileError(f"APIC file {name!r}: line {words} is missing")
    return found[0]


def _dumps(flat: str) -> list[tuple[int | None, str, bool]]:
    """Return number and text of each dump, and whether the file ends with it."""
    heads = list(HEAD.finditer(flat))
    spans: list[tuple[int | None, int]] = [(int(head[1]), head.end()) for head in heads]
    out: list[tuple[int | None, str, bool]] = []
    for nth, (number, first) in enumerate(spans or [(None, _first(flat))]):
        last = heads[nth + 1].start() if nth + 1 < len(heads) else len(flat)
        end = END.search(flat, first, last)
        last = last if end is None else end.start()
        out.append((number, flat[first:last], last == len(flat)))
    return out


def _first(flat: str) -> int:
    """Return where the first register is, in a text without a head."""
    key = KEY.search(flat)
    return 0 if key is None else key.start()


def _contents(
    name: str, number: int | None, text: str, *, is_cut: bool
) -> Contents | None:
    dump = Dump(number)
    text = APART.sub("(level)", text)
    _numbers(dump, text)
    ends = _lists(dump, text, is_cut=is_cut)
    _counts(dump, text, is_cut=is_cut)
    if not dump.shown:
        return None
    icr, icr2 = dump.values.pop("icr", None), dump.values.pop("icr2", None)
    if icr is not None and icr2 is not None:
        dump.values["icr"] = icr2 << 32 | icr
    x2apic = bool((icr2 or 0) & NOT_IN_XAPIC)
    why = f", because ICR2 is {icr2:#x}" if x2apic else ""
    for key, bits in (("dfr", 28), ("ldr", 24)):
        if key in dump.values:
            dump.values[key] <<= bits
    found = contents(name, "qemu", dump, SPELLED, (x2apic, why))
    return replace(found, remarks=(*found.remarks, *ends))


def _numbers(dump: Dump, text: str) -> None:
    """Take the registers that are one number each."""
    keys = list(KEY.finditer(text))
    for nth, found in enumerate(keys):
        word, digits = found[1].upper(), found[2]
        is_wide = word in WIDE
        width = 8 if is_wide else 2
        # `LDR 0x00PPR 0x00` of older ones; the P is no digit, what follows is a key.
        glued = word == "LDR" and found[3].upper() == "P"
        if len(digits) != width or (found[3] and not glued):
            raise ValueError(
                f"line {word} has no number of {width} digits: {found[0][:40]!r}"
            )
        value = int(digits, 16)
        key = WIDE[word] if is_wide else NARROW[word]
        if word == "DFR" and value > 0xF:
            raise ValueError(f"line APR: DFR {value:#x} is above 0xf")
        end = keys[nth + 1].start() if nth + 1 < len(keys) else found.end() + 80
        _agrees(word, value, text[found.end() : end])
        dump.put(key, value, f"{word} 0x{digits}")


def _agrees(word: str, value: int, rest: str) -> None:
    """Compare the number with the words beside it; raise `ValueError`."""
    said = NAMED.search(rest) if word.startswith("LVT") else None
    if said is not None and int(said[1]) != value & 0xFF:
        raise ValueError(f"line {word} is {value:#010x} and says {said[0]}")


def _lists(dump: Dump, text: str, *, is_cut: bool) -> list[str]:
    """Take ISR and IRR, and the TMR of what is in them; return remarks."""
    level = 0
    whole: dict[str, str] = {}
    for found in LIST.finditer(text):
        word = found[1].upper()
        numbers, levels, end = _list(word, text[found.end() :].split(" "))
        rest = text[found.end() + end :].strip(f" {PARAGRAPH}")
        if is_cut and not rest:
            raise ValueError(
                f"line {word} may be cut: the file ends in it, without the end of a "
                f"line"
            )
        bits = vectors(word, numbers)
        level |= sum(1 << each for each in levels)
        marked = [f"{n}(level)" if n in levels else f"{n}" for n in numbers]
        shown = " ".join(marked) or "(none)"
        dump.put(word.lower(), bits, f"{word} {shown}")
        whole[word] = f"{max(numbers, default=0)}" if not rest else ""
    if whole.keys() == {"ISR", "IRR"}:
        dump.values["tmr"] = level
    return [
        f"the text ends with line {word}: vectors above {last} may be missing"
        for word, last in whole.items()
        if last
    ]


def _list(word: str, words: list[str]) -> tuple[list[int], list[int], int]:
    """Return the vectors, those that are level-triggered, and the letters of all."""
    numbers: list[int] = []
    levels: list[int] = []
    length = 0
    for each in words:
        if each == "":
            length += 1
            continue
        if not each[0].isdigit() and each[0] != "(":
            break
        length += len(each) + 1
        if each.lower() == "(none)" and not numbers:
            break
        found = VECTOR.fullmatch(each)
        if found is None:
            raise ValueError(f"line {word}: {each[:20]!r} is no vector, 0 to 255")
        numbers.append(int(found[1]))
        levels += [int(found[1])] if found[2] else []
    return numbers, levels, length


def _counts(dump: Dump, text: str, *, is_cut: bool) -> None:
    """Take the divide configuration and the counts."""
    for found in COUNTS.finditer(text):
        divide, by, initial = int(found[1], 16), int(found[2]), int(found[3])
        if found[5] or (is_cut and found.end() == len(text)):
            raise ValueError(f"line Timer may be cut: {found[0][:80]!r}")
        if DIVISORS[(divide >> 1 & 4) | (divide & 3)] != by:
            raise ValueError(f"line Timer says DCR {divide:#x} and divide by {by}")
        if max(initial, int(found[4] or 0)) > 0xFFFF_FFFF:
            raise ValueError(f"line Timer: a count has 32 bits: {found[0][:80]!r}")
        shown = f"Timer initial_count = {initial}"
        dump.put("timer_divide", divide, f"DCR=0x{found[1]}")
        dump.put("timer_initial", initial, shown)
        if found[4] is not None:
            dump.put("timer_current", int(found[4]), f"current_count = {found[4]}")
