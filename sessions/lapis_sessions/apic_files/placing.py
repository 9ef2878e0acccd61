"""What a file describes, put onto a session's machine; and the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lapis_engine.apic.regs import LVTS
from lapis_engine.saved.system import HISTORY, IOAPIC, LINES, PIC
from lapis_sessions import files
from lapis_sessions.apic_files import document
from lapis_sessions.apic_files.contents import ApicFileError
from lapis_sessions.apic_files.pasted import ranges
from lapis_sessions.apic_files.view import ExportedView, ImportedView
from lapis_sessions.views import apic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lapis_sessions.apic_files.contents import Chip, Contents, Described, Ioapic
    from lapis_sessions.session import Session

ALL = (*LVTS, "tpr", "svr", "isr", "irr", "ldr", "timer", "apicbase")
"""What is not known of an APIC that is not in the file."""


def put(
    session: Session, contents: Contents, number: int, *, lenient: bool
) -> ImportedView:
    """Put `contents` onto vCPU `number`, and return what it became.

    What is foreign is always taken leniently. Raises `RecordError` naming field and
    reason, or `EngineError`; nothing is changed then.
    """
    said = session.machine.import_apic(
        number, contents.saved, contents.name, lenient=lenient or contents.is_foreign
    )
    return ImportedView(
        vcpu=number,
        file=contents.name,
        format=contents.format,
        remarks=(*contents.remarks, *said),
        apic=apic.of(session.machine, number),
    )


def put_all(
    session: Session, described: Described, number: int | None, *, lenient: bool
) -> ImportedView:
    """Put all that was described into a machine that is there for itself.

    A lone APIC goes onto vCPU `number`, or onto the selected one; of several, each onto
    its own, or with `number` that one alone. Devices that the machine lacks are left
    out with a remark. Raises as `put`, and changes nothing then.
    """
    apics = chosen(described, number)
    to = session.selected if number is None else number
    places = [
        (each, to if len(described.apics) == 1 else each.vcpu or 0) for each in apics
    ]
    for each, at in places:
        session.machine.check_apic(at, each.saved, lenient=lenient or each.is_foreign)
    saved, left_out = _devices(session, described)
    if saved:
        session.machine.import_system(saved)
    views = [put(session, each, at, lenient=lenient) for each, at in places]
    return together(session, described, views, left_out)


def chosen(described: Described, number: int | None) -> tuple[Contents, ...]:
    """Return the APICs that are wanted; raise `ApicFileError` when it is not there."""
    if number is None or len(described.apics) < 2:
        return described.apics
    found = tuple(each for each in described.apics if each.vcpu == number)
    if not found:
        known = ", ".join(str(each.vcpu) for each in described.apics)
        raise ApicFileError(
            f"APIC file {described.name!r} has the APICs of CPUs {known}, and none of "
            f"{number}"
        )
    return found


def together(
    session: Session,
    described: Described,
    views: Sequence[ImportedView],
    said: Sequence[str],
) -> ImportedView:
    """Return one view of all that was put: the first APIC, and numbers of the others.

    Without an APIC it shows that of the selected vCPU.
    """
    remarks = [*described.remarks, *said]
    form = " and ".join(described.formats)
    if not views:
        number = session.selected
        remarks.insert(0, "the file has no local APIC")
        shown = apic.of(session.machine, number)
        return ImportedView(number, described.name, form, tuple(remarks), shown)
    told = list(_once(views))
    others = tuple(view.vcpu for view in views[1:])
    return replace(
        views[0],
        format=form,
        remarks=(*told, *remarks),
        also=others or UNSET,
    )


def _once(views: Sequence[ImportedView]) -> Iterator[str]:
    """Yield the remarks on APICs once each, with the CPUs that they are about."""
    about: dict[str, list[int]] = {}
    for view in views:
        for remark in view.remarks:
            about.setdefault(remark, []).append(view.vcpu)
    for remark, numbers in about.items():
        whose = "" if len(numbers) == len(views) else f"CPU {ranges(numbers)}: "
        yield f"{whose}{remark}"


def _devices(
    session: Session, described: Described
) -> tuple[dict[str, Any], list[str]]:
    """Return saved state of the devices that the machine has, and what it lacks."""
    vm, saved, said = session.machine.vm, saved_devices(described), []
    for name, device in ((IOAPIC, vm.ioapic), (PIC, vm.pic)):
        if name in saved and device is None:
            del saved[name]
            said.append(f"the machine has no {name}: that of the file is left out")
    return saved, said


def saved_devices(described: Described) -> dict[str, Any]:
    """Return saved state of the devices, as `saved.system` takes it."""
    saved: dict[str, Any] = {}
    if described.ioapic is not None:
        saved[IOAPIC] = _ioapic(described.ioapic)
    if described.pic is not None:
        master, slave = described.pic
        saved[PIC] = {"master": _chip(master), "slave": _chip(slave)}
    return saved


def platform(described: Described) -> str:
    """Return the platform that has what was described, and no more."""
    parts = [
        name
        for name, part in ((IOAPIC, described.ioapic), (PIC, described.pic))
        if part is not None
    ]
    return "-".join(["dump", *parts])


def put_system(session: Session, described: Described, cpus: int) -> None:
    """Put what is beside the APICs, and what is not known; raise `RecordError`."""
    unknown = list(_unknown(described, cpus))
    session.machine.import_system(saved_devices(described) | {"unknown": unknown})


def _unknown(described: Described, cpus: int) -> Iterator[str]:
    """Yield the names of what the file does not have."""
    yield HISTORY
    known = {0 if each.vcpu is None else each.vcpu: each for each in described.apics}
    for number in range(cpus):
        own = f"vcpu{number}"
        found = known.get(number)
        if found is None or found.is_foreign:
            yield own
        for name in ALL if found is None else found.missing:
            yield f"{own}.{name}"
    if described.pic is None:
        yield PIC
    ioapic = described.ioapic
    if ioapic is None:
        yield IOAPIC
        return
    if ioapic.asserted is None:
        yield LINES
    for number in range(ioapic.count):
        if number not in ioapic.pins:
            yield f"{IOAPIC}.pin{number}"


def _ioapic(found: Ioapic) -> dict[str, Any]:
    high = found.asserted or frozenset()
    return {
        "version": found.version,
        "id": found.id << 24,
        "select": found.select,
        "count": found.count,
        "pins": [[n, entry, int(n in high)] for n, entry in sorted(found.pins.items())],
    }


def _chip(found: Chip) -> dict[str, Any]:
    return {
        "irr": found.irr, "imr": found.imr, "isr": found.isr, "elcr": found.elcr,
        "base": found.base, "lowest": found.lowest,
    }  # fmt: skip


def save(session: Session, path: str, number: int, *, force: bool) -> ExportedView:
    """Write the APIC of a vCPU to `path`; raise `RecordingError` or `EngineError`."""
    found = document.of(session.machine, number)
    size = files.write(path, [document.encode(found)], force=force)
    return ExportedView(
        file=path,
        bytes=size,
        format=found["format"],
        version=found["version"],
        vcpu=found["vcpu"],
        now=found["now"],
    )
