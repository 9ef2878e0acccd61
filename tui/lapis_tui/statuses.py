"""The exit statuses of `lapis`, by command: help, manual and documentation show these.

`python -m lapis_tui.statuses FILE` writes the page of the documentation anew.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Row = tuple[str, str]
"""A status, and what it says."""
WIDTH: Final = 78
"""Columns of help."""
HEAD: Final = """\
# Exit statuses

What a command comes to is its exit status, so that a script or a job in CI goes by it.
What each says everywhere is the first table; commands that have more to say follow, and
`lapis COMMAND --help` shows the same.
"""
EVERY: Final[tuple[Row, ...]] = (
    ("0", "It is done, and all is well."),
    ("1", "It is done, and something failed or differs."),
    (
        "2",
        (
            "It cannot be done: the command line is wrong, or something that it names "
            "is not there or not what it should be. A sentence on standard error says "
            "what."
        ),
    ),
    (
        "128 + N",
        (
            "Signal N ended it, as 130 is Ctrl-C and 143 SIGTERM. A recording is "
            "closed, and what was found by then is told."
        ),
    ),
    ("141", "Whoever read standard output closed it, as head does."),
)
"""Those that any command may have."""
RECORDED: Final[tuple[Row, ...]] = (
    ("0", "It is whole, and every stop and hash is equal."),
    ("1", "It diverges: the first act, event and field that differ are named."),
    ("2", "It is no recording, or one that cannot be opened here."),
    ("3", "It is cut off, as by a crash; all that is there is equal."),
    ("4", "It is damaged: where is told, and what is whole behind it."),
)
DONE: Final[tuple[Row, ...]] = (
    ("0", "Every command was done."),
    ("1", "A command failed; those behind it were done all the same."),
)
OF: Final[Mapping[str, tuple[Row, ...]]] = MappingProxyType(
    {
        "apic import": DONE,
        "bench": (("1", "A target was missed."),),
        "bench gdb": (("1", "A target was missed."),),
        "bench guests": (("1", "A guest was not there, or not at its end."),),
        "bench tui": (("1", "A target was missed."),),
        "config check": (("1", "Something is wrong; each problem has its line."),),
        "console": (
            (
                "1",
                "A line failed; on a terminal only one of a file with --stop-on-error.",
            ),
        ),
        "exec": DONE,
        "explore": (
            (
                "0",
                (
                    "What --until or --lint names came about; or what --never or "
                    "--never-lint names did not, in all the runs; or nothing was "
                    "looked for."
                ),
            ),
            (
                "1",
                (
                    "What --until or --lint names did not come about; or what --never "
                    "or --never-lint names did, and a recording shows how."
                ),
            ),
            (
                "3",
                (
                    "What --never or --never-lint names did not come about, in fewer "
                    "runs than were asked for: --budget ended it, or with --bound "
                    "--limit cut some."
                ),
            ),
        ),
        "gdb": (
            ("0", "It was served, and is over."),
            ("1", "A command (-c) failed, and nobody was served."),
        ),
        "import qemu": DONE,
        "plugins": (("1", "A plug-in failed."),),
        "replay": (
            ("0", "All went well."),
            ("1", "A command (-c) failed, or with --compare something differs."),
            ("0 to 4", "With --headless or --verify: as of session verify."),
        ),
        "scenario": (("1", "With --check: something differs."),),
        "scenarios": (("1", "With --check: something differs."),),
        "session diff": (
            ("0", "They are equal."),
            ("1", "They differ; the first difference is shown."),
        ),
        "session info": (
            ("0", "The file is whole."),
            ("2", "It is no recording."),
            ("3", "It is cut off, as by a crash."),
            ("4", "It is damaged."),
        ),
        "session verify": RECORDED,
        "shrink": (
            (
                "0",
                "The new recording is there, if not the shortest (--tries, --budget).",
            ),
            ("2", "FILE does not come to EXPR, or nothing can be done with it."),
        ),
    }
)
"""What those of a command say that says more than `EVERY`."""


def epilog(command: str) -> str:
    """Return the end of the help of a command, as click takes it."""
    return "\b\n" + "\n".join(["Exit status:", *_help_lines(OF[command])])


def _help_lines(rows: Sequence[Row]) -> Iterator[str]:
    wide = max(len(status) for status, _ in rows)
    for status, text in rows:
        head = f"  {status:<{wide}}  "
        yield textwrap.fill(
            text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
        )


def page() -> str:
    """Return the page of the documentation."""
    parts = [HEAD, _table(EVERY)]
    for command, rows in sorted(OF.items()):
        parts += [f"## lapis {command}\n", _table(rows)]
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    lines = [f"| {status} | {text} |\n" for status, text in rows]
    return "".join(["| status | what it says |\n| --- | --- |\n", *lines])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8", newline="\n")
