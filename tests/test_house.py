"""One word, one idea: no class twice in a package, and a constant has one owner."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lapis_engine.bits import bit, bits

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
CONSTANTS = ("PAGE", "NS", "MIB", "MASK32", "MASK64", "APIC_MSRS", "DFR_MODEL")
"""Each is defined in one module of all packages, whatever it comes to."""
KNOWN = {"bit": bit, "bits": bits, "frozenset": frozenset, "range": range}
"""What a number may be made by, in the value of a constant."""
RUN_STATE = {"explain/processor.py", "vmm/run_state.py"}
SEVERAL = {
    # Bits of different registers, which the manuals call the same.
    "MODE": {"devices/ioapic/regs.py", "devices/msi.py"},
    "VECTOR": {"devices/ioapic/regs.py", "devices/msi.py", "saved/events.py"},
    # The words are made of `Bits`, which are slow where the guest runs.
    **dict.fromkeys(("INIT", "RUN", "PEND_INIT", "PEND_SIPI"), RUN_STATE),
    # The tables that a loader makes lie below the processor that walks them.
    "LARGE": {"boot/tables.py", "cpu/page_formats.py"},
}
"""Constants with more than one owner, each with the reason."""


@dataclass(frozen=True)
class Module:
    """What of a module is looked at here."""

    path: Path
    classes: tuple[str, ...]
    bound: tuple[ast.Assign | ast.AnnAssign, ...]
    """At its top, in order."""


@cache
def modules(package: str) -> tuple[Module, ...]:
    """Read each module once; its tree as a whole is not kept."""
    return tuple(
        module(path, ast.parse(path.read_text()))
        for path in sorted(PACKAGES[package].rglob("*.py"))
    )


def module(path: Path, tree: ast.Module) -> Module:
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bound = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    return Module(path, tuple(classes), tuple(bound))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_class_name_stands_twice_in_a_package(package: str) -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for each in modules(package):
        for name in each.classes:
            found[name].append(each.path.stem)
    twice = {name: where for name, where in found.items() if len(where) > 1}
    assert {name: twice[name] for name in twice if name not in TWICE} == {}


def test_every_exception_is_one_still() -> None:
    counts = [
        name
        for package in PACKAGES
        for each in modules(package)
        for name in each.classes
    ]
    assert [name for name in TWICE if counts.count(name) < 2] == []


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_of_the_hardware_has_one_owner(name: str) -> None:
    owners = [
        each.path.stem
        for package in PACKAGES
        for each in modules(package)
        for node in each.bound
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == name
    ]
    assert len(owners) == 1, owners


def constants(one: Module) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of the module's constants that are made of numbers alone."""
    for node in one.bound:
        if node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        text = f"{ast.unparse(target)} = {ast.unparse(node.value)}"
        bound: dict[str, Any] = {}
        try:
            exec(text, dict(KNOWN), bound)
        except Exception:  # noqa: BLE001 - it needs more than numbers
            continue
        yield from bound.items()


def is_of_numbers(value: Any) -> bool:
    """Tell numbers, and sets and rows of them or of words, from everything else."""
    if isinstance(value, tuple | frozenset):
        return bool(value) and all(is_of_numbers(each) for each in value)
    return isinstance(value, int | str)


def test_a_name_and_its_value_have_one_owner_in_the_engine() -> None:
    owners: dict[tuple[str, Any], set[str]] = defaultdict(set)
    for each in modules("lapis_engine"):
        for name, value in constants(each):
            if name.isupper() and is_of_numbers(value) and not isinstance(value, str):
                below = each.path.relative_to(PACKAGES["lapis_engine"])
                owners[name, value].add(below.as_posix())
    assert ("PAGE", 4096) in owners
    several = {name: at for (name, _), at in owners.items() if len(at) > 1}
    assert several == SEVERAL
