"""The example plug-in, installed as anyone's is: each part of it does its work."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "plugin"
POSTS = "; hex\nba a0 05 b0 07 ee\nb0 08 ee f4\n"
"""mov dx, 0x5A0; mov al, 7; out dx, al; mov al, 8; out dx, al; hlt"""
SHOW_PANE = """
from rigs.screens import drive
from lapis_plugins.host import discover
from lapis_sessions.opening import open_session
from lapis_sessions.origin import SessionOptions

session = open_session(SessionOptions(memory="2M"), discover().extensions)

async def play(driver):
    await driver.press("9", "9")  # ours comes first
    await driver.until(lambda: "vectors" in driver.text)
    print(driver.text)

drive(session, play)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example into a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "plugin"
    shutil.copytree(EXAMPLE, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index",
         "--no-build-isolation", "--disable-pip-version-check", "-t", str(folder),
         str(source)],
        check=True,
    )  # fmt: skip
    return folder


class Lapis:
    """The program, with the example installed."""

    def __init__(self, folder: Path, cwd: Path) -> None:
        self.cwd = cwd
        path = os.pathsep.join([str(folder), str(ROOT / "tests")])
        self.environment = {**os.environ, "PYTHONPATH": path}

    def python(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            env=self.environment, cwd=self.cwd, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done.stdout

    def __call__(self, *words: str, status: int = 0) -> str:
        return self.python("-m", "lapis_tui", *words, status=status)


@pytest.fixture
def lapis(installed: Path, tmp_path: Path) -> Lapis:
    return Lapis(installed, tmp_path)


def test_it_is_listed_with_its_origin_hooks_and_state(lapis: Lapis) -> None:
    rows = {row["name"]: row for row in json.loads(lapis("plugins", "--json"))}
    assert rows["example"] == {
        "name": "example", "builtin": False, "origin": "lapis_example",
        "distribution": "lapis-example", "version": "1.0", "state": "active",
        "why": None,
        "hooks": [
            "lapis_apic_formats", "lapis_commands", "lapis_devices", "lapis_explainers",
            "lapis_exporters", "lapis_functions", "lapis_lints", "lapis_loaders",
            "lapis_machines", "lapis_panes", "lapis_profiles", "lapis_scenarios",
        ],
    }  # fmt: skip
    text = lapis("plugins")
    assert "example      lapis-example 1.0    lapis_example\n" in text
    lapis.environment["LAPIS_PLUGINS"] = "-example"
    rows = {row["name"]: row for row in json.loads(lapis("plugins", "--json"))}
    assert (rows["example"]["state"], rows["example"]["why"]) == (
        "disabled", "LAPIS_PLUGINS switches it off",
    )  # fmt: skip
    assert rows["pc"]["state"] == "active"


def test_its_loader_device_command_and_profile(lapis: Lapis, tmp_path: Path) -> None:
    (tmp_path / "posts.txt").write_text(POSTS)
    out = lapis(
        "exec", "posts.txt", "--cpus", "1", "--memory", "2M", "--profile", "slow-timer",
        "--json", "-c", "map", "-c", "run 1000", "-c", "mailbox",
    )  # fmt: skip
    places, _, mail = [json.loads(row)["result"] for row in out.splitlines()]
    assert {"space": "port", "first": 0x5A0, "last": 0x5A0, "name": "mailbox"} in places
    assert mail == {"letter": 8, "posted": 2}
    assert "slow-timer" in lapis("profiles")
    assert "apic_timer_hz" in lapis("profiles", "diff", "sdm", "slow-timer")


def test_its_lint_finds_and_its_pane_and_explainer_speak(lapis: Lapis) -> None:
    out = lapis(
        "exec", "ap-bringup", "--memory", "2M", "--json", "-c", "run", "-c", "lint",
        "-c", "pane service", "-c", "explain mailbox 0x41",
    )  # fmt: skip
    _, lints, pane, said = [json.loads(row)["result"] for row in out.splitlines()]
    assert {row["name"]: row["found"] for row in lints}["chatty"] == 1
    assert [cell["text"].strip() for cell in pane["rows"][0]] == [
        "vCPU", "PPR", "vectors",
    ]  # fmt: skip
    assert len(pane["rows"]) == 3
    assert said["text"] == "letter 0x41"


def test_its_exporter_writes_and_its_apic_format_reads(
    lapis: Lapis, tmp_path: Path
) -> None:
    lapis(
        "exec", "ap-bringup", "--memory", "2M", "--record", "x.lapis", "-c", "run 100",
        "-c", "apic export saved.json",
    )  # fmt: skip
    assert "\ncsv " in lapis("session", "export", "x.lapis")
    lapis("session", "export", "x.lapis", "--form", "csv", "-o", "x.csv")
    assert (tmp_path / "x.csv").read_text() == ("act,instructions,ns\nrun,100,100\n")
    saved = (tmp_path / "saved.json").read_bytes()
    (tmp_path / "saved.gz").write_bytes(gzip.compress(saved))
    view = json.loads(lapis("apic", "import", "saved.gz", "--json"))
    assert view["apic"]["id"] == 0


def test_its_function_is_looked_at(lapis: Lapis, tmp_path: Path) -> None:
    (tmp_path / "posts.txt").write_text(POSTS)
    words = ("explore", "posts.txt", "--cpus", "1", "--memory", "2M", "-j", "1")
    out = lapis(*words, "--schedules", "3", "--until", "letters() == 2", "--json")
    assert json.loads(out)["found"] is not None
    lapis(*words, "--schedules", "1", "--until", "letters() == 3", "--force", status=1)


def test_its_scenario_is_in_the_gallery_and_holds(lapis: Lapis) -> None:
    assert "mailbox " in lapis("scenarios")
    report = json.loads(lapis("scenario", "mailbox", "--check", "--json"))
    assert report == {
        "scenario": "mailbox", "ok": True, "hashes": report["hashes"], "held": 1,
        "failures": [],
    }  # fmt: skip
    assert report["hashes"] > 0
    assert "0 posted" in lapis("scenario", "mailbox")


def test_the_recordings_of_others_replay_beside_it(lapis: Lapis) -> None:
    assert json.loads(lapis("scenario", "lost-sipi", "--check", "--json"))["ok"]


def test_its_pane_is_on_the_screen(lapis: Lapis) -> None:
    text = lapis.python("-c", SHOW_PANE)
    assert "in service" in text
    assert "vCPU  PPR   vectors" in text


def test_its_own_tests_pass(lapis: Lapis) -> None:
    out = lapis.python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={EXAMPLE}",
        "--import-mode=importlib", str(EXAMPLE / "tests"),
    )  # fmt: skip
    assert "4 passed" in out
