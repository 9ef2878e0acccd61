"""One word, one idea: no class twice in a package, and a constant has one owner."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "lapis_engine": ROOT / "engine" / "lapis_engine",
    "lapis_sessions": ROOT / "sessions" / "lapis_sessions",
    "lapis_plugins": ROOT / "plugins" / "lapis_plugins",
    "lapis": ROOT / "plugins" / "lapis",
    "lapis_tui": ROOT / "tui" / "lapis_tui",
}
TWICE: dict[str, str] = {}
"""Names that two classes of one package have, and why; a new one needs a reason."""
CONSTANTS = ("PAGE", "NS", "APIC_PAGE", "APIC_MSRS", "FLAT", "DFR_MODEL")
"""Of the hardware: each is defined in one module of the engine alone."""


def modules(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGES[package].rglob("*.py")):
        yield path, ast.parse(path.read_text())


@pytest.mark.parametrize("package", PACKAGES)
def test_no_class_name_stands_twice_in_a_package(package: str) -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path, tree in modules(package):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path.stem)
    twice = {name: where for name, where in found.items() if len(where) > 1}
    assert {name: twice[name] for name in twice if name not in TWICE} == {}


def test_every_exception_is_one_still() -> None:
    counts = [
        node.name
        for package in PACKAGES
        for _, tree in modules(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in TWICE if counts.count(name) < 2] == []


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_of_the_hardware_has_one_owner(name: str) -> None:
    owners = [
        path.stem
        for package in PACKAGES
        for path, tree in modules(package)
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == name
    ]
    assert len(owners) == 1, owners
