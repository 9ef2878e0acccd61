"""A walk of the page tables, in words.

The answer is a record of the engine, which is why its fields are a contract here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lapis_engine.why.pages import PageAccess, PageAnswer, PageEntry, Rights

SIZES: Final = {1 << 12: "4 KiB", 1 << 21: "2 MiB", 1 << 22: "4 MiB", 1 << 30: "1 GiB"}


def text(view: PageAnswer) -> str:
    """Return one line for each entry, and what came of it."""
    out = [
        f"{view.linear:#x} on vCPU {view.vcpu}, paging {view.mode}, {kind(view.access)}"
    ]
    if view.entries:
        out.append(f"  {'CR3':<26} {view.cr3:016x}")
    out += [f"  {_row(each)}" for each in view.entries]
    if view.entries and view.physical is not None:
        out.append(f"  {mapped(view)}")
    return "\n".join([*out, view.text])


def kind(access: PageAccess) -> str:
    """Return what an access is: `write by CPL 3`."""
    verb = "fetch" if access.fetch else "write" if access.write else "read"
    return f"{verb} by {'CPL 3' if access.user else 'the supervisor'}"


def _row(entry: PageEntry) -> str:
    head = f"{entry.table:<5} {entry.index:>4} at {entry.at:>12x}"
    return f"{head}  {entry.raw:016x}  {' '.join(entry.flags):<22} {leads(entry)}"


def leads(entry: PageEntry) -> str:
    """Return where an entry leads, or why it leads nowhere."""
    if entry.reserved:
        return f"reserved bits {entry.reserved:x}"
    if "P" not in entry.flags:
        return "not present" if entry.served is not None else "in no memory"
    return f"{'page' if entry.maps else 'table'} {entry.address:x}"


def mapped(view: PageAnswer) -> str:
    """Return what an address is mapped to."""
    assert view.physical is not None, view
    out = [f"physical {view.physical:x}", view.served or "nobody serves it"]
    if view.page is not None and view.rights is not None:
        out += [SIZES[view.page], rights(view.rights), f"PAT {view.memory_type}"]
    return ", ".join(out)


def rights(given: Rights) -> str:
    """Return rights as letters: `rwx user`, `r-- supervisor`."""
    letters = f"r{'w' if given.write else '-'}{'x' if given.fetch else '-'}"
    return f"{letters} {'user' if given.user else 'supervisor'}"
