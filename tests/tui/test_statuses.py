"""Every exit status that the program speaks of is one that it has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest
from rigs.session_files import recorded, written

from lapis_sessions.gallery import catalog
from lapis_sessions.recording.format import reader
from lapis_tui import statuses
from lapis_tui.cli.main import lapis, main

if TYPE_CHECKING:
    Captured = pytest.CaptureFixture[str]

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "reference" / "statuses.md"
RUN = ["exec", "ap-bringup", "--memory", "16M"]
RACE = ["explore", "race", "--memory", "16M", "-j", "1", "--ipis", "as-sent",
        "--force", "--out", "runs"]  # fmt: skip
SHORT = ["--schedules", "2"]
LINE = ["shrink", "whole.lapis", "--force", "--until"]
CASES: Final = (
    ("apic import", 0, ["apic", "import", "a.apic", "-c", "apic"]),
    ("apic import", 1, ["apic", "import", "a.apic", "-c", "bogus", "-c", "apic"]),
    ("config check", 0, ["config", "check", "good.toml"]),
    ("config check", 1, ["config", "check", "bad.toml"]),
    ("exec", 0, [*RUN, "-c", "step"]),
    ("exec", 1, [*RUN, "-c", "bogus", "-c", "step"]),
    ("exec", 2, [*RUN]),
    ("explore", 0, [*RACE, *SHORT, "--until", "retired > 1"]),
    ("explore", 0, [*RACE, *SHORT, "--never", "retired < 0"]),
    ("explore", 0, [*RACE, *SHORT, "--never-lint", "sipi-ignored"]),
    ("explore", 0, [*RACE, *SHORT]),
    ("explore", 1, [*RACE, *SHORT, "--until", "retired < 0"]),
    ("explore", 1, [*RACE, *SHORT, "--lint", "sipi-ignored"]),
    ("explore", 1, [*RACE, *SHORT, "--never", "retired > 1"]),
    ("explore", 1, [*RACE[:-4], "any", *RACE[-3:], "--never-lint", "sipi-ignored"]),
    ("explore", 2, [*RACE, *SHORT, "--until", "1", "--never", "1"]),
    ("explore", 3, [*RACE, "--budget", "0.000001", "--never", "retired > 1"]),
    ("gdb", 1, ["gdb", "ap-bringup", "--port", "0", "-c", "bogus"]),
    ("plugins", 0, ["plugins"]),
    ("plugins", 1, ["plugins", "--plugin", "broken.py"]),
    ("replay", 0, ["replay", "whole.lapis", "-c", "step"]),
    ("replay", 1, ["replay", "whole.lapis", "-c", "bogus"]),
    ("replay", 1, ["replay", "whole.lapis", "--compare", "illumos-pre-13253"]),
    ("replay", 0, ["replay", "whole.lapis", "--verify"]),
    ("replay", 1, ["replay", "other.lapis", "--headless"]),
    ("replay", 3, ["replay", "cut.lapis", "--headless"]),
    ("replay", 4, ["replay", "damaged.lapis", "--headless"]),
    ("scenario", 1, ["scenario", "lost-sipi", "--check"]),
    ("scenarios", 1, ["scenarios", "--check"]),
    ("session diff", 0, ["session", "diff", "whole.lapis", "whole.lapis"]),
    ("session diff", 1, ["session", "diff", "whole.lapis", "short.lapis"]),
    ("session info", 0, ["session", "info", "whole.lapis"]),
    ("session info", 2, ["session", "info", "a.apic"]),
    ("session info", 3, ["session", "info", "cut.lapis"]),
    ("session info", 4, ["session", "info", "damaged.lapis"]),
    ("session verify", 0, ["session", "verify", "whole.lapis"]),
    ("session verify", 1, ["session", "verify", "other.lapis"]),
    ("session verify", 2, ["session", "verify", "a.apic"]),
    ("session verify", 3, ["session", "verify", "cut.lapis"]),
    ("session verify", 4, ["session", "verify", "damaged.lapis"]),
    ("shrink", 0, [*LINE, "retired > 1", "--tries", "0"]),
    ("shrink", 0, [*LINE, "retired > 1", "--budget", "0.000001"]),
    ("shrink", 2, [*LINE, "retired < 0"]),
)
ELSEWHERE: Final = {
    ("bench", "1"), ("bench gdb", "1"),
    ("bench guests", "1"), ("bench tui", "1"),  # these take minutes
    ("console", "1"),  # tests/tui/test_console.py, which has a pipe
    ("gdb", "0"),  # tests/tui/test_gdb.py
    ("import qemu", "0"), ("import qemu", "1"),  # tests/tui/test_cli_import.py
    ("replay", "0 to 4"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have files that come to each status."""
    here = tmp_path_factory.mktemp("statuses")
    made = recorded(here / "whole.lapis", ["run 20000", "run 5000000", "answer 0x1234"])
    recorded(here / "short.lapis", ["run 1000"])
    like = recorded(here / "like.lapis", ["run 1"], profile="illumos-pre-13253")
    whole, head = reader.read(made), reader.read(like).header
    written(here / "other.lapis", head, whole.last)
    data = Path(made).read_bytes()
    (here / "cut.lapis").write_bytes(data[:-100])
    odd = bytearray(data)
    odd[-20] ^= 0x40
    (here / "damaged.lapis").write_bytes(odd)
    (here / "gallery").mkdir()
    (here / "good.toml").write_text('theme = "dark"\n')
    (here / "bad.toml").write_text('theme = "loud"\n')
    (here / "broken.py").write_text("raise RuntimeError('no luck')\n")
    for path in catalog.home().glob("lost-sipi*"):
        shutil.copy(path, here / "gallery")
    toml = here / "gallery" / "lost-sipi.toml"
    toml.write_text(toml.read_text().replace("value = 0xC4608", "value = 0xC4609"))
    return here


@pytest.mark.parametrize(
    ("command", "status", "line"), CASES, ids=[" ".join(each[2]) for each in CASES]
)
def test_it_has_the_status(
    command: str, status: int, line: list[str],
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    if command.startswith("scenario"):
        monkeypatch.setattr(catalog, "home", lambda: folder / "gallery")
    if not (folder / "a.apic").exists():
        main([*RUN, "-c", "apic export a.apic"])
    assert main(line) == status, capsys.readouterr()


def test_each_row_has_a_case_and_each_case_a_row() -> None:
    rows = {(command, row[0]) for command, own in statuses.OF.items() for row in own}
    every = {status for status, _ in statuses.EVERY}
    tried = {(command, str(status)) for command, status, _ in CASES}
    assert rows - tried == ELSEWHERE
    assert {
        (command, status) for command, status in tried - rows if status not in every
    } == {("replay", "3"), ("replay", "4")}  # in the row "0 to 4"


def test_the_page_is_current() -> None:
    """If it is not: python -m lapis_tui.statuses docs/pages/reference/statuses.md."""
    assert PAGE.read_text("utf-8") == statuses.page()


@pytest.mark.parametrize("name", statuses.OF)
def test_help_ends_with_the_statuses(name: str, capsys: Captured) -> None:
    assert main([*name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert said.count("Exit status:") == 1
    told = " ".join(said.partition("Exit status:")[2].split())
    assert told == " ".join(f"{row} {text}" for row, text in statuses.OF[name])
    assert max(map(len, said.splitlines())) <= 80


def test_no_other_command_has_them() -> None:
    def having(group: click.Group, *names: str) -> set[str]:
        context, found = click.Context(group), set()
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if command.epilog:
                found.add(" ".join([*names, name]))
            if isinstance(command, click.Group):
                found |= having(command, *names, name)
        return found

    assert having(lapis) == set(statuses.OF)
