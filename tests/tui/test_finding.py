"""What there is can be found: guests, commands, and the manual page."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lapis_plugins.host import discover
from lapis_sessions import guests
from lapis_tui import recent
from lapis_tui.bindings import KEYS
from lapis_tui.cli.main import KNOWN, lapis, main
from lapis_tui.manual import escaped, manual

HOME = Path(__file__).parents[2]
PAGE = HOME / "docs" / "lapis.1"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "lapis" / "guests.json"


def test_each_embedded_guest_has_a_line(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not state.exists()
    assert main(["guests"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == guests.names()
    assert rows[0] == (
        "ap-bringup     start every processor, have each answer one interrupt, stop."
    )
    assert all(row.endswith(".") and len(row) < 100 for row in rows)


def test_what_was_opened_last_is_listed_first(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(state.parents[1])
    for name in ("a.elf", "level", "b.elf", "a.elf"):
        recent.remember(name)
    paths = [f"{state.parents[1]}/a.elf", f"{state.parents[1]}/b.elf", "level"]
    assert recent.recent() == [*paths]
    assert main(["guests", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recent"] == paths
    assert found["embedded"]["level"].startswith("a handler of a level interrupt")
    for number in range(20):
        recent.remember(f"{number}.elf")
    assert len(recent.recent()) == 10


def test_the_console_remembers_its_guest_and_tells_of_the_configuration(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = state.parents[1] / "c.toml"
    config.write_text("[open]\ncpus = 3\n[console]\nmode = 'vim'\n")
    monkeypatch.setenv("LAPIS_CONFIG", str(config))
    done = subprocess.run(
        [sys.executable, "-m", "lapis_tui", "console", "level", "--no-rc"],
        input="vcpus\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"{config}:4: console.mode: 'vim' is none of emacs, vi" in (
        done.stdout + done.stderr
    )
    assert "\n   2  never-started" in done.stdout
    assert recent.recent() == ["level"]


def test_the_most_recently_opened_moves_to_the_front(state: Path) -> None:
    for name in ("level", "nesting", "level"):
        recent.remember(name)
    assert recent.recent() == ["level", "nesting"]
    assert json.loads(state.read_text()) == ["level", "nesting"]


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}', "\xff"])
def test_a_list_that_cannot_be_read_is_none(text: str, state: Path) -> None:
    state.parent.mkdir()
    state.write_bytes(text.encode("latin-1"))
    assert recent.recent() == []
    recent.remember("level")
    assert recent.recent() == ["level"]


def test_a_place_that_cannot_be_written_stops_nobody(state: Path) -> None:
    state.parent.write_text("a file, and no folder")
    recent.remember("level")
    assert recent.recent() == []


def test_commands_are_those_of_the_registry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry = discover().extensions.registry
    assert main(["commands", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found] == [c.name for c in registry.commands]
    assert main(["commands", "profiles", "diff"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("profiles diff PROFILE OTHER\n")
    assert main(["commands", "stpe"]) == 2
    assert "did you mean step?" in capsys.readouterr().err


# The manual page.


def test_the_page_that_is_installed_is_current() -> None:
    """If it is not: lapis man > docs/lapis.1."""
    registry = discover().extensions.registry
    assert PAGE.read_text("utf-8") == manual(lapis, registry)


def test_the_page_is_installed_with_the_program() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/lapis.1": "share/man/man1/lapis.1"}


def test_the_page_has_every_command_and_key() -> None:
    page = PAGE.read_text("utf-8")
    rows = page.splitlines()
    for known in KNOWN:
        assert any(row.startswith(f".SS lapis {known.name} ") for row in rows), known
    for command in discover().extensions.registry.commands:
        assert f"\\fB{escaped(command.usage)}\\fR" in rows
    for key in KEYS:
        assert f"({escaped(key.id)})" in page


def test_no_line_of_the_page_is_an_order_by_chance() -> None:
    orders = {".TH", ".SH", ".SS", ".TP", ".PP", ".br", '.\\"'}
    for row in PAGE.read_text("utf-8").splitlines():
        assert row.isascii()
        assert not row.startswith("'")
        assert not row.startswith(".") or row.split()[0] in orders


@pytest.mark.parametrize("groff", [g for g in ("groff",) if shutil.which(g)])
def test_groff_has_nothing_to_say_of_it(groff: str) -> None:
    done = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", str(PAGE)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""


def test_without_a_terminal_it_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["man"]) == 0
    assert capsys.readouterr().out == PAGE.read_text("utf-8")
