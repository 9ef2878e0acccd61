"""`lapis docs`: the pages in a terminal, printed, and as a site."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rigs.terminals import ProgramInTerminal
from textual.content import Content
from textual.widgets import MarkdownViewer

from lapis_engine.errors import ConfigError
from lapis_tui.cli.main import main
from lapis_tui.docs import shelf, site
from lapis_tui.docs.table_widget import TableText, widths
from lapis_tui.docs.viewer import Reader
from lapis_tui.worn import Worn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.pilot import Pilot

PAGES = Path(__file__).parents[2] / "docs" / "pages"


def page(shelf_: Path, name: str, text: str) -> None:
    path = shelf_ / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a shelf of a few pages, which is the one that is known."""
    pages = tmp_path / "pages"
    page(pages, "index", "# First\n\nTo [the second](deep/second.md#there).\n")
    page(
        pages,
        "deep/second",
        "# Second\n\n<!-- not run: long -->\n```sh\nlapis\n```\n\n"
        "[out](../../secret.md) [far](https://example.org/) [back](../index.md)\n\n"
        + "Row.\n\n" * 60
        + "## There\n\n| a | b |\n| --- | --- |\n| `x` | [y](../index.md) |\n",
    )
    page(pages, "a/same", "# A\n")
    page(pages, "b/same", "# B\n")
    (tmp_path / "secret.md").write_text("# Secret\n")
    names = ["index", "deep/second", "a/same", "b/same"]
    nav = "".join(f"  - T: {name}.md\n" for name in names)
    (tmp_path / "mkdocs.yml").write_text(f"nav:\n{nav}")
    monkeypatch.setattr(shelf, "SHELVES", (pages,))
    return pages


def run(*arguments: str) -> int:
    return main(["docs", *arguments])


def test_every_page_is_listed_in_the_order_of_the_site(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--list") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["index", "Lapis"]
    names = {row.split()[0] for row in rows}
    there = {f"{p.relative_to(PAGES).with_suffix('')}" for p in PAGES.rglob("*.md")}
    assert names == there
    assert len(rows) == len(names)
    assert run("--where") == 0
    where = Path(capsys.readouterr().out.removesuffix("\n"))
    assert (where / "start.md").read_bytes() == (PAGES / "start.md").read_bytes()


def test_a_page_is_printed_where_there_is_no_terminal(
    small: Path,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 0
    assert capsys.readouterr().out.startswith("# First\n\nTo [the second]")
    for name in ("deep/second", "second", "second.md"):
        assert run(name, "--plain") == 0
        assert capsys.readouterr().out.startswith("# Second\n\n```sh\nlapis\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sceond"], "there is no page 'sceond'; lapis docs --list has all"),
        (["deep/secnd"], "there is no page 'deep/secnd'; did you mean deep/second?"),
        (["same"], "page 'same' is one of a/same, b/same"),
        (["../secret"], "there is no page '../secret'; lapis docs --list has all"),
        (["--list", "--where"], "--list and --where exclude each other"),
        (["index", "--list"], "--list takes no page"),
        (["--plain", "--browser"], "--plain and --build and --browser exclude each"),
        (["--build", "."], "is there, and no empty folder"),
        (["--build", "pages/index.md"], "is there, and no empty folder"),
        (["--build", "pages/index.md/in"], "the site cannot be written to"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    arguments: list[str], said: str, small: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(small.parent)
    before = sorted(small.parent.rglob("*"))
    assert run(*arguments) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert sorted(small.parent.rglob("*")) == before


def test_pages_that_are_not_there_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "SHELVES", (tmp_path / "none",))
    with pytest.raises(ConfigError, match=r"not installed: .*none is not there"):
        shelf.pages()


def test_without_the_extra_it_says_which_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "mkdocs":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mkdocs", None)
    with pytest.raises(ConfigError, match=r"takes mkdocs.*: pip install 'lapis\[docs"):
        site.build(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_warning_of_the_site_is_an_error_and_leaves_nothing(
    small: Path,
) -> None:
    page(small, "index", "# First\n\n[dead](nowhere.md)\n")
    strict = "site_name: T\nstrict: true\ndocs_dir: pages\n"
    (small.parent / "mkdocs.yml").write_text(strict)
    before = sorted(small.parent.rglob("*"))
    with pytest.raises(
        ConfigError, match=r"cannot be built: .*nowhere\.md.*; .*secret\.md"
    ):
        site.build(small.parent / "new")
    assert sorted(small.parent.rglob("*")) == before
    page(small, "index", "# First\n")
    page(small, "deep/second", "# Second\n")
    made = site.build(small.parent / "new")
    assert "<h1" in (made / "index.html").read_text()


def test_a_site_that_is_kept_is_built_once_and_replaces_older_ones(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def render(folder: Path) -> None:
        folder.mkdir()
        (folder / "index.html").write_text("")
        built.append(folder)

    monkeypatch.setattr(site, "rendered", render)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    first = site.kept()
    assert site.kept() == first
    page(small, "index", "# Changed\n")
    second = site.kept()
    assert second != first
    assert [each.name for each in (tmp_path / "cache").iterdir()] == [second.name]
    assert len(built) == 2


def test_a_browser_is_opened_on_the_page(
    small: Path,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(site, "rendered", Path.mkdir)
    into = tmp_path / "new"
    assert run("second", "--build", str(into), "--browser") == 0
    told = capsys.readouterr()
    assert told.out == f"{into}/deep/second.html\n"
    assert opened == [(into / "deep" / "second.html").as_uri()]
    assert "there is no browser to open" in told.err


# On a terminal.


def shown(
    do: Callable[[Reader, Pilot[None]], Awaitable[None]], width: int = 90
) -> None:
    async def go() -> None:
        app = Reader(shelf.find("index"), Worn())
        async with asyncio.timeout(60), app.run_test(size=(width, 30)) as pilot:
            await do(app, pilot)

    asyncio.run(go())


def title(app: Reader) -> str:
    return app.leaves.navigator.location.name


def test_links_lead_to_pages_and_headings_and_nowhere_else(small: Path) -> None:
    async def do(app: Reader, pilot: Pilot[None]) -> None:
        leaves = app.leaves
        await leaves.go("deep/second.md#there")
        while leaves.scroll_offset.y <= 20:  # it glides there
            await pilot.pause()
        assert title(app).startswith("second.md")
        for href in ("../../secret.md", "https://example.org/", "../none.md", "#none"):
            await leaves.go(href)
            await pilot.pause()
        assert title(app).startswith("second.md")
        assert len(app._notifications) == 3
        await leaves.go("../index.md")
        assert leaves.navigator.location == small / "index.md"
        await pilot.press("b")
        assert title(app).startswith("second.md")
        await pilot.press("f")
        assert title(app) == "index.md"

    shown(do)


def test_a_table_is_drawn_as_one_and_its_links_work(small: Path) -> None:
    async def do(app: Reader, pilot: Pilot[None]) -> None:
        await app.leaves.go("deep/second.md")
        await pilot.pause()
        table = app.query_one(TableText)
        rows = [line.plain for line in table._lines(40)]
        assert rows == ["a  b", "────", "x  y"]
        await table.action_link("../index.md")
        await pilot.pause()
        assert app.leaves.navigator.location == small / "index.md"

    shown(do)


def test_columns_share_what_there_is() -> None:
    assert widths([3, 4], 80) == [3, 4]
    assert widths([3, 100], 25) == [3, 20]
    assert widths([50, 50], 30) == [14, 14]
    assert widths([50, 50], 5) == [6, 6]  # narrower than it can be
    cells = [Content("one two three"), Content("")]
    table = TableText([Content("h"), Content("i")], [cells])
    assert [line.plain for line in table._lines(9)] == [
        "h       i", "─" * 9, "one", "two", "three",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "has_contents"), [(80, False), (120, True)])
def test_the_contents_can_be_put_away(
    small: Path,  # noqa: ARG001
    width: int,
    has_contents: bool,
) -> None:
    async def do(app: Reader, pilot: Pilot[None]) -> None:
        viewer = app.query_one(MarkdownViewer)
        assert viewer.show_table_of_contents == has_contents
        await pilot.press("t")
        assert viewer.show_table_of_contents != has_contents
        pages = {each.help for each in app.get_system_commands(app.screen)}
        assert pages == {"index", "deep/second", "a/same", "b/same"}

    shown(do, width)


def test_it_is_read_on_a_terminal_and_left_with_q(tmp_path: Path) -> None:
    with ProgramInTerminal("docs", "why", size=(100, 30), state=tmp_path) as it:
        it.until("Why", "q leave")
        it.keys("q")
        it.until_so(lambda: it.has_ended)
        assert b"\x1b[?1049l" in it.raw  # the terminal is as it was
