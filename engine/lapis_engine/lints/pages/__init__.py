"""What there is to read about each lint: prose, by the lint's name.

Public cases are named as `owner/project#number`; manuals by the title of the section.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from lapis_engine.lints.pages import lines, sending, serving, starting, timing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lapis_engine.lints.lint import Page

PAGES: Final[Mapping[str, Page]] = MappingProxyType(
    starting.PAGES | sending.PAGES | serving.PAGES | lines.PAGES | timing.PAGES
)
