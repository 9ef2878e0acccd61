"""Recordings as plain data that JSON can hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from lapis_engine.replay.schema import STATE_SCHEMA

if TYPE_CHECKING:
    from lapis_sessions.recording.format.reader import Recording
    from lapis_sessions.recording.play.replaying import Verdict
    from lapis_sessions.views.machine import Json


def warnings(recording: Recording) -> list[str]:
    """Return what is odd about a file that can be read all the same."""
    found = []
    schema = recording.header.state_schema
    if schema != STATE_SCHEMA:
        found.append(
            f"recorded under state schema {schema}, this is {STATE_SCHEMA}: hashes are "
            f"not comparable, acts are done again and the stops compared"
        )
    if recording.damage is not None:
        found.append(recording.damage.text)
    elif not recording.complete:
        found.append(
            f"cut off: the recording was not closed; it is read up to its last whole "
            f"chunk, {recording.lost} bytes after that are lost"
        )
    if recording.skipped:
        found.append(f"chunks that are not known here: {', '.join(recording.skipped)}")
    return found


def info(recording: Recording) -> Json:
    """Describe a recording."""
    head = recording.header
    return {
        "file": recording.name,
        "bytes": recording.size,
        "state": recording.state,
        "guest": head.image.name,
        "image": "embedded" if head.image.data is not None else "by reference",
        "sha256": head.image.sha256,
        "cpus": head.cpus,
        "memory": head.memory,
        "profile": head.profile,
        "quantum": head.quantum,
        "firmware": head.firmware,
        "devices": head.devices,
        "format": head.format,
        "state_schema": head.state_schema,
        "engine": head.engine,
        "lapis": head.lapis,
        "unicorn": head.unicorn,
        "chunks": recording.chunks,
        "branches": [
            {
                "name": branch.name,
                "parent": branch.parent,
                "acts": len(branch.acts),
                "retired": branch.acts[-1].retired if branch.acts else 0,
                "events": branch.acts[-1].seq if branch.acts else 0,
                "hashes": len(branch.hashes) + len(branch.checkpoints),
                "notes": len(branch.notes),
            }
            for branch in recording.branches
        ],
        "warnings": warnings(recording),
    }


def verdict(recording: Recording, found: Verdict) -> Json:
    """Return what a replay of it came to."""
    divergence = found.divergence
    return {
        "file": recording.name,
        "state": "diverged" if divergence is not None else recording.state,
        "acts": found.acts,
        "retired": found.retired,
        "hashes": found.hashes,
        "stops": found.stops,
        "digest": found.digest,
        "divergence": (
            None if divergence is None
            else asdict(divergence) | {"text": divergence.text}
        ),
        "warnings": warnings(recording),
    }  # fmt: skip
