"""Our own format: a JSON object, one local APIC with what is pending on its vCPU.

Its keys, of which all but the last two must be there:

format: "lapis-apic".
version: 1. A change that an older Lapis would misread makes it another number.
lapic: the fields of `vdi_lapic_v1` by name, numbers; `vlp_isr`, `vlp_tmr` and
    `vlp_irr` are lists of eight (`lapis_engine.saved.lapic`).
events: run-state and pending events by name (`lapis_engine.saved.events`).
now: ns of virtual time at which it was written; `vl_timer_target` is on that clock.
profile: name of the profile of the machine.
vcpu: number of the vCPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lapis_engine.saved import events as saved_events
from lapis_engine.saved import lapic
from lapis_engine.saved import transfer as saved_state
from lapis_sessions.apic_files.contents import OUR_FORMAT, ApicFileError, Contents
from lapis_sessions.text import objects
from lapis_sessions.text.visible import json_text

if TYPE_CHECKING:
    from lapis_engine.machine.machine import Machine

VERSION = 1
NEEDED = ("format", "version", "lapic", "events", "now")
KEYS = (*NEEDED, "profile", "vcpu")


def of(machine: Machine, number: int) -> dict[str, Any]:
    """Return the document of a vCPU's APIC; raise `EngineError`."""
    return {
        "format": OUR_FORMAT,
        "version": VERSION,
        "profile": machine.vm.profile.name,
        "vcpu": number,
        **saved_state.export_apic(machine.vm, machine.vcpu(number)),
    }


def encode(document: dict[str, Any]) -> bytes:
    """Return the bytes of the file."""
    return f"{json_text(document, indent=2)}\n".encode("ascii")


def read(name: str, text: str) -> Contents:
    """Understand a document; raise `ApicFileError`, or `RecordError` for a field.

    Every field must be there and fit; whether the values can be is for the machine.
    """
    found = _object(name, text)
    _check_head(name, found)
    saved = {key: found[key] for key in ("lapic", "events", "now")}
    for part in ("lapic", "events"):
        if not isinstance(saved[part], dict):
            raise _bad(name, f"{part} is not an object of fields")
    lapic.from_fields(saved["lapic"])
    saved_events.from_fields(saved["events"])
    profile, vcpu = found.get("profile", ""), found.get("vcpu")
    if not isinstance(profile, str):
        raise _bad(name, "profile is not a name")
    if vcpu is not None and (
        isinstance(vcpu, bool) or not isinstance(vcpu, int) or vcpu < 0
    ):
        raise _bad(name, "vcpu is not a number")
    return Contents(name, OUR_FORMAT, saved, (), vcpu, profile)


def _check_head(name: str, found: dict[str, Any]) -> None:
    if found.get("format") != OUR_FORMAT:
        shown = repr(found.get("format"))[:40]
        raise _bad(name, f"format is {shown} and not '{OUR_FORMAT}'")
    version = found.get("version")
    if isinstance(version, bool) or version != VERSION:
        shown = repr(version)[:40]
        raise _bad(name, f"version is {shown}; this Lapis reads {VERSION}")
    for key in NEEDED:
        if key not in found:
            raise _bad(name, f"{key} is not there")
    for key in found:
        if key not in KEYS:
            raise _bad(name, f"there is no {repr(key)[:40]} in this format")


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        return objects.read(text)
    except ValueError as error:
        raise _bad(name, str(error)) from None


def _bad(name: str, why: str) -> ApicFileError:
    return ApicFileError(f"APIC file {name!r}: {why}")
