"""Commands for the names of addresses.

They change nothing in the machine, and so are no acts: a recording does not hold them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lapis_engine.errors import LapisError
from lapis_sessions.errors import CommandError, SymbolsError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.symbols import kallsyms, reading
from lapis_sessions.symbols.book import Source
from lapis_sessions.symbols.limits import MOST_SOURCES
from lapis_sessions.views import symbols as view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_engine.machine.machine import Machine
    from lapis_sessions.session import Session
    from lapis_sessions.symbols.table import Table
    from lapis_sessions.views.symbols import SourceView, SymbolView

MOST_FOUND = 10_000
"""Symbols that are listed at once."""


def sources(session: Session, _bound: Bound) -> list[SourceView]:
    """Return where symbols come from."""
    return [view.source(each) for each in session.symbols.sources]


def load(session: Session, bound: Bound) -> list[SourceView]:
    """Read a file of symbols; return where all come from."""
    return _joined(session, reading.load(bound.word("file"), bound.number("offset")))


def of_linux(session: Session, _bound: Bound) -> list[SourceView]:
    """Read the symbols of a running Linux; return where all come from."""
    memory = session.machine.vm.memory
    table = kallsyms.find(memory.peek, _touched(session.machine))
    if not _is_mapped(session.machine, table):
        raise SymbolsError(
            "a kernel is in the guest's memory, but no vCPU has it where its symbols "
            "are: it is unpacked and not yet moved to where it will run; go on first"
        )
    return _joined(session, Source("guest memory", "kallsyms", table))


def _joined(session: Session, source: Source) -> list[SourceView]:
    found = session.symbols.joined(source)
    if len(found.sources) > MOST_SOURCES:
        raise SymbolsError(
            f"symbols of {MOST_SOURCES} sources are loaded; symbols clear forgets them"
        )
    session.symbols = found
    return [view.source(source)]


def _is_mapped(machine: Machine, table: Table) -> bool:
    """Tell whether a vCPU has the kernel mapped, or its entries as user code has."""
    places = [table.by_name.get("__entry_text_start")]
    places += [symbol.at for symbol in table.symbols[:1]]
    for vcpu in machine.vcpus:
        for at in places:
            with suppress(LapisError):
                if at is not None and machine.read_memory(vcpu.id, at, 1):
                    return True
    return False


def _touched(machine: Machine) -> Iterator[tuple[int, int]]:
    """Yield address and size of the RAM that may hold more than zeros."""
    for region in machine.vm.memory.regions:
        if not region.rom:
            for first, end in region.backing.touched():
                yield region.gpa + first, end - first


def find(session: Session, bound: Bound) -> list[SymbolView]:
    """Return the symbols whose name contains a text."""
    count = bound.number("count", 200)
    if not 1 <= count <= MOST_FOUND:
        raise CommandError(f"symbols find: count {count}: it must be 1 to {MOST_FOUND}")
    found = session.symbols.containing(bound.word("text"), count)
    return [view.symbol(each, session.symbols.places) for each in found]


def clear(session: Session, _bound: Bound) -> list[SourceView]:
    """Forget what was loaded; return what is left."""
    session.symbols = session.symbols.cleared()
    return sources(session, _bound)


COMMANDS = (
    Command(
        "symbols", "list where symbols come from: the image, and what was loaded",
        "read-only", sources, view.sources_text, (), ("info symbols",),
    ),
    Command(
        "symbols load",
        "read symbols and source lines out of FILE, an ELF file or a System.map (nm), "
        "and add OFFSET to each address. They are no state of the machine and in no "
        "recording: on replay load them again",
        "read-only", load, view.sources_text,
        (
            Argument("file", "word", required=True),
            Argument("offset", "value", option=True),
        ),
    ),
    Command(
        "symbols kallsyms",
        "read the symbols of a running Linux out of its memory, at the addresses that "
        "it runs at; on replay do it again",
        "read-only", of_linux, view.sources_text,
    ),
    Command(
        "symbols find", "list COUNT (200) symbols at most whose name contains TEXT",
        "read-only", find, view.found_text,
        (Argument("text", "word"), Argument("count", "count", option=True)),
    ),
    Command(
        "symbols clear", "forget the symbols that were loaded", "read-only",
        clear, view.sources_text,
    ),
)  # fmt: skip
