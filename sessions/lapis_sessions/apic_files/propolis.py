"""Payloads of propolis (`LapicV1`, `IoApicV1`, `AtPicV1`), and bhyve's own records.

propolis writes the fields of `vdi_lapic_v1` without their prefix, as JSON. A file has
one payload, or a list of `{"kind", "version", "data"}`, nested as it likes; `data` is
an object, or the text or the bytes of one. bhyve's record is `struct vdi_lapic_v1` as
VM_DATA_READ of VDC_LAPIC gives it, 200 bytes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from lapis_engine.saved import lapic as lapic_record
from lapis_sessions.apic_files.contents import (
    BASE_EXTD,
    Chip,
    Contents,
    Described,
    Ioapic,
)
from lapis_sessions.text import objects

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: Final = {
    "bhyve-x86-lapic": "lapic", "bhyve-ioapic": "ioapic", "bhyve-atpic": "atpic",
}  # fmt: skip
LEVELS: Final = 32
DEEPEST: Final = 24
RECORD: Final = struct.Struct("<7I8I8I8III4xQ6III QqI4x")
"""`struct vdi_lapic_v1`: the page, APICBASE, target of the timer, pending ESR."""
SIZE: Final = RECORD.size
NAMES: Final = lapic_record.NAMES
COUNT: Final = (1 << 63) - 1


def takes(text: str) -> bool:
    """Tell whether `text` is JSON with a payload of propolis in it."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    return any(f'"{key}"' in text for key in ("msr_apicbase", "registers", "chips"))


def read(name: str, text: str) -> Described:
    """Understand the payloads in `text`; raise `ValueError` naming the field."""
    found = list(_payloads(_tree(text), 0))
    apics = [_lapic(name, each) for kind, each in found if kind == "lapic"]
    ioapics = [_ioapic(each) for kind, each in found if kind == "ioapic"]
    pics = [_pic(each) for kind, each in found if kind == "atpic"]
    if not found:
        raise ValueError("there is no payload of a local APIC, IOAPIC or 8259")
    if len(ioapics) > 1 or len(pics) > 1:
        raise ValueError("it has more than one IOAPIC or 8259 pair")
    return Described(
        name, ("propolis",), tuple(apics), ioapics[0] if ioapics else None,
        pics[0] if pics else None,
    )  # fmt: skip


def _tree(text: str) -> Any:
    if text.lstrip().startswith("{"):
        return objects.read(text)
    return objects.read(f'{{"all": {text}}}')["all"]


def _payloads(tree: Any, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kind and fields of every payload, whatever it lies in."""
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(tree, dict):
        kind = _kind(tree)
        if kind is not None:
            yield kind, tree
        elif tree.get("kind") in KINDS and "data" in tree:
            yield KINDS[tree["kind"]], _data(tree)
        else:
            yield from _payloads(list(tree.values()), depth + 1)
    elif isinstance(tree, list):
        for each in tree:
            yield from _payloads(each, depth + 1)


def _kind(tree: dict[str, Any]) -> str | None:
    """Return of what device an object is the payload, or None."""
    if "msr_apicbase" in tree or "page" in tree:
        return "lapic"
    if "registers" in tree and "reg_sel" in tree:
        return "ioapic"
    return "atpic" if "chips" in tree else None


def _data(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what a payload holds; raise `ValueError`."""
    kind, version, data = payload["kind"], payload.get("version", 1), payload["data"]
    if version != 1:
        raise ValueError(f"{kind} is of version {str(version)[:20]}; 1 is read")
    if isinstance(data, list):
        try:
            data = bytes(data).decode()
        except (TypeError, ValueError):
            raise ValueError(f"the data of {kind} are no bytes of text") from None
    if isinstance(data, str):
        data = objects.read(data)
    if not isinstance(data, dict):
        raise ValueError(f"the data of {kind} are no object")  # noqa: TRY004 - of the text
    return data


def _lapic(name: str, payload: dict[str, Any]) -> Contents:
    page = payload.get("page")
    if not isinstance(page, dict):
        raise ValueError("page is not there, or no object")  # noqa: TRY004 - of the text
    fields: dict[str, Any] = {f"vlp_{key}": value for key, value in page.items()}
    for key in ("msr_apicbase", "timer_target", "esr_pending"):
        if key not in payload:
            raise ValueError(f"{key} is not there")
        fields[f"vl_{key}"] = payload[key]
    return _record(name, "propolis", fields)


def _record(name: str, form: str, fields: dict[str, Any]) -> Contents:
    """Return the APIC of a whole record; raise `ValueError` naming the field."""
    try:
        record = lapic_record.from_fields(fields)
    except lapic_record.RecordError as error:
        raise ValueError(str(error)) from None
    number = record.vlp_id
    if not record.vl_msr_apicbase & BASE_EXTD:
        number >>= 24
    shown = {
        field.removeprefix("vlp_"): f"{field} {fields[field]:#x}"
        for field in NAMES
        if isinstance(fields[field], int)
    }
    shown["lvt_perf"] = shown.pop("lvt_pcint")
    remark = f"the record has no number of a vCPU: that of its APIC id, {number}"
    target = record.vl_timer_target
    remarks = [remark]
    if target:
        remarks.append(
            f"the timer fires at {target} ns of the other machine's time, and the "
            f"record has no now: 0 is taken"
        )
    return Contents(name, form, {"lapic": fields}, tuple(remarks), number, shown=shown)


def _numbers(what: str, value: object, count: int, most: int) -> list[int]:
    if (
        not isinstance(value, list)
        or len(value) != count
        or any(
            isinstance(each, bool) or not isinstance(each, int) or not 0 <= each <= most
            for each in value
        )
    ):
        raise ValueError(f"{what} is no list of {count} numbers of 0 to {most:#x}")
    return value


def _ioapic(payload: dict[str, Any]) -> Ioapic:
    entries = _numbers("registers", payload.get("registers"), LEVELS, (1 << 64) - 1)
    levels = _numbers("levels", payload.get("levels"), LEVELS, COUNT)
    ident, select = _numbers(
        "id, reg_sel", [payload.get("id", 0), payload.get("reg_sel")], 2, 0xFFFF_FFFF
    )
    return Ioapic(
        dict(enumerate(entries)), LEVELS, 0x11, ident >> 24 & 0xF, select & 0xFF,
        frozenset(n for n, level in enumerate(levels) if level), "IoApicV1",
    )  # fmt: skip


def _pic(payload: dict[str, Any]) -> tuple[Chip, Chip]:
    chips = payload["chips"]
    if not isinstance(chips, list) or len(chips) != 2:
        raise ValueError("chips is no list of two")
    found = []
    for chip in chips:
        if not isinstance(chip, dict):
            raise ValueError("a chip is no object")  # noqa: TRY004 - of the text
        keys = ("reg_irr", "reg_imr", "reg_isr", "elc", "irq_base", "lowprio")
        irr, imr, isr, elcr, base, lowest = _numbers(
            ", ".join(keys), [chip.get(key) for key in keys], 6, 0xFF
        )
        found.append(Chip(irr, imr, isr, elcr, base, lowest & 7))
    return found[0], found[1]


def read_record(name: str, data: bytes) -> Contents:
    """Understand the 200 bytes of bhyve's record; raise `ValueError`."""
    row = RECORD.unpack(data)
    page = row[:7], row[7:15], row[15:23], row[23:31], row[31:]
    values = [*page[0], *map(list, page[1:4]), *page[4]]
    fields = dict(zip(NAMES, values, strict=True))
    return _record(name, "bhyve", fields)
