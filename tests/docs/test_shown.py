"""What a page shows is so: every command on it is run, and comes to what it says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click
import pytest
from rigs import shown
from rigs.shown import MARKS, OTHERS, RUN, Block, Page

if TYPE_CHECKING:
    from pathlib import Path

ALL = {each.name: each for each in shown.every()}
NOT_RUN = {
    "installs": "what installs Lapis, or something of the system",
    "interactive": "a screen, a prompt or a server",
    "another program": "what takes a QEMU that runs, an editor, or somebody's CI",
    "long": "a guest that takes its time, as Linux",
    "a part": "code that is no whole by itself",
}
"""Why a block is not run, and what that means."""
MOST_NOT_RUN = 15
"""Blocks of all pages that are not run; a page is to show what can be tried."""


def where(page: Page, block: Block) -> str:
    return f"{page.name}.md, line {block.line}"


@pytest.mark.parametrize("page", ALL.values(), ids=ALL)
def test_every_command_is_run_and_shows_what_the_page_says(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAPIS_CONFIG", raising=False)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "guests").symlink_to(shown.ROOT / "tests" / "guests")
    runner = shown.Runner()
    try:
        for block in page.blocks:
            if block.is_run:
                try:
                    runner.run(block)
                except Exception as error:
                    error.add_note(where(page, block))
                    raise
    finally:
        runner.close()
    if runner.missing:
        pytest.skip(f"without {', '.join(runner.missing)}")


@pytest.mark.parametrize("page", ALL.values(), ids=ALL)
def test_what_is_not_run_is_taken_by_the_program(page: Page) -> None:
    lines = [(line, "within a sentence") for line in page.inline()]
    for block in page.blocks:
        if block.language == "sh" and block.reason is not None:
            lines += [
                (line, where(page, block))
                for line in block.commands
                if line.startswith("lapis ")
            ]
    for line, at in lines:
        try:
            shown.check_arguments(line)
        except click.UsageError as error:
            pytest.fail(f"{page.name}: {at}: {line}: {error.format_message()}")


def test_what_is_not_run_has_one_of_few_reasons() -> None:
    found = Counter[str]()
    for page in ALL.values():
        for block in page.blocks:
            assert block.language in {*RUN, *OTHERS}, where(page, block)
            for name, value in block.marks.items():
                assert name in MARKS, where(page, block)
                assert bool(value) == MARKS[name], where(page, block)
            if block.reason is not None:
                assert block.language in RUN, where(page, block)
                assert block.reason in NOT_RUN, where(page, block)
                found[block.reason] += 1
    assert found.total() <= MOST_NOT_RUN, found


def test_a_part_that_is_not_shown_is_found() -> None:
    assert shown.lacking("one\ntwo  three\nfour", "one two\n") is None
    assert shown.lacking("one\ntwo\nthree\nfour", "one\n...\nfour\n") is None
    assert shown.lacking("one\ntwo\nthree", "...\ntwo\n...\n") is None
    assert shown.lacking("one\ntwo\nthree\nfour", "one\nthree\n") == "one\nthree\n"
    assert shown.lacking("one\ntwo", "two\n...\none\n") == "\none\n"


def blocks(text: str) -> list[Block]:
    return Page("made up", text).blocks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```lapis\nno such thing\n```\n", "there is no command"),
        ("<!-- fails -->\n```lapis\nvcpus\n```\n", "vcpus"),
        (
            "```lapis\nvcpus\n```\n\n```text\nvCPU  mood\n```\n",
            "not shown:\nvCPU  mood",
        ),
        ("```sh\nlapis guests --none\n```\n", "lapis guests --none: 2"),
        ("<!-- status: 1 -->\n```sh\nlapis guests\n```\n", "lapis guests: 0"),
        ("```sh\nlapis guests | grep zebra\n```\n", "status 1"),
        ("```sh\ncurl example.org\n```\n", "nothing runs these here: {'curl'}"),
        ("```sh\nA=1 curl example.org\n```\n", "nothing runs these here: {'curl'}"),
        ("```python\nassert 1 == 2\n```\n", ""),
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "not shown:\n2"),
    ],
)
def test_what_is_not_so_is_found(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner = shown.Runner()
    try:
        with pytest.raises(AssertionError) as found:
            runner.run(blocks(text)[0])
    finally:
        runner.close()
    assert said in str(found.value)


def test_a_block_has_its_marks_its_margin_and_what_it_shows() -> None:
    first, second, third = blocks(
        "Text <!-- fails -->\n\n<!-- session: race -->\n<!-- fails -->\n"
        "```lapis\nrun\n```\n\nText.\n\n   ```sh\n   lapis \\\n     man\n   ```\n\n"
        "   ```text\n   Shown.\n   ```\n"
    )
    assert first.marks == {"session": "race", "fails": ""}
    assert (first.line, first.shown, first.is_run) == (5, None, True)
    assert second.commands == ["lapis    man"]
    assert second.shown is not None
    assert second.shown.split() == ["Shown."]
    assert (third.language, third.is_run) == ("text", False)


@pytest.mark.parametrize(
    ("line", "is_good"),
    [
        ("lapis exec", True), ("lapis exec GUEST --cpus", True), ("lapis", True),
        ("lapis session verify", True), ("lapis plugins [--json]", True),
        ("lapis completion fish | source", True), ("lapis --version", True),
        ("lapis exec GUEST --cups 4", False), ("lapis session verfy FILE", False),
        ("lapis machines FILE", False), ("lapis exec --cpus many", False),
    ],
)  # fmt: skip
def test_arguments_that_the_program_does_not_take_are_found(
    line: str,
    is_good: bool,
) -> None:
    if is_good:
        shown.check_arguments(line)
    else:
        with pytest.raises(click.UsageError):
            shown.check_arguments(line)
