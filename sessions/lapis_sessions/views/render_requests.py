"""Traps, rules and requests in words. Pure: data in, text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.views import render_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.views.machine import Json


def traps(rows: Sequence[Json]) -> str:
    """Return the traps."""
    return "\n".join(map(trap, rows)) or "there are no traps"


def trap(row: Json) -> str:
    """Say what goes to the user, and who else would have it."""
    size = f"/{row['size']:#x}" if row["size"] > 1 else ""
    instead = f" (not to the {row['serves']})" if row["serves"] else ""
    where = f"{row['space']} {row['first']:#x}{size}"
    return f"trap {row['number']}: {where} goes to the user{instead}"


def rules(rows: Sequence[Json]) -> str:
    """Return the table of rules."""
    return "\n".join(map(rule, rows)) or "no rule answers requests"


def rule(row: Json) -> str:
    """Say what a rule is, what it has done, and its last answers."""
    state = f"disabled: {row['disabled']}" if row["disabled"] else row["state"]
    out = [
        f"rule {row['number']}: {row['text']}",
        f"  {state}, {row['answered']} answered",
    ]
    out += [f"  {each['given']:<12} to {each['request']}" for each in row["last"]]
    return "\n".join(out)


def faulted(view: Json) -> str:
    """Say what was raised."""
    error = "" if view["error"] is None else f"({view['error']:#x})"
    instead = render_machine.request(view)
    return f"#{view['fault'].upper()}{error} raised instead of {instead}"


def answered(view: Json) -> str:
    """Say what was answered, or which rule was made."""
    return rule(view) if "how" in view else render_machine.answered(view)


def history(rows: Sequence[Json]) -> str:
    """Return requests, oldest first, each with who settled it, and how."""
    return "\n".join(map(_request, rows)) or "nothing has been asked"


def _request(row: Json) -> str:
    seq = "" if row["seq"] is None else row["seq"]
    return f"{seq:>7}  {render_machine.request(row):<52}  {_fate(row)}"


def _fate(row: Json) -> str:
    match row["command"]:
        case "":
            return "waits"
        case "DISCARD_INSTR":
            return f"discarded by {row['by']}"
        case "INJECT_FAULT":
            return f"{row['by']}: {row['text']}"
        case _:
            given = "taken" if row["value"] is None else f"{row['value']:#x}"
            return f"{row['by']}: {given}"


def vie(view: Json) -> str:
    """Return the instruction in the making, and what could be done about it."""
    head = f"vCPU {view['vcpu']}, RIP {view['rip']:#x}"
    if view["status"]:
        code = bytes.fromhex(view["bytes"]).hex(" ") or "not fetched"
        bits = " ".join(view["bits"])
        out = [f"{head}: {view['text']}".rstrip(": "), f"bytes  {code}"]
        out += [f"status {view['status']:#x}  {bits}"]
        out += [_slot(name, slot) for name, slot in view["slots"].items()]
    else:
        out = [f"{head}: no instruction is in the making"]
    if view["request"] is not None:
        out.append(f"asks   {render_machine.request(view['request'])}")
    for each in view["commands"]:
        mark = "+" if each["accepted"] else "-"
        out.append(f"{mark} {each['command']:<25} {each['why']}")
    return "\n".join(out)


def _slot(name: str, slot: Json) -> str:
    if slot["state"] == "none":
        return f"{name:<6} none"
    at = slot.get("gpa", slot.get("port", slot.get("msr")))
    size = f", {slot['bytes']} bytes" if "bytes" in slot else ""
    return f"{name:<6} {slot['state']} at {at:#x}{size}, data {slot['data']:#x}"


def memory(view: Json) -> str:
    """Return a hex dump, and which devices were read for it."""
    out = [render_machine.memory(view)]
    out += [
        f"touched {each['device']}: {each['bytes']} bytes at {each['gpa']:#x} = "
        f"{each['value']:#x}"
        for each in view.get("touched", ())
    ]
    if "touched" in view and not view["touched"]:
        out.append("no device was touched")
    return "\n".join(out)
