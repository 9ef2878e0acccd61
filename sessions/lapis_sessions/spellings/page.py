"""Every spelling on a page: `python -m lapis_sessions.spellings.page FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lapis_sessions.spellings.spelling import Own
from lapis_sessions.spellings.table import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lapis_sessions.spellings.table import Table

HEAD: Final = """\
# Spellings of other debuggers

Who has gdb, Bochs, QEMU's monitor or WinDbg in the fingers can type on: in
`lapis console`, behind `:` in the debugger, with `lapis exec -c` and in scripts these
lines are put into our words before they are done. Numbers are ours everywhere: decimal
(`10`), `0x10` or `10h`, also where WinDbg takes them for hexadecimal. Where one word
means two things the line decides: `r` alone runs, as in gdb, and `r rax` shows a
register, as in WinDbg.

This page is made of the table, and a test holds it against that:
`python -m lapis_sessions.spellings.page FILE` writes it anew.
"""


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join([HEAD, *(_section(*each) for each in TABLES.items())])


def _section(program: str, table: Table) -> str:
    rows = "\n".join(_rows(table))
    return (
        f"## {program}\n\n| written | for example | is |\n| --- | --- | --- |\n{rows}\n"
    )


def _rows(table: Table) -> Iterator[str]:
    for each in table:
        written = each.example if isinstance(each, Own) else _plain(each.written)
        cells = (written, each.example, each.example_is)
        yield f"| {' | '.join(map(_code, cells))} |"


def _plain(written: str) -> str:
    return written.replace("{{", "{").replace("}}", "}")


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8", newline="\n")
