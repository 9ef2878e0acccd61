"""gdb's `x/FORMAT`: memory in units, texts and instructions, linear or physical."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import UNSET

from lapis_engine.errors import UnmappedError
from lapis_engine.units import PAGE
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.symbols.book import Places
from lapis_sessions.text import numerals, typed
from lapis_sessions.views import examined, memory
from lapis_sessions.views.examined import ExaminedView, UnitView

if TYPE_CHECKING:
    from collections.abc import Callable

    from lapis_sessions.session import Session

SIZES: Final = {"b": 1, "h": 2, "w": 4, "g": 8}
FORMS: Final = "xzduotca"
"""Letters of numbers."""
MOST_BYTES: Final = 1 << 20
MOST_TEXT: Final = 4096
"""Bytes of one text."""
MOST_LINES: Final = 10_000
"""Instructions, or texts."""
_FORMAT: Final = re.compile(r"([0-9]{0,9})([a-z]*)", re.ASCII)


class Format(NamedTuple):
    """What stands behind the slash."""

    number: int
    form: str
    size: int | None


def read_format(text: str, what: str) -> Format:
    """Read `20i` or `4xw`; raise `CommandError`.

    >>> read_format("4xw", "x")
    Format(number=4, form='x', size=4)
    """
    parts = _FORMAT.fullmatch(text)
    letters = parts[2] if parts is not None else ""
    sizes = [each for each in letters if each in SIZES]
    forms = [each for each in letters if each in FORMS or each in "is"]
    if parts is None or len(sizes) + len(forms) < len(letters):
        raise CommandError(
            f"{what}: format {numerals.shown(text)}: a count, one letter of "
            f"{FORMS}si and one of {''.join(SIZES)}, as 20i or 4xw"
        )
    if len(sizes) > 1 or len(forms) > 1:
        raise CommandError(f"{what}: format {text!r} names two sizes or two forms")
    form = forms[0] if forms else "x"
    count = int(parts[1] or 1)
    if not count:
        raise CommandError(f"{what}: format {text!r}: at least one")
    return Format(count, form, SIZES[sizes[0]] if sizes else None)


def examine(*, physical: bool) -> Callable[[Session, Bound], ExaminedView]:
    """Return what shows linear or physical memory."""

    def perform(session: Session, bound: Bound) -> ExaminedView:
        what = "xp" if physical else "x"
        wanted = read_format(bound.word("format"), what)
        at = _where(session, bound, what, wanted.form)
        match wanted.form:
            case "i":
                return _code(session, at, wanted.number, physical=physical)
            case "s":
                return _texts(session, at, wanted.number, physical=physical)
            case _:
                return _units(session, at, wanted, physical=physical)

    return perform


def _where(session: Session, bound: Bound, what: str, form: str) -> int:
    if "address" not in bound:
        if form != "i" or what == "xp":
            raise CommandError(f"{what}/{bound.word('format')} needs ADDRESS")
        return session.machine.vcpu(session.selected).regs.linear_rip
    text = bound.word("address")
    try:
        return numerals.address(text, session.symbols, what)
    except CommandError:
        value = session.value(text)
    if not isinstance(value, int) or not 0 <= value <= numerals.LARGEST:
        raise CommandError(f"{what}: {text} comes to no address")
    return int(value)


def _code(session: Session, at: int, count: int, *, physical: bool) -> ExaminedView:
    _check(count, MOST_LINES, "instructions")
    machine = session.machine
    rip = machine.vcpu(session.selected).regs.linear_rip
    lines = machine.disassemble(session.selected, at, count, physical=physical)
    if not lines:
        raise UnmappedError(at, 1)
    rows = memory.instructions(lines, rip, _places(session, physical=physical))
    end = lines[-1].linear + len(lines[-1].code)
    ends = UNSET if len(lines) == count else f"{end:#x}: there is no memory"
    return ExaminedView(at, physical, "i", 1, (), tuple(rows), ends)


def _units(
    session: Session, at: int, wanted: Format, *, physical: bool
) -> ExaminedView:
    form, size = wanted.form, wanted.size
    if size is None:
        wide = session.machine.vcpu(session.selected).regs.mode == "long"
        size = 1 if form == "c" else (8 if wide else 4) if form == "a" else 4
    _check(wanted.number * size, MOST_BYTES, "bytes")
    data, why = _present(session, at, wanted.number * size, physical=physical)
    places = _places(session, physical=physical)
    rows = examined.units(at, data, size, form, places)
    if not rows and why is not None:
        raise why
    ends = UNSET if why is None else str(why)
    return ExaminedView(at, physical, form, size, rows, ends=ends)


def _texts(session: Session, at: int, count: int, *, physical: bool) -> ExaminedView:
    """Return texts, each of which ends with a 0 and the next begins behind it."""
    _check(count, MOST_LINES, "texts")
    rows: list[UnitView] = []
    places, left = _places(session, physical=physical), MOST_BYTES
    ends: str | None = None
    while len(rows) < count and ends is None:
        data, why = _present(session, at, MOST_TEXT, physical=physical)
        found, end, _ = data.partition(b"\0")
        if not end and why is not None:
            if not found and not rows:
                raise why
            ends = str(why)
        if found or end:
            cut = "" if end else "..."
            shown = f'"{typed.written(found)}"{cut}'
            near = places.near(at) or UNSET
            rows.append(UnitView(at, found.hex(), shown, near))
        at, left = at + len(found) + len(end), left - len(found)
        if left <= 0:
            ends = f"{MOST_BYTES} bytes are the most"
    first = rows[0].address
    return ExaminedView(
        first, physical, "s", 1, tuple(rows), ends=UNSET if ends is None else ends
    )


def _places(session: Session, *, physical: bool) -> Places:
    """Return the names of addresses; symbols are linear."""
    return Places() if physical else session.symbols.places


def _present(
    session: Session, at: int, size: int, *, physical: bool
) -> tuple[bytes, UnmappedError | None]:
    """Return what there is of so many bytes, page by page, and why it ends."""
    machine, out = session.machine, bytearray()
    while len(out) < size:
        here = at + len(out)
        some = min(PAGE - here % PAGE, size - len(out))
        try:
            if physical:
                out += machine.read_physical(here, some)
            else:
                out += machine.read_memory(session.selected, here, some)
        except UnmappedError as error:
            return bytes(out), error
    return bytes(out), None


def _check(count: int, most: int, what: str) -> None:
    if count > most:
        raise CommandError(f"x: {count} {what}: {most} are the most")


ADDRESS: Final = Argument("address", "expression")
FORMAT: Final = Argument("format", "word", required=True)
COMMANDS = (
    Command(
        "x/",
        "show memory at ADDRESS as gdb does: x/20i instructions (from RIP if no "
        "address is given), x/4xw units of b, h, w or g (1, 2, 4, 8 bytes) in x, d, u, "
        "o, t (binary), c or a (with symbols), x/s texts; no device is touched",
        "read-only", examine(physical=False), examined.text, (FORMAT, ADDRESS),
    ),
    Command(
        "xp/", "the same at a physical ADDRESS", "read-only",
        examine(physical=True), examined.text, (FORMAT, ADDRESS),
    ),
)  # fmt: skip
