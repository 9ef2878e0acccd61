"""A session's place in its history, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.views.machine import Json


def place(view: Json) -> str:
    """Say where the machine is."""
    ahead = "" if view["at_end"] else f" of {view['end']:,} on {view['branch']}"
    head = f"at instruction {view['retired']:,}{ahead}, event {view['event']}"
    tail = f"{view['now']:,} ns; vCPU {view['vcpu']} at RIP {view['rip']:#x}"
    lines = [f"{head}, {tail}"]
    if "text" in view:
        lines.append(view["text"])
    if "field" in view:
        lines.append(f"{view['field']} is {view['value']} from here on")
    return "\n".join(lines)


def branches(rows: Sequence[Json]) -> str:
    """Return the table of branches."""
    out = []
    for row in rows:
        mark = "*" if row["current"] else " "
        tail = f", from {row['parent']} at {row['fork']:,}" if row["fork"] else ""
        out.append(
            f"{mark} {row['name']:<12} {row['acts']} acts, ends at instruction "
            f"{row['end']:,}{tail}"
        )
    return "\n".join(out)


def checkpoints(view: Json) -> str:
    """Return the named points and what checkpoints cost."""
    out = [
        f"{row['name']:<12} instruction {row['retired']:,} on {row['branch']}"
        for row in view["named"]
    ]
    kib, limit = view["bytes"] >> 10, view["limit"] >> 10
    out.append(f"{len(view['kept'])} checkpoints hold {kib:,} of {limit:,} KiB")
    return "\n".join(out)
