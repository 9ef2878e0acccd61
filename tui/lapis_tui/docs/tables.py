r"""An extension of Python-Markdown: in tables `\|` within code is a `|`.

That is how everybody else has it (GitHub, a terminal); there a bare one ends the cell,
and here the backslash would be shown.
"""

from __future__ import annotations

import re
from typing import Any, Final

from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

BEHIND_FENCES: Final = 20
"""Its priority: fenced blocks are put away at 25, and this is done to what is left."""
_CODE: Final = re.compile(r"(`+)(.+?)\1")


class Rows(Preprocessor):
    """Takes the backslash away."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines of a page."""
        return [_bare(line) if line.startswith("|") else line for line in lines]


def _bare(row: str) -> str:
    return _CODE.sub(lambda found: found[0].replace("\\|", "|"), row)


class Tables(Extension):
    """What `mkdocs.yml` names."""

    def extendMarkdown(self, md: Any) -> None:  # noqa: N802 - its name there
        """Add it."""
        md.preprocessors.register(Rows(md), "lapis-tables", BEHIND_FENCES)


def makeExtension(**options: Any) -> Tables:  # noqa: N802 - the same
    """Return the extension."""
    return Tables(**options)
