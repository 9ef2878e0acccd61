"""What comes with Lapis comes in by the hooks, and there is no other list of it."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from lapis_plugins import spec
from lapis_plugins.host import Host, discover
from lapis_plugins.kinds import KINDS

ROOT = Path(__file__).parents[2]
TABLES = {
    "lapis_engine.lints.catalog": "LINTS",
    "lapis_engine.explain": "EXPLAINERS",
    "lapis_engine.profiles.catalog": "PROFILES",
    "lapis_engine.boot.detect": "LOADERS",
    "lapis_sessions.apic_files.reading": "FORMATS",
    "lapis_sessions.commands.builtin": "COMMANDS",
    "lapis_sessions.exploring.goals": "FUNCTIONS",
    "lapis_sessions.recording.export.export": "EXPORTERS",
}
ALLOWED = {"plugins/lapis_plugins/builtin", "tui/lapis_tui/bench"}
"""The built-in plug-ins return them; the bench measures without plug-ins."""
PAGE = (ROOT / "docs" / "pages" / "plugins.md").read_text()


def hooks() -> dict[str, inspect.Signature]:
    found = vars(spec).items()
    return {n: inspect.signature(f) for n, f in found if n.startswith("lapis_")}


def test_no_front_end_takes_a_table_of_ours_but_from_the_record() -> None:
    for top in ("sessions", "plugins", "tui"):
        for path in (ROOT / top).rglob("*.py"):
            where = path.relative_to(ROOT)
            if any(where.is_relative_to(each) for each in ALLOWED):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module in TABLES:
                    names = {alias.name for alias in node.names}
                    assert TABLES[node.module] not in names, where


def test_without_plugins_there_is_nothing() -> None:
    found = Host().extensions
    for name in type(found).__slots__:
        if name not in {"devices", "registry"}:
            assert not getattr(found, name), name
    assert not found.registry.commands


def test_every_hook_is_gathered() -> None:
    assert {kind.hook for kind in KINDS} | {"lapis_devices"} == set(hooks())
    ours = {
        hook for plugin in discover(installed=False).plugins for hook in plugin.hooks
    }
    assert set(hooks()) == ours | {"lapis_devices"}  # ours come with a machine


@pytest.mark.parametrize("name", hooks())
def test_the_page_has_every_hook_with_its_signature(name: str) -> None:
    signature = hooks()[name]
    given = ", ".join(signature.parameters)
    assert re.search(rf"^### `{name}\({given}\)`$", PAGE, re.MULTILINE)
    assert inspect.getdoc(getattr(spec, name))
