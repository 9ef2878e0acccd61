"""The site is built without a warning, is whole, and asks nobody for more."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from textual._slug import TrackedSlugs

from lapis_tui.docs import site

PAGES = Path(__file__).parents[2] / "docs" / "pages"
ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
FETCHED = {
    "script": ("src",), "img": ("src", "srcset"), "iframe": ("src",), "link": ("href",),
    "source": ("src", "srcset"), "object": ("data",), "use": ("href", "xlink:href"),
    "video": ("src", "poster"), "audio": ("src",), "embed": ("src",),
    "image": ("href",),
}  # fmt: skip
"""What a browser gets by itself, by the tag; `a` is for who clicks."""
CHROMIUM = shutil.which("chromium")
PATIENCE = 300
"""Seconds for a browser to begin, search and end."""
LOCAL = {"canonical", "next", "prev"}
"""Relations of `link` that fetch nothing."""


class Found(HTMLParser):
    """What a page fetches, links to, and has as anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag != "link" or has.get("rel") not in LOCAL:
            self.fetched += [has[name] for name in FETCHED.get(tag, ()) if name in has]
        if tag == "a" and "href" in has:
            self.links.append(has["href"])
        if "id" in has:
            self.anchors.append(has["id"])
        self.classes |= set(has.get("class", "").split())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site; a warning is an error of `build`."""
    folder = tmp_path_factory.mktemp("site") / "docs"
    site.build(folder)
    return folder


@pytest.fixture(scope="module")
def found(built: Path) -> dict[Path, Found]:
    pages = {}
    for path in sorted(built.rglob("*.html")):
        pages[path] = Found()
        pages[path].feed(path.read_text("utf-8"))
    return pages


def test_every_page_is_there(found: dict[Path, Found], built: Path) -> None:
    wanted = {
        path.relative_to(PAGES).with_suffix(".html") for path in PAGES.rglob("*.md")
    }
    made = {path.relative_to(built) for path in found}
    assert made - {Path("404.html")} == wanted


def test_no_page_fetches_from_elsewhere(found: dict[Path, Found], built: Path) -> None:
    for path, page in found.items():
        far = [each for each in page.fetched if ELSEWHERE.match(each)]
        assert not far, path
        # Material gets what draws these from elsewhere, and facts on a repository.
        assert not page.classes & {"mermaid", "md-source__facts"}, path
        assert 'data-md-component="source"' not in path.read_text("utf-8")
    for path in built.rglob("*.css"):
        urls = re.findall(r"url\(([^)]*)\)", path.read_text("utf-8"))
        assert not [each for each in urls if ELSEWHERE.match(each.strip("'\""))], path
    for path in built.rglob("*.svg"):
        text = path.read_text("utf-8")
        assert not re.search(r"<script|(?:href|src)=[\"'](?:https?:)?//", text), path


def test_no_link_and_no_anchor_is_dead(found: dict[Path, Found], built: Path) -> None:
    for path, page in found.items():
        if path.name == "404.html":  # its links are from the root of a server
            continue
        for link in page.links + page.fetched:
            parts = urlsplit(link)
            if parts.scheme in {"data", "mailto"}:
                continue
            if parts.scheme or parts.netloc:
                assert parts.scheme == "https", (path, link)
                assert re.fullmatch(r"[\w.-]+\.[a-z]{2,}", parts.netloc), (path, link)
                continue
            there = path
            if parts.path not in {"", "."}:
                there = (path.parent / unquote(parts.path)).resolve()
            assert there.is_file(), (path, link)
            assert there.is_relative_to(built.resolve()), (path, link)
            if parts.fragment and there in found:
                assert unquote(parts.fragment) in found[there].anchors, (path, link)


def test_no_heading_stands_twice_on_a_page(found: dict[Path, Found]) -> None:
    """Else a link to the second one depends on which comes first."""
    for path, page in found.items():
        assert len(set(page.anchors)) == len(page.anchors), path
        again = [each for each in page.anchors if re.search(r"_\d+$", each)]
        assert not [each for each in again if each[:-2] in page.anchors], path


def test_a_bar_within_code_of_a_table_is_one(built: Path) -> None:
    text = (built / "reference" / "events.html").read_text("utf-8")
    assert "<code>Cause | None</code>" in text
    assert "\\|" not in text


HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")


def slugs(path: Path) -> set[str]:
    """Return the anchors of a page as a terminal's are made, which are others."""
    found = TrackedSlugs()
    titles = HEADING.findall(FENCE.sub("", path.read_text("utf-8")))
    return {found.slug(re.sub(r"[`\\*]", "", title)) for title in titles}


def test_an_anchor_is_one_on_a_terminal_as_well() -> None:
    count = 0
    for path in PAGES.rglob("*.md"):
        for there, anchor in LINK.findall(FENCE.sub("", path.read_text("utf-8"))):
            target = (path.parent / there).resolve() if there else path
            assert anchor in slugs(target), (path, there, anchor)
            count += 1
    assert count > 200


def test_what_the_readmes_link_to_is_there() -> None:
    root = PAGES.parents[1]
    for path in (root / "README.md", *(root / "docs" / "examples").rglob("README.md")):
        text = FENCE.sub("", path.read_text("utf-8"))
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            there, _, anchor = link.partition("#")
            if urlsplit(link).scheme:
                assert urlsplit(link).scheme == "https", (path, link)
                continue
            target = path.parent / there if there else path
            assert target.exists(), (path, link)
            assert not anchor or anchor in slugs(target), (path, link)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_searches_the_pages_from_a_folder(
    built: Path, tmp_path: Path
) -> None:
    """A page of a file may start no worker: `assets/iframe-worker.js` stands in."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         f"--user-data-dir={tmp_path}", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--virtual-time-budget=20000", "--dump-dom",
         f"{(built / 'index.html').as_uri()}?q=sipi"],
        capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    shown = done.stdout.decode("utf-8", "replace")
    said = re.search(r"md-search-result__meta\">\s*([^<]*)<", shown)
    assert said is not None
    count = re.match(r"(\d+) matching documents", said[1])
    assert count is not None, said[1]
    assert int(count[1]) >= 5
