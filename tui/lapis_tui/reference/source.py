"""What is written beside the code: fields with what stands behind them, and modules."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class WrittenField:
    """A field of a record, as it is written."""

    name: str
    type: str
    default: str | None
    """As it is written; None without one."""
    text: str
    """The string behind it; empty without one."""


def path_of(module: str) -> Path:
    """Return where a module is written, also if what is loaded was compiled."""
    top, *inner = module.split(".")
    base = Path(next(iter(sys.modules[top].__path__))).joinpath(*inner)
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    """Return a file of Python, parsed once."""
    return ast.parse(path.read_text("utf-8"))


def docstring(module: str) -> str:
    """Return what a module says of itself."""
    return ast.get_docstring(tree(path_of(module))) or ""


def class_text(kind: type) -> str:
    """Return what a class says of itself, without its fields."""
    return ast.get_docstring(_node(kind)) or ""


def written(kind: type) -> list[WrittenField]:
    """Return the fields that a class itself declares, in their order."""
    body = _node(kind).body
    return list(_fields(body))


def _node(kind: type) -> ast.ClassDef:
    for node in tree(path_of(kind.__module__)).body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            return node
    raise LookupError(f"{kind.__module__} has no class {kind.__name__} of its own")


def _fields(body: list[ast.stmt]) -> Iterator[WrittenField]:
    for number, node in enumerate(body):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        kind = ast.unparse(node.annotation)
        if kind.startswith("ClassVar"):
            continue
        behind = body[number + 1] if number + 1 < len(body) else None
        default = ast.unparse(node.value) if node.value is not None else None
        yield WrittenField(node.target.id, kind, default, _string(behind))


def _string(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        value = node.value.value
        return " ".join(value.split()) if isinstance(value, str) else ""
    return ""
