"""Explorations in words, for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lapis_sessions.views.machine import Json

MOST_CONSOLE = 60
"""Characters of what a guest printed that are shown."""


def explored(view: Json) -> str:
    """Return the distinct outcomes, and where their recordings are."""
    what = f"{view['runs']:,} runs of {view['guest']} with seed {view['seed']}"
    lines = [f"{what}: {len(view['outcomes'])} outcomes"]
    for row in view["outcomes"]:
        lines += _outcome(row)
    if view["until"]:
        found = view["found"]
        text = "never came about" if found is None else f"came about in run {found}"
        lines.append(f"{view['until']}: {text}")
    return "\n".join(lines)


def _outcome(row: Json) -> list[str]:
    mark = " <- looked for" if row["met"] else ""
    runs = f"{row['count']:,} runs, {row['undisturbed']:,} with all IPIs as sent"
    lines = [
        f"{row['outcome']}  {runs}{mark}",
        f"    {row['stop']}{': ' if row['text'] else ''}{row['text']}",
    ]
    states = ", ".join(f"vCPU {n} {state}" for n, state in enumerate(row["states"]))
    lines.append(f"    {states}")
    if row["lints"]:
        lines.append(f"    lints {', '.join(row['lints'])}")
    if row["console"]:
        shown = row["console"][-MOST_CONSOLE:]
        lines.append(f"    printed {shown!r}")
    how = ", ".join(row["disturbances"]) or "IPIs as sent"
    lines.append(
        f"    run {row['run']}: {row['switches']:,} switches, "
        f"{row['retired']:,} instructions, {how}; {row['file']}"
    )
    return lines


def shrunk(view: Json) -> str:
    """Say what is left of a schedule."""
    before, after = view["before"], view["after"]
    became = f"{before['switches']:,} switches became {after['switches']:,}"
    lines = [f"{view['until']}: {became} in {view['tries']:,} tries; {view['file']}"]
    if before["acts"]:
        lines.append(f"{before['acts']:,} other acts became {after['acts']:,}")
    for step in view["steps"]:
        if "act" in step:
            lines.append(f"  {step['act']}")
        else:
            lines.append(
                f"  vCPU {step['vcpu']} for {step['count']:,}, up to {step['before']}"
            )
    if not view["complete"]:
        lines.append("the tries were used up, or broken off: less may do")
    return "\n".join(lines)
