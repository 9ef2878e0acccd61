"""Where the pages are, and what they are called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lapis_engine.errors import ConfigError
from lapis_sessions.text.near import nearest
from lapis_sessions.text.numerals import shown

FIRST: Final = "index"
SHELVES: Final = (
    Path(__file__).parent / "pages",
    Path(__file__).parents[3] / "docs" / "pages",
)
"""Where Lapis is installed, and in a checkout."""
_IN_ORDER: Final = re.compile(r"^ +- (?:.*: )?(\S+)\.md *$", re.MULTILINE)
_MARK: Final = re.compile(r"^<!-- .* -->\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DocumentedPage:
    """A page."""

    name: str
    """Its path below the shelf, without the ending."""
    path: Path

    @property
    def title(self) -> str:
        """Its first heading."""
        with self.path.open(encoding="utf-8") as file:
            return file.readline().removeprefix("#").strip()

    def text(self) -> str:
        """Return its Markdown, without what only its tests go by."""
        return _MARK.sub("", self.path.read_text("utf-8"))


def folder() -> Path:
    """Return where the pages are; raise `ConfigError` if they are nowhere."""
    for each in SHELVES:
        if (each / f"{FIRST}.md").is_file():
            return each
    raise ConfigError(
        f"the pages of the documentation are not installed: {SHELVES[0]} is not there"
    )


def configuration() -> Path:
    """Return the configuration of the site, which is beside the folder of the pages."""
    return folder().parent / "mkdocs.yml"


def pages() -> list[DocumentedPage]:
    """Return all pages in the order of the site."""
    base = folder()
    order = _IN_ORDER.findall(configuration().read_text("utf-8"))
    return [DocumentedPage(name, base / f"{name}.md") for name in order]


def find(name: str) -> DocumentedPage:
    """Return the page of a name, or of its last part where only one page has that.

    Raises `ConfigError` with the nearest name.
    """
    there = {page.name: page for page in pages()}
    wanted = name.removesuffix(".md")
    if wanted in there:
        return there[wanted]
    ends = [page for page in there.values() if page.name.endswith(f"/{wanted}")]
    if len(ends) == 1 and wanted:
        return ends[0]
    if ends:
        among = ", ".join(page.name for page in ends)
        raise ConfigError(f"page {shown(name)} is one of {among}")
    near = nearest(wanted, list(there))
    hint = f"did you mean {near}?" if near is not None else "lapis docs --list has all"
    raise ConfigError(f"there is no page {shown(name)}; {hint}")
