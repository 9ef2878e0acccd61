"""The page of the configuration: settings, keys, files and the environment."""

from __future__ import annotations

from typing import Final

from lapis_tui.bindings import KEYS
from lapis_tui.config.fields import SETTINGS
from lapis_tui.config.keymaps import MAPS
from lapis_tui.manual import FILES, VARIABLES
from lapis_tui.reference.markdown import code, joined, prose, table

HEAD: Final = """\
# Configuration

A file of TOML, which `lapis config edit` opens and begins with everything in comments;
`lapis config path` says where it is, `lapis config check` what is wrong with it, and
`lapis config` what applies and who says so. [Your own way](../configuration.md) has
examples.
"""


def page() -> str:
    """Return the page."""
    settings = [
        (code(each.name), prose(each.text), prose(each.otherwise), code(each.example))
        for each in SETTINGS
    ]
    return joined(
        [
            HEAD,
            "## Settings\n",
            "A name with a dot is a key of a table: `cpus` below `[open]`.\n",
            table(("key", "what for", "without it", "for example"), settings),
            "## Keys\n",
            (
                "Actions by their ids, below `[keys]`; a key map changes those that it "
                "has otherwise.\n"
            ),
            _keys(),
            "## Files\n",
            table(("file", "what"), _rows(FILES)),
            "## Environment\n",
            table(("variable", "what"), _rows(VARIABLES)),
        ]
    )


def _rows(entries: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(code(name), prose(text)) for name, text in entries]


def _keys() -> str:
    maps = [name for name in MAPS if MAPS[name]]
    rows = [
        (
            code(key.id),
            prose(key.help),
            code(key.shown),
            *(code(MAPS[name].get(key.id, "").replace(",", " ")) for name in maps),
        )
        for key in KEYS
    ]
    return table(("id", "what it does", "keys", *maps), rows)
