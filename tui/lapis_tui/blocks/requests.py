"""Requests as lines: what waits, the sheet of one of them, and what was settled."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from lapis_sessions.views.asked import LOOKED_AT
from lapis_tui.blocks.asked import binary, bytes_of, entered, is_begun
from lapis_tui.blocks.lines import Line, count, time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lapis_engine.machine.requests import PendingRequest
    from lapis_engine.vmm.naming import Named
    from lapis_sessions.views.asked import AskedView, Settled

NOBODY: Final = "nobody answers there"
PLACES: Final = {"inout": "port", "inst-emul": "code"}
"""Kinds of requests that are named otherwise where they are."""
BESIDE: Final = 110
"""Columns from which on the sheet has two halves."""
GAP: Final = "   "
"""Between two keys."""
LABEL: Final = 10
"""Columns of the word before a fact."""
MOST_BEFORE: Final = 6
"""Answers that were given at the same place; the history has the others."""


class Field(NamedTuple):
    """What is typed for an answer so far."""

    text: str


def folded(line: Line, width: int, indent: int = 3) -> list[Line]:
    """Break a line at blanks, so that nothing of it is cut.

    >>> [row.plain for row in folded(Line(" one two").add(" three", "dim"), 9)]
    [' one two', '   three']
    """
    if line.width <= width or width <= indent + 1:
        return [line]
    out, row = [], Line()
    for text, role in line.spans:
        for found in re.findall(r"\s*\S+|\s+", text):
            word = found
            if row.width + len(word) > width and row.width > indent:
                out.append(row)
                row, word = Line(" " * indent), word.lstrip()
            while row.width + len(word) > width:
                room = width - row.width
                out.append(row.add(word[:room], role))
                row, word = Line(" " * indent), word[room:]
            row.add(word, role)
    return [*out, row]


def rows(lines: Iterable[Line], width: int, indent: int = 3) -> list[Line]:
    """Return lines with those that are too long broken."""
    return [row for line in lines for row in folded(line, width, indent)]


def where(kind: str, address: int) -> str:
    """Return an address with what it is one of."""
    return f"{PLACES.get(kind, kind)} {address:x}"


def place(found: Named) -> str:
    """Return who is there, and what its register is called."""
    if found.device is None:
        return NOBODY
    within = f"+{found.within}" if found.within else ""
    return f"{found.device} {found.register or ''}".rstrip() + within


def waiting(it: PendingRequest, asked: AskedView | None, *, chosen: bool) -> Line:
    """Return the row of a request that waits."""
    line = Line(" > " if chosen else "   ", "changed")
    line.add(f"vCPU {it.vcpu}", "label").pad(11)
    line.add("read" if it.read else "write", "strong" if chosen else "").pad(18)
    line.add(where(it.kind, it.address), "address").pad(33)
    line.add(bytes_of(it.bytes)).pad(42)
    if asked is not None:
        line.add(place(asked.place), "symbol" if asked.place.device else "dim")
    if not it.read and it.kind != "inst-emul":
        line.add(f"  = {it.data:#x}", "strong")
    return line


def settled(row: Settled, now: PendingRequest | None) -> Line:
    """Return the row of one that was settled; `=` marks those at the place of `now`."""
    it = row.answer
    is_same = now is not None and row.is_at(now)
    line = Line(" = " if is_same else "   ", "changed")
    line.add(f"#{row.seq}", "dim").pad(10).add(time(row.at), "dim").pad(24)
    line.add(f"{it.vcpu} {'read' if it.read else 'write'}").pad(32)
    line.add(where(it.what, it.address), "address").pad(47)
    line.add(_fate(row), "strong").add(f"  {by(row)} ", "label").pad(60)
    if row.place.device is None:
        return line.add("nobody", "dim")
    return line.add(place(row.place), "symbol")


def by(row: Settled) -> str:
    """Say who answered: here, or when what is replayed was recorded."""
    if row.answer.by == "user":
        return "replay" if row.is_replayed else "you"
    return f"{row.answer.by}, replay" if row.is_replayed else row.answer.by


def _fate(row: Settled) -> str:
    it = row.answer
    if it.command == "DISCARD_INSTR":
        return "discarded"
    if it.command == "INJECT_FAULT":
        return it.text
    return f"= {it.data if it.value is None else it.value:#x}"


# The sheet of one request.


def sheet(
    asked: AskedView, keys: Sequence[str], field: Field | None, width: int
) -> list[Line]:
    """Return all that is known of a request, and the keys that settle it."""
    facts, right = list(_facts(asked, field)), [*_code(asked), *_commands(asked)]
    head = rows([_head(asked)], width)
    half = width if width < BESIDE else width // 2 - 1
    left = rows(facts, half, LABEL) + list(_keys(keys, half))
    if width < BESIDE:
        return head + left + rows(right, width, LABEL)
    pairs = zip_longest(left, rows(right, width - half - 2, LABEL))
    return head + [_beside(one, other, half) for one, other in pairs]


def _keys(keys: Sequence[str], width: int) -> Iterator[Line]:
    """Yield the keys, as many in a row as there is room for."""
    row = Line()
    for each in keys:
        if row.width and row.width + len(each) + len(GAP) > width:
            yield row
            row = Line()
        row.add(GAP if row.width else " ", "dim").add(each, "dim")
    yield row


def _beside(one: Line | None, other: Line | None, half: int) -> Line:
    line = Line().extend(one if one is not None else Line())
    line.add(" " * (half + 2 - line.width))
    return line.extend(other) if other is not None else line


def _head(asked: AskedView) -> Line:
    it, found = asked.request, asked.place
    verb = "read" if it.read else "write"
    line = Line(f" {verb} of {bytes_of(it.bytes)} at {where(it.kind, it.address)}: ")
    line = Line(line.plain, "title").add(place(found), "symbol")
    return line.add(f", {found.text}", "dim") if found.text else line


def _fact(label: str) -> Line:
    return Line(f" {label}", "label").pad(LABEL)


def _facts(asked: AskedView, field: Field | None) -> Iterator[Line]:
    it = asked.request
    if field is not None:
        yield reading(field, it.bytes)
    if not it.read and it.kind != "inst-emul":
        yield _value(_fact("written"), it.data)
        if asked.decoded is not None:
            yield _fact("").add(asked.decoded, "good")
    yield _own(asked)
    if asked.own_decoded is not None:
        yield _fact("").add(asked.own_decoded, "dim")
    yield _fact("changes").add("; ".join(asked.changes))
    since = asked.since
    began = f"from before the last {LOOKED_AT} events"
    if since is not None:
        began = f"since {time(since.at)}, event #{since.seq}"
    yield _fact("waits").add(began)
    if asked.before:
        yield _before(asked.before)


def _value(line: Line, value: int) -> Line:
    return line.add(f"{value:#x}", "strong").add(f"  {count(value)}  {binary(value)}")


def reading(field: Field, size: int) -> Line:
    """Return what is typed as it would be taken, or what is wrong with it."""
    line = _fact("answer")
    if is_begun(field.text):
        return line.add(f"a number of {bytes_of(size)} at most", "dim")
    value = entered(field.text, size)
    if isinstance(value, str):
        return line.add("! ", "bad").add(value, "warn")
    return _value(line, value).add(f"  fits {bytes_of(size)}", "good")


def _own(asked: AskedView) -> Line:
    """Return what the engine's own device would say."""
    it, device = asked.request, asked.place.device
    line = _fact("own")
    if it.kind == "inst-emul":
        return line.add("no device knows what this instruction does", "dim")
    if asked.own is None:
        why = "none" if device is None else "it cannot be looked at without a touch"
        return line.add(f"{why}: {NOBODY}" if device is None else why, "dim")
    if it.read:
        return line.add(f"{device or 'nobody'} would say ").add(
            f"{asked.own:#x}", "strong"
        )
    return line.add("a read there gives ").add(f"{asked.own:#x}", "strong").add(" now")


def _before(past: Sequence[Settled]) -> Line:
    """Return what was answered at this place, and by whom."""
    line = _fact("before")
    for number, row in enumerate(past[:MOST_BEFORE]):
        line.add(", " if number else "").add(_fate(row).removeprefix("= "), "strong")
        line.add(f" {by(row)} #{row.seq}", "dim")
    left = len(past) - MOST_BEFORE
    return line.add(f", and {left} more below", "dim") if left > 0 else line


def _code(asked: AskedView) -> Iterator[Line]:
    yield Line(" the instruction, and what is behind it", "title")
    for number, each in enumerate(asked.code):
        line = Line(" > " if not number else "   ", "title")
        line.add(f"{each.linear:08x} ", "address")
        yield line.add(f"{each.mnemonic} {each.operands}".rstrip(), "mnemonic")


def _commands(asked: AskedView) -> Iterator[Line]:
    yield Line(" what vm_run accepts now (+), and why not the others (-)", "title")
    for each in asked.commands:
        line = Line(
            f" {'+' if each.accepted else '-'} ", "good" if each.accepted else "bad"
        )
        line.add(
            each.command.removeprefix("VEC_"), "strong" if each.accepted else "dim"
        )
        yield line.add(f"  {each.why}", "" if each.accepted else "dim")
