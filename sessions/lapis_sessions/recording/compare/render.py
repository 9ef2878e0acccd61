"""A comparison in words, for people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapis_sessions.views import render_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lapis_sessions.views.machine import Json

MOST = 40
"""Fields that are shown; JSON has all."""
WIDE = 38
"""Letters of a value; longer ones are cut in the middle."""
ENDED = "(it has ended)"


def comparison(view: Json) -> str:
    """Return the report of `lapis session diff`."""
    out = [f"a: {view['a']['text']}", f"b: {view['b']['text']}"]
    if view["header"]:
        out += ["", "the machines differ:", *_table(view["header"])]
    if view["act"] is not None:
        out += ["", *_acts(view["act"])]
    out += ["", *_events(view["event"])]
    if view["fields"]:
        out += ["", _state(view), *_table(view["fields"])]
    elif view["event"] is not None:
        out += ["", "the state right after it does not differ"]
    else:
        out.append("the state in the end does not differ")
    if view["beginning"]:
        count = len(view["beginning"])
        out.append(f"left out: {count} fields that differ from the beginning on")
    return "\n".join(out)


def _acts(view: Json) -> list[str]:
    out = ["the first act that differs:"]
    for side in "ab":
        act = view[side]
        words = f"act {act['number']}: {act['text']}" if act else ENDED
        tail = f" -> instruction {act['retired']:,}, event {act['seq']}" if act else ""
        out.append(f"  {side}  {words}{tail}")
    return out


def _events(view: Json | None) -> list[str]:
    if view is None:
        return ["no event differs"]
    what = " only in its time" if view["differs"] == "time" else ""
    out = [f"event {view['seq']} is the first that differs{what}; before it:"]
    out += [f"     {line}" for line in _lines(view["before"])]
    for side in "ab":
        row = view[side]
        line = _lines([row])[0] if row else ENDED
        out.append(f"  {side}  {line}")
    return out


def _lines(rows: Sequence[Json]) -> list[str]:
    return render_machine.events(rows).split("\n") if rows else ["nothing has happened"]


def _state(view: Json) -> str:
    count = len(view["fields"])
    number = f"{count} fields differ" if count != 1 else "1 field differs"
    if view["event"] is None:
        return f"{number} in the end:"
    return f"{number} right after it:"


def _table(rows: Sequence[Json]) -> list[str]:
    shown = rows[:MOST]
    width = max(len(row["field"]) for row in shown)
    out = [
        f"  {row['field']:<{width}}  {_cut(row['a']):<{WIDE}}  {_cut(row['b'])}"
        for row in shown
    ]
    left = len(rows) - len(shown)
    return [*out, f"  and {left} more"] if left else out


def _cut(value: str) -> str:
    if len(value) <= WIDE:
        return value
    half = (WIDE - 3) // 2
    return f"{value[:half]}...{value[-half:]}"
