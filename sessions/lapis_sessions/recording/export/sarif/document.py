"""The log: one run of Lapis, with the lints as rules and what they found as results."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from lapis_sessions.plain import plain
from lapis_sessions.recording.export.sarif import places as where
from lapis_sessions.recording.export.sarif import rules
from lapis_sessions.text.visible import json_text, visible
from lapis_sessions.views import lints

if TYPE_CHECKING:
    from lapis_sessions.plain import Data
    from lapis_sessions.session import Session
    from lapis_sessions.symbols.book import Places
    from lapis_sessions.views.lints import FoundRow

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
    "sarif-schema-2.1.0.json"
)
MOST: Final = 5_000
"""Results of a run: so many code scanning shows, the gravest; with more than 25,000 it
takes none."""


def log(session: Session, artifact: str) -> bytes:
    """Return what the lints have found by now, as a file of SARIF.

    Args:
        session: The machine, and its symbols.
        artifact: The file that a finding is in which no line of source is known of: a
            recording, or the guest.
    """
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [_run(session, artifact)],
    }
    return (json_text(document, indent=1) + "\n").encode()


def _run(session: Session, artifact: str) -> Data:
    machine = session.machine
    pages = lints.pages(machine)
    found = lints.found(machine)
    shown = found[:MOST]
    places = where.places_of(session)
    numbers = {page.name: number for number, page in enumerate(pages)}
    guest = visible(session.guest)
    return {
        "tool": {
            "driver": {
                "name": "Lapis",
                "fullName": "Lapis, the Local APIC Interactive Stepper",
                "version": version("lapis"),
                "rules": [rules.rule(page) for page in pages],
            }
        },
        "automationDetails": {"id": f"lapis/{guest}/"},
        "originalUriBaseIds": {
            where.ROOT: {"description": {"text": "Where the sources are."}}
        },
        "invocations": [_invocation(session, left_out=len(found) - len(shown))],
        "results": [
            _result(row, numbers[row.name], places, artifact) for row in shown
        ],
        "properties": {
            "guest": guest,
            "cpus": len(machine.vcpus),
            "profile": machine.config.profile.name,
            "instructions": sum(vcpu.retired for vcpu in machine.vcpus),
            "virtualTimeNs": machine.now,
        },
    }  # fmt: skip


def _invocation(session: Session, *, left_out: int) -> Data:
    """Say which lints were off, and what is not in the log (3.20)."""
    off = [view.name for view in lints.of(session.machine) if not view.on]
    found: Data = {"executionSuccessful": True}
    if off:
        found["ruleConfigurationOverrides"] = [
            {"configuration": {"enabled": False}, "descriptor": {"id": name}}
            for name in off
        ]
    if left_out:
        text = f"{left_out:,} findings more are left out, none graver than these."
        found["toolExecutionNotifications"] = [
            {"level": "warning", "message": {"text": text}}
        ]
    return found


def _result(row: FoundRow, number: int, places: Places, artifact: str) -> Data:
    it = row.finding
    values = {
        "vcpu": it.vcpu if it.vcpu >= 0 else None,
        "event": it.seq,
        "timeNs": it.at,
        "ran": it.ran,
        "rip": None if it.rip is None else f"{it.rip:#x}",
        "values": plain(it.values) or None,
    }
    return {
        "ruleId": row.name,
        "ruleIndex": number,
        "level": row.severity,
        "message": {"text": visible(it.text)},
        "locations": [where.location(row, places, artifact)],
        "occurrenceCount": it.times,
        "partialFingerprints": where.fingerprints(row, places),
        "properties": {name: each for name, each in values.items() if each is not None},
    }
