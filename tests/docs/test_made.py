"""The pages that are made from the code are what the code says, and say all of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from lapis_plugins import spec
from lapis_plugins.host import discover
from lapis_sessions.extensions import Platform
from lapis_tui.cli.main import lapis
from lapis_tui.reference import __main__ as writer
from lapis_tui.reference import departures, events, source
from lapis_tui.reference.markdown import code, prose, table
from lapis_tui.reference.pages import PAGES

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "docs" / "pages"
AGAIN = "make them anew: python -m lapis_tui.reference"


def text(name: str) -> str:
    return (SHELF / name).read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_that_of_the_code(name: str) -> None:
    assert text(name) == PAGES[name](), AGAIN


def test_every_page_of_the_reference_is_made_but_the_first() -> None:
    there = {f"reference/{each.name}" for each in (SHELF / "reference").iterdir()}
    made = {name for name in PAGES if name.startswith("reference/")}
    assert there == made | {"reference/index.md"}


def test_nothing_is_missing() -> None:
    """Counted from elsewhere than where the pages take it from."""
    commands = re.findall("^### (.+)$", text("reference/commands.md"), re.MULTILINE)
    registry = discover(installed=False).extensions.registry
    assert sorted(commands) == sorted(each.name for each in registry.commands)
    hooks = re.findall("^## (.+)$", text("reference/hooks.md"), re.MULTILINE)
    assert hooks == [name for name in vars(spec) if name.startswith("lapis_")]
    program = re.findall("^## (.+)$", text("reference/lapis.md"), re.MULTILINE)
    top = {name.split()[1] for name in program}
    assert top == set(lapis.list_commands(click.Context(lapis)))
    tags = "|".join(departures.TAGS)
    found = subprocess.run(
        ["grep", "-rhoE", "--include=*.py", "--include=*.c", f"({tags}):",
         "engine/lapis_engine", "sessions/lapis_sessions"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = re.findall("^[|] `", text("reference/departures.md"), re.MULTILINE)
    assert len(rows) == len(found.stdout.splitlines())
    kinds = re.findall("^### (.+)$", text("reference/events.md"), re.MULTILINE)
    source_text = (ROOT / "engine/lapis_engine/events.py").read_text("utf-8")
    records = re.findall(r"^class (\w+):", source_text, re.MULTILINE)
    assert sorted([*kinds, "Logged"]) == sorted(records)
    assert events.page().count("\n### ") == len(kinds)


def test_a_departure_has_its_whole_text_and_its_place() -> None:
    lines = [
        '"""One.',
        "",
        "Differs from the SDM: the first, which goes on",
        "here. # As bhyve: the second.",
        '# Not modelled: the third."""',
        "# Not modelled: the fourth, which",
        "# goes on.",
        "X = 1  # As bhyve: the fifth.",
        "# not this",
        '"""Y. # Not modelled: the sixth."""',
    ]
    found = [
        departures._whole(lines, number, each)
        for number, line in enumerate(lines)
        for each in departures._TAG.finditer(line)
    ]
    assert found == [
        "the first, which goes on here", "the second", "the third",
        "the fourth, which goes on", "the fifth", "the sixth",
    ]  # fmt: skip
    by_module = {each.module: each for each in departures.departures()}
    assert by_module["apic/destination.py"].within == "lowest"


def test_what_is_written_behind_a_field_is_read() -> None:
    fields = {each.name: each for each in source.written(Platform)}
    assert fields["text"].text == "What it is, in half a sentence."
    assert (fields["offered"].type, fields["offered"].default) == ("bool", "True")
    assert fields["name"].default is None
    assert source.class_text(Platform).startswith("A kind of machine")


def test_text_means_itself_in_markdown() -> None:
    assert code("a | b") == "`a \\| b`"
    assert code("") == ""
    assert prose("*x* `a_b` <i> [y](z)") == "\\*x\\* `a_b` &lt;i\\> \\[y\\](z)"
    assert table(("a",), []) == ""
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_the_writer_writes_what_is_old_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert writer.main([]) == 2  # there are no pages here
    shelf = tmp_path / "docs" / "pages"
    shelf.mkdir(parents=True)
    monkeypatch.setattr(writer, "PAGES", {"a.md": lambda: "new\n"})
    (shelf / "a.md").write_text("old\n")
    assert writer.main(["--check"]) == 1
    assert (shelf / "a.md").read_text() == "old\n"
    assert writer.main([]) == 0
    assert (shelf / "a.md").read_text() == "new\n"
    assert writer.main(["--check"]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["old: a.md", "written: a.md"]
