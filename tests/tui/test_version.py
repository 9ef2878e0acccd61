"""Which way instructions are counted is the user's to see, and to choose."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lapis_engine.cpu import blocks
from lapis_tui import built


def lapis(*arguments: str, core: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lapis_tui", *arguments],
        env={**os.environ, "LAPIS_CORE": core},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_version_tells_the_core() -> None:
    is_compiled = not isinstance(blocks.find(), str)
    lines = lapis("--version", core="").stdout.splitlines()
    assert lines[0].startswith("lapis, version ")
    core = "blocks" if is_compiled else "count"
    assert lines[1] == f"core: {core}, engine: {built.build()}"
    counted = lapis("--version", core="count").stdout.splitlines()
    assert counted[1:] == [
        f"core: count, engine: {built.build()}",
        "instructions are counted one by one: it was asked for",
    ]


def test_a_core_that_there_is_not_is_refused() -> None:
    done = lapis("profiles", core="fast")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "lapis: LAPIS_CORE=fast: it is one of blocks, count\n"


@pytest.mark.skipif(isinstance(blocks.find(), str), reason=str(blocks.find()))
@pytest.mark.parametrize("made", ["blocks", "count"])
def test_a_recording_of_each_core_plays_on_the_other(made: str, tmp_path: Path) -> None:
    path = tmp_path / "made.lapis"
    run = (
        "exec",
        "ap-bringup",
        "--cpus",
        "4",
        "-c",
        "run 20000",
        "--record",
        str(path),
    )
    assert lapis(*run, core=made).returncode == 0
    other = "count" if made == "blocks" else "blocks"
    played = lapis("replay", str(path), "--verify", core=other)
    assert (played.returncode, played.stderr) == (0, "")
