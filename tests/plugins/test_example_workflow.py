"""The example of a GitHub workflow: each line that it runs is run here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

HOME = Path(__file__).parents[2]
EXAMPLE = HOME / "docs" / "examples" / "kernel-tests"
PLANTED = HOME / "tests" / "guests" / "smp-lost-wakeup.bin"
"""The same kernel with a bug: run 48 of seed 1 is the first that halts for ever."""
INSTALL = "pip install 'lapis[pytest]'"
BASH = shutil.which("bash") or ""
pytestmark = pytest.mark.skipif(not BASH, reason="there is no bash")


def workflow() -> dict[Any, Any]:
    text = (EXAMPLE / ".github" / "workflows" / "kernel.yml").read_text("utf-8")
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def steps() -> dict[str, dict[str, Any]]:
    """Return the steps that have names, by these."""
    (job,) = workflow()["jobs"].values()
    return {step["name"]: step for step in job["steps"] if "name" in step}


def run(
    line: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Do what a runner does with a `run:`, whose shell is bash -e."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    (job,) = workflow()["jobs"].values()
    given = {name: str(value) for name, value in job["env"].items()}
    return subprocess.run(
        [BASH, "-e", "-c", line],
        cwd=folder, env={**os.environ, **given, "PATH": path, **environment},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "kernel"))


def test_a_good_kernel_passes_every_step(folder: Path) -> None:
    done = {}
    for name, step in steps().items():
        if "run" in step and step["run"] != INSTALL:
            done[name] = run(step["run"], folder, SCHEDULES="8")
    assert list(done) == ["Test", "Search", "Lint"]
    for name, each in done.items():
        assert each.returncode == 0, (name, each.stdout, each.stderr)
    assert "8 runs" in done["Search"].stdout
    log = json.loads((folder / "lints.sarif").read_text())
    assert [log["version"], len(log["runs"])] == ["2.1.0", 1]
    suite = ET.parse(folder / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert int(suite.get("tests", "0")) > 0

    shutil.rmtree(folder / "schedules")
    late = run(steps()["Search"]["run"], folder, SECONDS_AT_MOST="0.000001")
    assert late.returncode == 0
    assert "::warning::the time was up" in late.stdout


def test_a_bad_kernel_fails_and_its_recordings_are_kept(folder: Path) -> None:
    shutil.copy(PLANTED, folder / "kernel.bin")
    given = {"SCHEDULES": "50", "SECONDS_AT_MOST": "9999"}
    status = {
        name: run(step["run"], folder, **given).returncode
        for name, step in steps().items()
        if "run" in step and step["run"] != INSTALL
    }
    assert status == {"Test": 1, "Search": 1, "Lint": 0}
    kept = steps()["Keep the recordings"]["with"]["path"].split()
    for name in kept:
        assert (folder / name).exists(), name
    for name in ("failures", "schedules"):
        assert list((folder / name).rglob("*.lapis")), name


def test_what_is_uploaded_is_what_was_written() -> None:
    found = steps()
    shown = found["Show what the lints found"]
    assert shown["uses"].startswith("github/codeql-action/upload-sarif@")
    assert f"--sarif {shown['with']['sarif_file']} " in found["Lint"]["run"]
    assert shown["with"]["sarif_file"] in shown["if"]
    assert workflow()["permissions"]["security-events"] == "write"
    kept = found["Keep the recordings"]
    assert kept["uses"].startswith("actions/upload-artifact@")
    for name in kept["with"]["path"].split():
        assert any(name in step["run"] for step in found.values() if "run" in step)
    assert found["Install Lapis"]["run"] == INSTALL
