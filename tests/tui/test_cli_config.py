"""`lapis config`: what applies and from where, its file, its check, its editing."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lapis_tui.cli.main import main
from lapis_tui.config.applying import template
from lapis_tui.config.reading import IDS, parsed
from lapis_tui.config.record import Config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name the file that the environment says."""
    path = tmp_path / "folder" / "lapis.toml"
    monkeypatch.setenv("LAPIS_CONFIG", str(path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("lapis_tui.glyphs.environment", dict)
    return path


def written(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["config", "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    rows = found["settings"]
    return {row["name"]: (row["value"], row["source"]) for row in rows}


def test_each_setting_is_told_with_who_says_so(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written(
        file,
        "theme = 'light'\nascii = false\nkeymap = 'windbg'\n[open]\ncpus = 3\n"
        "profile = 'illumos'\n[keys]\nzoom = 'Z'\n",
    )
    found = shown(capsys, "--cpus", "5")
    assert found["theme"] == ("light", f"{file}:1")
    assert found["layout"] == (None, "default")
    assert found["ascii"] == (False, f"{file}:2")
    assert found["open.cpus"] == (5, "option --cpus")
    assert found["open.profile"] == ("illumos", f"{file}:6")
    assert found["open.memory"] == (None, "default")
    assert found["keys.zoom"] == ("Z", f"{file}:8")
    assert found["keys.breakpoint"] == ("f9,b", "keymap windbg")
    assert "keys.quit" not in found
    assert "colours.error" not in found
    monkeypatch.setattr("lapis_tui.glyphs.environment", lambda: {"LAPIS_ASCII": "1"})
    assert shown(capsys)["ascii"] == (True, "environment LAPIS_ASCII")
    assert shown(capsys, "--no-ascii")["ascii"] == (False, "option --ascii")


def test_what_the_screen_kept_applies_where_nothing_is_configured(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state" / "lapis" / "screen.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"version": 1, "layout": "boot", "theme": "light"}')
    written(file, "layout = 'step'\n")
    found = shown(capsys)
    assert found["layout"] == ("step", f"{file}:1")
    assert found["theme"] == ("light", "kept from the last time")


def test_in_words_it_begins_with_the_file(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(file, "theme = 'drak'\n[console]\nmode = 'vi'\n")
    assert main(["config"]) == 0
    said = capsys.readouterr()
    rows = said.out.splitlines()
    assert rows[0] == f"{file} (environment LAPIS_CONFIG)"
    assert [row.split() for row in rows if row.startswith("console.mode")] == [
        ["console.mode", "vi", f"{file}:3"]
    ]
    assert said.err == (
        f"lapis: {file}:1: theme: 'drak' is none of dark, light, high-contrast, "
        "terminal; did you mean dark?; that is left out\n"
    )


def test_its_name_is_printed_whether_it_is_there_or_not(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    assert main(["config", "path", "--config", "x.toml"]) == 0
    assert capsys.readouterr().out == "x.toml\n"


def test_a_name_that_no_file_has_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPIS_CONFIG", "x" * 5000)
    assert main(["config"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].endswith("(environment LAPIS_CONFIG, not there)")
    assert said.err.startswith("lapis: xxx")
    assert main(["config", "edit", "--config", "a\0b"]) == 2
    assert "no file can have that name" in capsys.readouterr().err


def test_a_check_tells_all_that_is_wrong(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(file, "theme = 1\nlayout = 'step'\n\nascii = 'no'\n")
    assert main(["config", "check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:1: theme: 1 is none of dark, light, high-contrast, terminal",
        f"{file}:4: ascii: 'no' is neither true nor false",
    ]
    other = file.parent / "other.toml"
    assert main(["config", "check", str(other)]) == 2
    assert capsys.readouterr().err == (
        f"lapis: configuration '{other}': there is no such file\n"
    )
    other.write_text("layout = 'step'\n")
    assert main(["config", "check", str(other)]) == 0
    assert capsys.readouterr().out == f"{other}: 1 setting, nothing wrong\n"


# Editing.


def editor(tmp_path: Path, code: str) -> str:
    """Return a command that is an editor of the file that it is given."""
    script = tmp_path / "editor.py"
    script.write_text(f"import sys, pathlib; p = pathlib.Path(sys.argv[-1])\n{code}\n")
    return shlex.join([sys.executable, str(script), "--an-option"])


def test_a_new_file_begins_with_everything_in_comments_and_is_checked(
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    adds = "p.write_text(p.read_text().replace('#cpus = 4', 'cpus = 0'))"
    monkeypatch.setenv("EDITOR", editor(tmp_path, adds))
    assert main(["config", "edit"]) == 1
    line = template().splitlines().index("#cpus = 4") + 1
    assert capsys.readouterr().out == (
        f"{file}:{line}: open.cpus: 0 is not a number from 1 to 255\n"
    )
    monkeypatch.setenv("VISUAL", editor(tmp_path, "p.write_text('ascii = true')"))
    assert main(["config", "edit"]) == 0
    assert file.read_text() == "ascii = true"


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("/no/such/editor -w", "'/no/such/editor': No such file or directory"),
        ("'half", "EDITOR cannot be read: No closing quotation"),
        ("false", "'false' ended with status 1"),
    ],
)
def test_an_editor_that_fails_is_told(
    named: str, why: str, file: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert file.name
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", named)
    assert main(["config", "edit"]) == 2
    assert capsys.readouterr().err == f"lapis: {why}\n"


def test_the_file_to_begin_with_says_nothing_and_all_that_it_has_is_right() -> None:
    assert parsed(template().encode(), "a") == Config("a", "option")
    rows = template().splitlines()
    said = [row[1:] if row.startswith("#") and row[1:2] != " " else row for row in rows]
    found = parsed("\n".join(said).encode(), "a")
    assert found.problems == ()
    assert {f"keys.{action}" for action in IDS} <= found.lines.keys()
    assert max(len(row) for row in rows) <= 130
