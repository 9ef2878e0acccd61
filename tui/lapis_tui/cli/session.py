"""`lapis session`: its commands, each imported when it is called."""

from __future__ import annotations

import click

from lapis_tui.cli.lazy import Known, LazyGroup

KNOWN = (
    Known(
        "annotate", "session_options", "annotating",
        "Add TEXT to a recording, at an instruction count or after an act.",
    ),
    Known(
        "cut", "session_options", "cutting",
        "Keep what was done up to B, and what is noted from A on.",
    ),
    Known(
        "diff", "session_options", "difference",
        "Show where two recordings first differ; the status is 1 if they do.",
    ),
    Known(
        "dump", "session_options", "dumped",
        "Print what is in a recording: header, acts, hashes and annotations.",
    ),
    Known(
        "export", "session_options", "exporting",
        "Write a recording for another program; without FORM, list the forms.",
    ),
    Known("info", "session_options", "info", "Describe a recording."),
    Known(
        "pack", "session_options", "packing",
        "Make a recording ready to travel: the image within, runs in one piece.",
    ),
    Known(
        "verify", "session_options", "verify_file",
        "Replay a recording and compare every hash; the status is 1 if one differs.",
    ),
)  # fmt: skip


@click.group("session", cls=LazyGroup, known=KNOWN)
def session() -> None:
    """Look into recordings, prove them, and make others from them."""
