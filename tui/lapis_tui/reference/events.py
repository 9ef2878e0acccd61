"""The page of the events: every kind with its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from lapis_engine import events
from lapis_engine.machine.catches import CONSOLE, EVENTS
from lapis_tui.reference.markdown import code, joined, prose, table
from lapis_tui.reference.source import class_text, written

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD: Final = """\
# Events

Whatever happens in a machine is an event: a record that `events` lists, that `catch`
stops at, and that `lapis session dump FILE --ndjson` writes. Each has a number, `seq`,
which counts from 0 over the whole life of the machine, and a virtual time, `at`, in ns.

`catch KIND` waits for one, `catch KIND if event.FIELD == VALUE` for one of which that
holds; beside its own fields an event has `event.kind` and `event.said`, all of it in
words. A field with none of what it is about is `None`.
"""
MANY: Final = 10
"""Kinds of records that are not listed one by one."""
TITLES: Final = (
    ("Between and in the APICs", events.FabricEvent),
    ("Of a vCPU, or of the machine", events.ProcessorEvent),
)


def page() -> str:
    """Return the page."""
    return joined([HEAD, "## What can be waited for\n", _catches(), *_kinds()])


def _catches() -> str:
    """Return which records `catch NAME` stops at, where it is more than its own."""
    rows = [
        (code(f"catch {name}"), ", ".join(code(each.__name__) for each in kinds))
        for name, kinds in EVENTS.items()
        if 0 < len(kinds) < MANY
    ]
    rows.append((code(f"catch {CONSOLE}"), "what a guest prints, which is no event"))
    rows.append((code("catch any"), "every one"))
    return table(("command", "stops at"), rows)


def _kinds() -> Iterator[str]:
    for title, union in TITLES:
        yield f"## {title}\n"
        for kind in get_args(union):
            yield f"### {kind.__name__}\n"
            yield f"{code(kind.kind)}: {prose(class_text(kind))}\n"
            rows = [
                (code(each.name), code(each.type), prose(each.text))
                for each in written(kind)
            ]
            yield table(("field", "type", "what"), rows)
