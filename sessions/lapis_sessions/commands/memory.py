"""Commands that change memory, or explain how an address comes to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import UnmappedError
from lapis_engine.why import addresses, pages
from lapis_engine.why.pages import PageAccess
from lapis_sessions.errors import CommandError
from lapis_sessions.registry import Argument, Bound, Command
from lapis_sessions.text import numerals
from lapis_sessions.views import page as page_view
from lapis_sessions.views import what as what_view
from lapis_sessions.views import written
from lapis_sessions.views.written import WrittenView

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine
    from lapis_engine.why.pages import PageAnswer
    from lapis_sessions.session import Session
    from lapis_sessions.views.what import WhatView

WIDTHS: Final = ("1", "2", "4", "8")
_BYTES: Final = re.compile(r"(?:[0-9a-fA-F]{2}\s*)+", re.ASCII)
ADDRESS: Final = Argument("address", "address", required=True)
PHYSICAL: Final = Argument("physical", "flag", option=True)


def page(session: Session, bound: Bound) -> PageAnswer:
    """Walk the page tables of a vCPU for an address."""
    number = bound.number("vcpu", session.selected)
    access = PageAccess("write" in bound, "user" in bound, "fetch" in bound)
    if access.write and access.fetch:
        raise CommandError("page: --write and --fetch: an access is one of them")
    return pages.page(session.machine, number, bound.number("address"), access)


def what(session: Session, bound: Bound) -> WhatView:
    """Say what is at an address."""
    number = bound.number("vcpu", session.selected)
    found = addresses.address(
        session.machine, number, bound.number("address"), physical="physical" in bound
    )
    return what_view.of(found, session.symbols.places)


def write(session: Session, bound: Bound) -> WrittenView:
    """Write memory as the selected vCPU, or the bus, sees it."""
    at, physical = bound.number("address"), "physical" in bound
    data = _data(bound)
    machine, vcpu = session.machine, session.selected
    before = _present(machine, vcpu, at, len(data), physical=physical)
    machine.write_memory(vcpu, at, data.hex(), physical=physical)
    return WrittenView(at, physical, before.hex(), data.hex())


def _data(bound: Bound) -> bytes:
    """Return the bytes of the line: hex, or a number of so many bytes."""
    text, width = bound.word("bytes"), int(bound.word("width", "0"))
    if width:
        most = (1 << 8 * width) - 1
        value = numerals.number(text, "write-memory: bytes", most)
        return value.to_bytes(width, "little")
    if not _BYTES.fullmatch(text):
        raise CommandError(
            f"write-memory: bytes {numerals.shown(text)}: two hex digits for each, as "
            f"in 90 90 c3, or with --width a number"
        )
    return bytes.fromhex(text)


def _present(
    machine: Machine, vcpu: int, at: int, size: int, *, physical: bool
) -> bytes:
    """Return what is there; nothing where a write is refused in other words."""
    try:
        if physical:
            return machine.read_physical(at, size)
        return machine.read_memory(vcpu, at, size)
    except UnmappedError:
        return b""


COMMANDS = (
    Command(
        "page",
        "walk the page tables for ADDRESS, entry by entry, and say where it comes to, "
        "or what #PF the access would get; a read of the supervisor unless it is a "
        "--write or a --fetch, or by a --user; nothing is touched",
        "read-only", page, page_view.text,
        (
            ADDRESS,
            Argument("vcpu", "vcpu", option=True),
            Argument("write", "flag", option=True),
            Argument("user", "flag", option=True),
            Argument("fetch", "flag", option=True),
        ),
        ("pagewalk", "info page"),
    ),
    Command(
        "what",
        "say what is at ADDRESS: memory or device, symbol, descriptor, gate, entry of "
        "a page table, register of the local APIC; nothing is touched",
        "read-only", what, what_view.text,
        (ADDRESS, PHYSICAL, Argument("vcpu", "vcpu", option=True)),
    ),
    Command(
        "write-memory",
        "write BYTES, in hex, into RAM at ADDRESS as the vCPU that is chosen sees it, "
        "whatever the rights of the page; with --width they are one number of so many "
        "bytes, with --physical the address is physical; ROM and devices are refused",
        "mutating", write, written.text,
        (
            ADDRESS,
            Argument("bytes", "word", required=True, many=True),
            PHYSICAL,
            Argument("width", "word", choices=WIDTHS, option=True),
        ),
        ("poke",),
    ),
)  # fmt: skip
