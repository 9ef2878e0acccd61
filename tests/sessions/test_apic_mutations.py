"""Pastes that were cut, wrapped, quoted, or had their case or blanks changed.

What is read of one is what was there, or it is refused by name, or told to be missing:
never a value that was not there. Seeded, and the same in every run.
"""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from lapis_sessions.apic_files import reading
from lapis_sessions.apic_files.contents import ApicFileError, Described

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.apic_files.contents import Contents

FIXTURES: Final = Path(__file__).parents[1] / "fixtures" / "apics"
TEXTS: Final = sorted(FIXTURES.glob("*.txt"))
EACH: Final = 5_000 // len(TEXTS) + 1
"""Mutations of a text."""
DERIVED: Final = frozenset({"vl_msr_apicbase", "vlp_apr", "vl_esr_pending", "vlp_tmr"})
"""Fields that no text has: they follow from the others, and from what is missing."""
QUOTES: Final = ("> ", ">", "> > ", "| ", "    ", "\t", "(XEN) ", "[   12.345678] ")


def cut_end(text: str, dice: random.Random) -> str:
    return text[: dice.randrange(len(text))]


def cut_start(text: str, dice: random.Random) -> str:
    return text[dice.randrange(len(text)) :]


def cut_lines(text: str, dice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    gone = set(dice.sample(range(len(lines)), dice.randint(1, max(1, len(lines) // 3))))
    return "".join(line for n, line in enumerate(lines) if n not in gone)


def wrap(text: str, dice: random.Random) -> str:
    """Break long lines at blanks, as a mail program does."""
    width = dice.randint(20, 76)
    out = []
    for whole in text.split("\n"):
        line = whole
        while len(line) > width and " " in line[1:width].strip():
            at = line.rindex(" ", 1, width)
            if not line[:at].strip():
                break
            out.append(line[:at])
            line = line[at + 1 :]
        out.append(line)
    return "\n".join(out)


def wrap_hard(text: str, dice: random.Random) -> str:
    """Break long lines within words, as a terminal does."""
    width = dice.randint(60, 100)
    return "\n".join(
        line[at : at + width]
        for line in text.split("\n")
        for at in range(0, max(len(line), 1), width)
    )


def quote(text: str, dice: random.Random) -> str:
    mark = dice.choice(QUOTES)
    return "".join(mark + line for line in text.splitlines(keepends=True))


def case(text: str, dice: random.Random) -> str:
    turn = dice.choice((str.upper, str.lower, str.swapcase, None))
    if turn is not None:
        return turn(text)
    return "".join(dice.choice((each.upper(), each.lower())) for each in text)


def spaces(text: str, dice: random.Random) -> str:
    """Put more blanks, or tabs, where there are some; and at the ends of lines."""
    many = dice.choice(("  ", "\t", " \t ", "\u00a0"))
    out = "".join(
        many if each == " " and dice.random() < 0.3 else each for each in text
    )
    return out.replace("\n", dice.choice(("\r\n", " \n", "\n", "\n\n")))


def fewer_spaces(text: str, dice: random.Random) -> str:
    return "\n".join(
        " ".join(line.split()) if dice.random() < 0.8 else line.strip()
        for line in text.split("\n")
    )


WAYS: Final[tuple[Callable[[str, random.Random], str], ...]] = (
    cut_end, cut_start, cut_lines, wrap, wrap_hard, quote, case, spaces,
    fewer_spaces,
)  # fmt: skip


def mutant(text: str, dice: random.Random, *, is_wrapped: bool) -> str:
    """Change a text in one to three ways.

    Lines are taken out before they are wrapped, and not where they have been: that the
    second half of a list is gone is not to be seen.
    """
    chosen = dice.sample(WAYS, dice.randint(1, 3))
    if is_wrapped and cut_lines in chosen:
        chosen.remove(cut_lines)
    for way in sorted(chosen, key=lambda each: each in {wrap, wrap_hard}):
        text = way(text, dice) or " "
    return text


def wrong(found: Described, whole: Described) -> list[str]:
    """What was read and was not there."""
    out = []
    known = {each.vcpu: each for each in whole.apics}
    alone = whole.apics[0] if len(whole.apics) == 1 else None
    for each in found.apics:
        # Without the head that names it, a lone APIC has no number.
        origin = known.get(each.vcpu) or (alone if each.vcpu is None else None)
        origins = [origin] if origin is not None else list(known.values())
        told = [differs(each, one) for one in origins]
        if each.vcpu is not None and each.vcpu not in known and len(found.apics) < 2:
            out.append(f"CPU {each.vcpu}")
        if all(told):
            out += next(each for each in told if each)
    if found.ioapic is not None:
        entries = {} if whole.ioapic is None else whole.ioapic.pins
        out += [
            f"pin {pin}: {entry:#x}"
            for pin, entry in found.ioapic.pins.items()
            if entries.get(pin) != entry
        ]
        high = found.ioapic.asserted
        if high is not None and (whole.ioapic is None or high != whole.ioapic.asserted):
            out.append(f"high {high}")
    if found.pic is not None and found.pic != whole.pic:
        out.append("pic")
    counts = {(row.irq, row.count) for row in whole.lines}
    out += [
        f"IRQ {row.irq}: {row.count}"
        for row in found.lines
        if row.count is not None and (row.irq.upper(), row.count) not in counts
    ]
    return out


def differs(found: Contents, origin: Contents) -> list[str]:
    """Registers that the mutant has otherwise, and those that are gone untold."""
    here, there = found.saved["lapic"], origin.saved["lapic"]
    out = [
        f"{name}: {value}"
        for name, value in here.items()
        if name not in DERIVED and there.get(name) != value
    ]
    told = " ".join(found.remarks)
    out = [each for each in out if f"ends with line {each[4:7].upper()}" not in told]
    gone = set(there) - set(here) - DERIVED - {"vlp_id", "vlp_version"}
    if gone and "what it was is not known" not in told:
        out.append("missing untold")
    return out


def read(path: Path) -> Described:
    return reading.read(str(path), reading.FORMATS)


def taken_or_named(path: Path) -> Described | None:
    """What is read, or None where one sentence refuses it."""
    try:
        return read(path)
    except ApicFileError as error:
        said = str(error)
    assert said.startswith("APIC file ")
    assert "\n" not in said
    return None


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_mutant_is_read_right_or_refused_by_name(path: Path, tmp_path: Path) -> None:
    whole, text = read(path), path.read_bytes().decode()
    dice = random.Random(path.stem)
    file = tmp_path / "paste"
    taken = 0
    for nth in range(EACH):
        mutated = mutant(text, dice, is_wrapped="wrapped" in path.stem)
        file.write_bytes(mutated.encode())
        found = taken_or_named(file)
        if found is None:
            continue
        taken += 1
        assert wrong(found, whole) == [], (nth, mutated)
    assert taken > EACH // 5, "most of them can be read"


@pytest.mark.parametrize("way", [quote, case, spaces, fewer_spaces])
@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_what_changes_no_word_changes_nothing(
    path: Path, way: Callable[[str, random.Random], str], tmp_path: Path
) -> None:
    whole, text = read(path), path.read_bytes().decode()
    if "printable" in path.stem and way is case:
        text = text.replace("=\n", "").replace("=20", "").replace("=3D", "=")
    file = tmp_path / "paste"
    for seed in range(3):
        file.write_bytes(way(text, random.Random(seed)).encode())
        found = read(file)
        assert wrong(found, whole) == []
        assert [each.missing for each in found.apics] == [
            each.missing for each in whole.apics
        ]
        assert (found.ioapic is None) == (whole.ioapic is None)
        assert found.pic == whole.pic


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GICD_CTLR: 0x00000012\nGICR_WAKER: 0x0\n", "it is of ARM"),
        (b"plic: interrupt-controller@c000000: mapped 53 interrupts\n", "of RISC-V"),
        (b"CPU0 Status: 1000fce3 cp0 status cause epc\n", "it is of MIPS"),
        (b"\xde\xad\x00\xbe\xef" * 60, "is neither"),
        (bytes(range(256)) * 4, "the version (0x030)"),
        (b"LVT0 LVT1 ISR IRR TPR\n", "is neither"),
        (b"dumping local APIC state for CPU 1\n", "has no register"),
        (b"           CPU0\n  9:   1  IO-APIC 9-fasteoi acpi\n", "has no register"),
        (b"ioapic0: ver=0x20 id=0x00 sel=0x00\n pin 3 0x00000000\n", "16 digits"),
        (b"... APIC LVTT: 000400\n", "no number of 8 digits"),
        (b"[" * 100_000 + b'"registers"', "nested too deeply"),
        (b'{"page": 1, "msr_apicbase": 0}', "page is not there"),
    ],
)  # fmt: skip
def test_what_is_none_is_one_sentence(data: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "paste"
    file.write_bytes(data)
    with pytest.raises(ApicFileError) as error:
        read(file)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


HEAVY: Final = {
    "heads": "dumping local APIC state for CPU 1\n",
    "registers": "LVT0 0x00010700 ISR 49 IRR 65 ",
    "tables": "IO APIC #1......\n NR Log Phy Mask Trig IRR Pol Stat Dest Deli Vect:\n",
    "rows": " NR Dst Mask Trig IRR Pol Stat Dmod Deli Vect:\n 00 00 1 0 0 0 0 0 0 00\n",
    "quotes": "> " * 40 + "x\n",
    "pins": "pin 1 0x0000000000000021 dest=0 vec=33 ",
    "xen": "IRQ 1 Vec 40: Apic 0x00, Pin 1: vec=28 ",
    "windows": "Apic @ fffe0000 ID:0 (50014) IRR: 2F, ",
    "lists": "ISR: 49, 65, ",
    "proc": "CPU0 CPU1\n 9: 1 2 IO-APIC 9-fasteoi acpi\n",
    "digits": "1 ",
    "ansi": "\x1b[D",
    "printable": "a=3D=\n",
    "braces": "{",
}


@pytest.mark.parametrize("piece", HEAVY.values(), ids=HEAVY)
def test_a_file_of_the_largest_size_is_read_in_a_moment(
    piece: str, tmp_path: Path
) -> None:
    file = tmp_path / "paste"
    text = (piece * ((reading.MOST // len(piece)) + 1))[: reading.MOST]
    file.write_text(text)
    start = time.process_time()
    with contextlib.suppress(ApicFileError):
        read(file)
    assert time.process_time() - start < 20


def test_a_file_that_is_too_large_is_not_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "paste"
    with file.open("wb") as out:
        out.truncate(10 << 20)
    with pytest.raises(Exception, match="1048576 is the most"):
        read(file)
