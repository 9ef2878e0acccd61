"""Answers of `why` as plain data that JSON can hold.

The field names are a contract of `lapis exec --json`, as those of `views` are.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from lapis_engine.cause import sentence

if TYPE_CHECKING:
    from lapis_engine.cause import Cause
    from lapis_engine.why.ipi import DryRun
    from lapis_engine.why.vcpu import VcpuAnswer
    from lapis_engine.why.vector import VectorAnswer
    from lapis_sessions.views.machine import Json


def answer(found: VectorAnswer | VcpuAnswer) -> Json:
    """Return an answer; each reason has rule, text, values, blocks and about."""
    return asdict(found)


def dry_run(found: DryRun, forbidden: Cause | None) -> Json:
    """Return what would become of an IPI, in the fields of `views.ipi` and more.

    `forbidden` says why `ipi` would not send it without --raw.
    """
    return {
        "icr": found.icr,
        "mode": found.mode,
        "text": found.words,
        "from": found.sender,
        "targets": list(found.targets),
        "dropped": sentence(found.dropped),
        "rule": "" if found.dropped is None else found.dropped.code,
        "answer": found.text,
        "guest": found.guest or "",
        "forbidden": sentence(forbidden),
        "verdicts": [asdict(verdict) for verdict in found.verdicts],
    }
