"""Each module of recordings can be the first that is imported, and reads them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "fixtures" / "recordings"
RECORDINGS = sorted(str(path) for path in FOLDER.rglob("*.lapis"))
READS = "from lapis_sessions.recording import reader\n"
PLAYS = "from lapis_sessions.recording.play import replaying\n"
EDITS = (
    "from lapis_sessions.recording.edit import annotate, cut, merge, pack, compose\n"
)
SHOWS = "from lapis_sessions.recording.export import dump, export, script, perfetto\n"
WRITES = "from lapis_sessions.recording.format import writer\n"
COMPARES = "from lapis_sessions.recording.compare import diff\n"


@pytest.mark.parametrize(
    "first", [READS, PLAYS, EDITS, SHOWS, WRITES, COMPARES, "import lapis\n"]
)
def test_who_imports_one_module_alone_can_read(first: str) -> None:
    code = (
        f"{first}import sys\n{READS}"
        "acts = [reader.read(path).acts for path in sys.argv[1:]]\n"
        "assert all(acts), acts\nprint(len(acts))"
    )
    it = subprocess.run(
        [sys.executable, "-c", code, *RECORDINGS],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (it.returncode, it.stderr) == (0, "")
    assert int(it.stdout) == len(RECORDINGS) > 1
