"""The pages as a site: HTML that a browser opens from a folder, without a network."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from lapis_engine.errors import ConfigError
from lapis_sessions.text.visible import quoted_path
from lapis_tui.docs import shelf

if TYPE_CHECKING:
    from pathlib import Path

QUIET: Final = "NO_MKDOCS_2_WARNING"
"""Has the theme not tell of the next version of mkdocs, which is not asked for."""


def build(into: Path) -> Path:
    """Build the site in a folder that is new or empty; return its first page.

    A folder is there whole or not at all. Raises `ConfigError` where that cannot be:
    mkdocs is not installed, the folder is not empty or cannot be written, or a page
    has something that the site warns of.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise ConfigError(f"{quoted_path(str(into))} is there, and no empty folder")
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as beside:
            made = f"{beside}/site"
            _built(made)
            os.replace(made, into)  # noqa: PTH105 - over an empty folder as well
    except OSError as error:
        raise ConfigError(
            f"the site cannot be written to {quoted_path(str(into))}: {error.strerror}"
        ) from None
    return into / "index.html"


def _built(folder: str) -> None:
    os.environ.setdefault(QUIET, "1")
    try:
        from mkdocs.commands.build import build as build_site  # noqa: PLC0415 - an extra
        from mkdocs.config import load_config  # noqa: PLC0415 - the same
        from mkdocs.exceptions import MkDocsException  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"to build the site takes {error.name}, which is not installed: "
            "pip install 'lapis[docs]'"
        ) from None
    try:
        config = load_config(
            str(shelf.configuration()), site_dir=folder, docs_dir=str(shelf.folder())
        )
        build_site(config)
    except MkDocsException as error:
        raise ConfigError(f"the site cannot be built: {error}") from None
