"""Answers of `why` in words: the sentence, then a line a reason. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.views.machine import Json


def _reasons(rows: Sequence[Json]) -> list[str]:
    return [
        f"  {'-' if row['blocks'] else '+'} {row['rule']:<16} {row['text']}"
        for row in rows
    ]


def vector(view: Json) -> str:
    """Say where a vector is and what keeps it."""
    return "\n".join([view["text"], *_reasons(view["reasons"])])


def vcpu(view: Json) -> str:
    """Say why a vCPU does not run and what would wake it."""
    out = [view["text"], *_reasons(view["reasons"])]
    if view["wakes"]:
        out += ["what would make it run:", *_reasons(view["wakes"])]
    return "\n".join(out)


def dry_run(view: Json) -> str:
    """Say whom an IPI would reach, a line a vCPU."""
    out = [f"ICR {view['icr']:#x} from vCPU {view['from']}: {view['answer']}"]
    if view["forbidden"]:
        out.append(f"  (without --raw it is not sent: {view['forbidden']})")
    out += [
        f"  vCPU {row['vcpu']:<3} {row['verdict']:<12} {row['text']}"
        for row in view["verdicts"]
    ]
    return "\n".join(out)
