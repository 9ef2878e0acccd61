"""The page of the format of recordings: chunks, records, acts and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lapis_engine.machine.act_schemas import ACTS
from lapis_engine.replay.schema import ENGINE, REPAIRS, SCHEMAS, STATE_SCHEMA
from lapis_sessions import recording
from lapis_sessions.recording.format import chunks
from lapis_sessions.recording.format.budget import Budget
from lapis_sessions.recording.format.schema import FORMAT, READER, ROWS
from lapis_tui.reference.markdown import block, code, joined, prose, table
from lapis_tui.reference.source import class_text, docstring, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD: Final = """\
# Recording format
"""
GOLDEN: Final = (
    (
        "state.txt",
        "part, field, type and reset value of all state that hashes are over",
    ),
    ("acts.txt", "what each act takes"),
    ("switches.txt", "switches of profiles, and what recordings without them had"),
    ("lints.txt", "lints whose findings are among the events"),
    ("rows.txt", "records of the file, field by field"),
)
"""The lists below `tests/golden`, which a change has to keep to."""


def page() -> str:
    """Return the page."""
    parts = [HEAD, *_layout(), "## Versions\n", _versions(), *_history()]
    parts += ["## Largest body of a chunk, expanded\n", _largest()]
    parts += ["## Records\n", "Arrays of their fields, in this order.\n"]
    for row in ROWS:
        parts += _fields(row, "###")
    parts += ["## Acts\n", "The `args` of an `ActRow`, by its `verb`.\n", _acts()]
    parts += _fields(Budget, "##", title="What a reader takes at most")
    return joined([*parts, *_golden()])


def _layout() -> Iterator[str]:
    """Yield what the package says of itself, whose layout is a literal block."""
    for part in docstring(recording.__name__).split("\n\n"):
        if part.startswith("Layout"):
            yield "## Layout\n"
        elif part.startswith("    "):
            yield block(
                "\n".join(row.removeprefix("    ") for row in part.splitlines())
            )
        elif part != "::":
            yield f"{prose(part)}\n"


def _versions() -> str:
    rows = [
        ("format", f"{FORMAT}", "what is written, and the newest that is read"),
        ("reader", f"{READER}", "the oldest reader that understands what is written"),
        ("state schema", f"{STATE_SCHEMA}", "what its hashes are over"),
        (
            "engine",
            f"{ENGINE}",
            "how the engine behaves, where a recorded run can tell",
        ),
    ]
    return table(("version", "now", "of"), rows)


def _history() -> Iterator[str]:
    for title, entries in (("State schema", SCHEMAS), ("Engine", REPAIRS)):
        rows = [(f"{number}", prose(text)) for number, text in entries.items()]
        yield f"### {title}\n"
        yield table(("number", "what came with it"), rows)


def _largest() -> str:
    named = dict(chunks.LARGEST)
    rows = [
        (code(kind), f"{named.get(kind, chunks.SMALL):,} bytes")
        for kind in sorted(chunks.TYPES)
    ]
    return table(("chunk", "at most"), rows)


def _fields(kind: type[Any], level: str, title: str = "") -> Iterator[str]:
    yield f"{level} {title or kind.__name__}\n"
    yield f"{prose(class_text(kind))}\n"
    rows = [
        (code(each.name), code(each.type), code(each.default or ""), prose(each.text))
        for each in written(kind)
    ]
    yield table(("field", "type", "without it", "what"), rows)


def _acts() -> str:
    return table(
        ("verb", "takes"),
        ((code(verb), _parameters(schema)) for verb, schema in ACTS.items()),
    )


def _parameters(schema: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{code(name)}: {it.words}{'' if it.required else ', optional'}"
        for name, it in schema.items()
    )


def _golden() -> Iterator[str]:
    yield "## What holds all of it\n"
    yield (
        "Golden lists below `tests/golden`: a line that goes or changes takes a new "
        "number of the schema, and a sentence on what older files get.\n"
    )
    yield table(("list", "has"), ((code(name), text) for name, text in GOLDEN))
