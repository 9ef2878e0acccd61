"""The text of QEMU's monitor command `info mtree -f`: where RAM and ROM are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lapis_engine import ram
from lapis_engine.boot.machine_image import LARGEST_ROM
from lapis_engine.units import MIB, PAGE
from lapis_sessions.monitor.channel import MonitorError
from lapis_sessions.text.visible import quoted

VIEW: Final = re.compile(r"^FlatView #\d+$", re.MULTILINE)
SPACE: Final = re.compile(r'^ AS "memory", root: ', re.MULTILINE)
ROW: Final = re.compile(
    r" +([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, ([a-z/-]{1,10})\): ([^\n@]*?)"
    r"(?: @[0-9a-f]{16})?(?: KVM)? *"
)
RAM: Final = frozenset({"ram", "nv-ram"})
ROM: Final = frozenset({"rom", "romd", "nv-rom", "nv-romd"})
LARGEST_MAP: Final = 4 * MIB
"""Letters of the text."""
LONGEST_ROW: Final = 400
MOST_ROWS: Final = 4096
FEW: Final = 8
"""Pieces of memory that are told one by one."""
LOW: Final = 1 * MIB
"""Below it ROM and RAM alternate."""
SHADOWED: Final = 0xC_0000
VGA: Final = range(0xA_0000, 0xC_0000)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some memory."""

    first: int
    """Guest-physical address."""
    size: int
    """Bytes."""
    kind: str
    """ram, rom, romd ..."""
    name: str

    @property
    def end(self) -> int:
        """First address after it."""
        return self.first + self.size

    @property
    def text(self) -> str:
        """It in words."""
        return f"{quoted(self.name, 40)}, {self.size >> 10} KiB at {self.first:#x}"


@dataclass(frozen=True, slots=True)
class Layout:
    """What of the memory is taken."""

    memory: int
    """Bytes of RAM of a machine of ours that has it all."""
    told: int
    """Bytes of RAM that there are, apart from what is hidden below 1 MiB."""
    ram: tuple[Stretch, ...]
    roms: tuple[Stretch, ...]
    left_out: tuple[str, ...]


def layout(text: str) -> Layout:
    """Understand the map; raise `MonitorError` for one that does not fit here."""
    rows = _rows(text)
    taken = [each for each in rows if each.end <= LOW and _is_low(each)]
    below = _from(rows, LOW)
    above = _from(rows, ram.HIGH)
    end = below[-1].end if below else max((each.end for each in taken), default=0)
    if end < LOW:
        raise MonitorError("info mtree has less than 1 MiB of RAM from address 0")
    _check(end, has_more=bool(above))
    high = above[-1].end - ram.HIGH if above else 0
    hole = [each for each in rows if end <= each.first < ram.HIGH]
    roms = [each for each in hole if each.kind in ROM and each.first >= ram.HOLE]
    if sum(each.size for each in roms) > LARGEST_ROM:
        raise MonitorError(f"info mtree has ROMs of more than {LARGEST_ROM >> 20} MiB")
    used = {*taken, *below, *above, *roms}
    rest = [it for it in rows if it.kind in RAM | ROM and it not in used]
    said = [f"memory of a device: {each.text}" for each in rest[:FEW]]
    if len(rest) > FEW:
        said.append(f"memory of devices: {len(rest) - FEW} more")
    said += _from_rom(taken)
    if high and end < ram.HOLE:
        said.append(
            f"RAM below 4 GiB ends at {end:#x} there and at {ram.HOLE:#x} here: there "
            f"are zeros between them"
        )
    memory = (ram.HOLE if high else end) + high
    pieces = tuple(_joined([*taken, *below, *above]))
    return Layout(memory, end + high, pieces, tuple(roms), tuple(said))


def _from_rom(low: list[Stretch]) -> list[str]:
    """Say where a chipset shows ROM below 1 MiB, as before firmware has copied it."""
    main = low[0].name if low else ""
    found = [each for each in low if each.name != main and each.first >= SHADOWED]
    if not found:
        return []
    names = ", ".join(dict.fromkeys(quoted(each.name, 40) for each in found[:4]))
    where = f"that from {found[0].first:#x} on ROM is read ({names})"
    return [f"{where}: it is in RAM here, as if it had been copied there"]


def _check(end: int, *, has_more: bool) -> None:
    if end > ram.HOLE:
        raise MonitorError(
            f"RAM below 4 GiB ends at {end:#x}, and here at {ram.HOLE:#x} at most: "
            f"give QEMU 3 GiB or less (-m)"
        )
    if end % MIB and not has_more:
        raise MonitorError(f"RAM ends at {end:#x}, which is no whole MiB")


def _is_low(each: Stretch) -> bool:
    is_main = each.kind in RAM | ROM
    return is_main and not (each.first in VGA and "vga" in each.name)


def _rows(text: str) -> list[Stretch]:
    views = [view for view in VIEW.split(text)[1:] if SPACE.search(view)]
    if len(views) != 1:
        raise MonitorError(f"info mtree has {len(views)} views of memory, and not one")
    found: list[Stretch] = []
    _, _, rows = views[0].partition("Root memory region: ")
    lines = rows.partition("\n\n")[0].splitlines()[1:]
    if len(lines) > MOST_ROWS:
        raise MonitorError(f"info mtree has {len(lines):,} rows of memory")
    for line in lines:
        row = ROW.fullmatch(line) if len(line) <= LONGEST_ROW else None
        if row is None:
            raise MonitorError(f"info mtree has the line {quoted(line)}")
        first, last, kind, name = row.groups()
        at, size = int(first, 16), int(last, 16) + 1 - int(first, 16)
        if size <= 0 or (found and at < found[-1].end):
            raise MonitorError(f"info mtree: {first}-{last} is out of order")
        if kind in RAM | ROM and (at % PAGE or size % PAGE):
            continue  # a page that is not whole serves no processor of ours
        stretch = Stretch(at, size, kind, name)
        found += _halves(stretch) if kind in RAM else [stretch]
    return found


def _halves(each: Stretch) -> list[Stretch]:
    """Cut RAM at 1 MiB, from where on it goes on in one piece."""
    if not each.first < LOW < each.end:
        return [each]
    return [
        Stretch(each.first, LOW - each.first, each.kind, each.name),
        Stretch(LOW, each.end - LOW, each.kind, each.name),
    ]


def _from(rows: list[Stretch], first: int) -> list[Stretch]:
    """Return the RAM that goes on from an address without a hole."""
    found: list[Stretch] = []
    at = first
    for each in rows:
        if each.first == at and each.kind in RAM:
            found.append(each)
            at = each.end
    return found


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """Put what adjoins together: what it is called does not matter any more."""
    out: list[Stretch] = []
    for each in stretches:
        if out and out[-1].end == each.first:
            last = out.pop()
            out.append(Stretch(last.first, last.size + each.size, "ram", last.name))
        else:
            out.append(each)
    return out
