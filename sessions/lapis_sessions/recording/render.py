"""Recordings in words, for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_sessions.views.machine import Json


def status(view: Json) -> str:
    """Say what is being recorded."""
    if view["failed"]:
        return str(view["failed"])
    if not view["file"]:
        return "nothing is being recorded; what was done is kept in memory"
    if not view["recording"]:
        return f"{view['file']} is complete: {view['acts']} acts"
    return f"recording to {view['file']}: {view['acts']} acts so far"


def annotated(view: Json) -> str:
    """Say where a text was put."""
    return f"noted at instruction {view['retired']:,}"


def replayed(view: Json) -> str:
    """Say what a replay came to."""
    lines = [
        f"{view['file']}: {view['acts']} acts, {view['retired']:,} instructions",
        f"{view['state']}: {_equal(view)} are equal; digest {view['digest']}",
        *view["warnings"],
    ]
    if view["divergence"]:
        lines.append(view["divergence"]["text"])
    return "\n".join(lines)


def _equal(view: Json) -> str:
    return f"{view['stops']} stops and {view['hashes']} hashes"


def info(view: Json) -> str:
    """Describe a recording."""
    machine = f"{view['cpus']} vCPUs, {view['memory']}, profile {view['profile']}"
    lines = [
        f"{view['file']}: {view['bytes']:,} bytes, {view['state']}",
        f"guest {view['guest']} ({view['image']}), {machine}",
        f"Lapis {view['lapis']}, unicorn {view['unicorn']}",
    ]
    for row in view["branches"]:
        tail = f", from {row['parent']}" if row["parent"] else ""
        lines.append(
            f"{row['name']}: {row['acts']} acts, {row['retired']:,} instructions, "
            f"{row['events']} events, {row['hashes']} hashes, {row['notes']} "
            f"annotations{tail}"
        )
    return "\n".join([*lines, *view["warnings"]])
