"""What is configured applies: in the debugger, without a terminal, and to no replay."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rigs.screens import Driver, bringup, drive

from lapis_tui.blocks.lines import plain
from lapis_tui.cli.main import main
from lapis_tui.config.reading import parsed
from lapis_tui.kept import Kept
from lapis_tui.panes.base import LinePane
from lapis_tui.worn import Worn, of_terminal

if TYPE_CHECKING:
    from pathlib import Path


def worn(text: str, theme: str | None = None) -> Worn:
    return Worn(theme, config=parsed(text.encode(), "a.toml"))


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lapis.toml"
    monkeypatch.setenv("LAPIS_CONFIG", str(path))
    return path


# The screen.


def test_a_map_and_single_keys_do_what_they_say_and_the_old_ones_nothing() -> None:
    async def play(it: Driver) -> None:
        await it.press("x")
        assert it.view.now.vcpus[0].retired == 1
        await it.press("s")
        assert it.view.now.vcpus[0].retired == 1
        await it.press("u")  # vim's undo
        assert it.view.now.vcpus[0].retired == 0
        await it.press("ctrl+r")
        assert it.view.now.vcpus[0].retired == 1
        assert " x step" in it.rows[-1]
        await it.press("f1")
        listed = plain(it.app.screen.query_one("#help-text", LinePane).lines)
        assert "   x            step the selected vCPU" in listed
        assert "   u Shift-←    go to the act before" in listed
        await it.press("escape")
        entry = next(each for each in it.app.entries if each.line == "step")
        assert entry.keys == "x"

    drive(bringup(), play, worn=worn("keymap = 'vim'\nkeys.step = 'x'"))


def test_what_is_said_of_keys_is_said_of_those_that_there_are() -> None:
    async def play(it: Driver) -> None:
        await it.press("f4")
        assert "tour 1 of 10: press x   (F4 skips, F3 leaves)" in it.text
        await it.press("ctrl+c")
        assert "the guest does not run; Q quits" in it.text
        await it.command("export svg e.svg memory")
        assert "memory is not in view; F6 shows it" in it.text

    keys = "step = 'x'\nquit = 'Q'\ntour = 'f4'\nlayout-memory = 'f6'"
    drive(bringup(), play, worn=worn(f"[keys]\n{keys}"))


def test_the_layouts_are_under_the_keys_that_they_have() -> None:
    async def play(it: Driver) -> None:
        assert it.app.main.layout_.name == "boot"
        assert it.rows[-1].endswith("1 2 f7 boot 4 5 6 7 8 9".replace("f7", "F7"))
        await it.press("2")
        await it.press("f7")
        assert it.app.main.layout_.name == "boot"

    drive(bringup(), play, worn=worn("layout = 'boot'\nkeys.layout-boot = 'f7'"))


@pytest.mark.parametrize(
    ("option", "configured", "kept", "on"),
    [
        (None, "", None, "dark"), (None, "", "light", "light"),
        (None, "theme = 'high-contrast'", "light", "high-contrast"),
        ("dark", "theme = 'high-contrast'", "light", "dark"),
    ],
)  # fmt: skip
def test_an_option_goes_before_the_configuration_and_that_before_what_was_kept(
    option: str | None, configured: str, kept: str | None, on: str
) -> None:
    state = Kept()
    if kept is not None:
        state.wear(kept)

    async def play(it: Driver) -> None:
        assert it.app.theme == on

    drive(bringup(), play, kept=state, worn=worn(configured, option))


def test_a_theme_that_will_not_last_is_told_so() -> None:
    async def play(it: Driver) -> None:
        await it.command("theme dark")
        assert "theme dark, this time: a.toml:1 says light" in it.text

    drive(bringup(), play, worn=worn("theme = 'light'"))


def test_a_colour_is_that_of_its_role_in_every_theme_that_has_colours() -> None:
    async def play(it: Driver) -> None:
        for theme, ground in (("light", "#fbfaf7"), ("dark", "#11141c")):
            await it.command(f"theme {theme}")
            colours = it.app.get_css_variables()
            assert colours["lapis-dim"] == "#123456"
            assert colours["text-disabled"] == "#123456"
            assert it.app.current_theme.background == ground
        await it.command("theme terminal")
        assert it.app.get_css_variables()["lapis-dim"] == "ansi_default"

    drive(bringup(), play, worn=worn("colours.dim = '#123456'"))


@pytest.mark.parametrize(
    ("option", "environment", "is_ascii"),
    [(None, None, True), (None, "0", False), (False, None, False), (True, "0", True)],
)
def test_ascii_is_of_the_option_then_of_the_environment_then_of_the_file(
    option: bool | None,
    environment: str | None,
    is_ascii: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environ = {"LANG": "C.UTF-8"}
    if environment is not None:
        environ["LAPIS_ASCII"] = environment
    monkeypatch.setattr("lapis_tui.glyphs.environment", lambda: environ)
    found = of_terminal(None, is_ascii=option, config=parsed(b"ascii = true", "a"))
    assert found.is_ascii == is_ascii


# Without one.


def did(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lapis_tui", *arguments],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def cpus(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Return how many vCPUs there are, and what was told beside that."""
    said = capsys.readouterr()
    told = [row for row in said.err.splitlines() if row.startswith("lapis:")]
    return len(json.loads(said.out.splitlines()[-1])["result"]), told


def test_the_defaults_of_a_guest_are_configured_and_options_go_before(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.write_text("open.cpus = 3\n")
    assert main(["exec", "ap-bringup", "--json", "-c", "vcpus"]) == 0
    assert cpus(capsys) == (3, [])
    assert main(["exec", "ap-bringup", "--cpus", "1", "--json", "-c", "vcpus"]) == 0
    assert cpus(capsys) == (1, [])


@pytest.mark.parametrize(
    ("text", "said", "count"),
    [
        (
            "[open]\nprofile = 'illumos'\ncpus = 33",
            ":3: open.cpus: 33 vCPUs: profile illumos takes 1 to 32; ",
            2,
        ),
        ("[open]\ncpus = 3\nprofile = 'smd'", ":3: open.profile: there is no ", 3),
        ("[open]\nmemory = '3K'\nprofile = 'smd'", ":2: open: there is no ", 2),
        ("[open]\nmemory = '3K'", ":2: open.memory: ", 2),
        ("theme = 'drak'\n[open]\ncpus = 3", ":1: theme: 'drak' is none of ", 3),
        ("theme = ", ":1: invalid value; the defaults apply", 2),
    ],
)
def test_a_broken_configuration_is_one_notice_and_the_guest_runs(
    text: str, said: str, count: int, configured: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    configured.write_text(text)
    assert main(["exec", "ap-bringup", "--json", "-c", "vcpus"]) == 0
    found, (told,) = cpus(capsys)
    assert found == count
    assert told.startswith(f"lapis: {configured}{said}")


def test_what_is_wrong_with_the_guest_is_not_laid_on_the_configuration(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.write_text("open.cpus = 3\n")
    assert main(["exec", "ap-brignup", "-c", "vcpus"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("lapis: 'ap-brignup' is neither an embedded guest")


def test_another_file_is_named_by_an_option_and_has_to_be_there(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.write_text("open.cpus = 3\n")
    other = tmp_path / "other.toml"
    options = ["exec", "ap-bringup", "--config", str(other), "--json", "-c", "vcpus"]
    assert main(options) == 2
    assert capsys.readouterr().err == (
        f"lapis: configuration '{other}': there is no such file\n"
    )
    other.write_text("open.cpus = 4\n")
    assert main(options) == 0
    assert cpus(capsys) == (4, [])


def test_a_replay_is_what_it_was(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.write_text("open = {cpus = 7, profile = 'illumos-pre-12936'}\n")
    options = ["replay", "illumos-13253", "--json", "-c", "vcpus"]
    assert main(options) == 0
    there = capsys.readouterr()
    configured.write_text("")
    assert main(options) == 0
    assert capsys.readouterr() == there


def test_the_program_reads_it_from_where_the_platform_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "lapis").mkdir()
    (tmp_path / "lapis" / "config.toml").write_text("open.cpus = 5\nbogus = 1\n")
    done = did("exec", "ap-bringup", "--json", "-c", "vcpus")
    assert len(json.loads(done.stdout)["result"]) == 5
    assert done.stderr.startswith(
        f"lapis: {tmp_path}/lapis/config.toml:2: bogus: there is no such key"
    )
