"""The pages as a site: HTML that a browser opens from a folder, without a network."""

from __future__ import annotations

import logging
import os
import shutil
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import platformdirs

from lapis_engine.errors import ConfigError
from lapis_sessions.text.visible import quoted_path
from lapis_tui.docs import shelf

KEPT: Final = "site-"
"""What the folder of a site that is kept begins with."""
QUIET: Final = "NO_MKDOCS_2_WARNING"
"""Has the theme not tell of the next version of mkdocs, which is not asked for."""


def build(into: Path) -> Path:
    """Build the site in a folder that is new or empty; return the folder.

    A folder is there whole or not at all. Raises `ConfigError` where that cannot be:
    mkdocs is not installed, the folder is not empty or cannot be written, or a page
    has something that the site warns of.
    """
    name = quoted_path(str(into))
    try:
        if into.exists() and (not into.is_dir() or any(into.iterdir())):
            raise ConfigError(f"{name} is there, and no empty folder")
        into.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".lapis-site-", dir=into.parent) as beside:
            made = Path(beside, "site")
            rendered(made)
            os.replace(made, into)  # noqa: PTH105 - over an empty folder as well
    except OSError as error:
        why = f"the site cannot be written to {name}: {error.strerror}"
        raise ConfigError(why) from None
    except ValueError:
        raise ConfigError(f"{name} is no name of a folder") from None
    return into


def kept() -> Path:
    """Return the site of these pages that is kept, and build it if there is none."""
    name = blake2b(digest_size=6)
    for page in sorted(shelf.folder().rglob("*.*")):
        name.update(page.read_bytes())
    folder = platformdirs.user_cache_path("lapis") / f"{KEPT}{name.hexdigest()}"
    if (folder / "index.html").is_file():
        return folder
    older = list(folder.parent.glob(f"{KEPT}*"))
    build(folder)
    for each in older:
        shutil.rmtree(each, ignore_errors=True)
    return folder


def rendered(folder: Path) -> None:
    """Have mkdocs build the site in a new folder; raise `ConfigError`."""
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
    told = _SiteWarnings()
    log = logging.getLogger("mkdocs")
    log.addHandler(told)
    try:
        config = load_config(
            str(shelf.configuration()),
            site_dir=str(folder),
            docs_dir=str(shelf.folder()),
        )
        build_site(config)
    except MkDocsException as error:
        why = "; ".join(told.messages) or f"{error}"
        raise ConfigError(f"the site cannot be built: {why}") from None
    finally:
        log.removeHandler(told)


class _SiteWarnings(logging.Handler):
    """Keeps what mkdocs warns of, which would go to standard error line by line."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
