"""The page of the hooks: every specification, and the records that it returns."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Final

from lapis_plugins import spec
from lapis_tui.reference.markdown import block, code, joined, prose, table
from lapis_tui.reference.source import class_text, docstring, path_of, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAD: Final = """\
# Hooks

What a plug-in may implement, from `lapis_plugins/spec.py`; [Plug-ins](../plugins.md)
says how one is written, loaded and tested. Ours come in by the same hooks.
"""


def page() -> str:
    """Return the page."""
    parts = [
        HEAD,
        *(f"{prose(each)}\n" for each in _paragraphs(docstring(spec.__name__))),
    ]
    told: set[str] = set()
    for name, function in vars(spec).items():
        if name.startswith("lapis_"):
            parts += _hook(name, inspect.signature(function), function.__doc__ or "")
            parts += _record(f"{inspect.signature(function).return_annotation}", told)
    return joined(parts)


def _paragraphs(text: str) -> list[str]:
    return text.split("\n\n")[1:]


def _hook(name: str, signature: inspect.Signature, text: str) -> Iterator[str]:
    yield f"## {name}\n"
    yield block(f"def {name}{signature}: ...".replace("'", ""), "python")
    yield f"{prose(text)}\n"


def _record(annotation: str, told: set[str]) -> Iterator[str]:
    """Yield the record that a hook returns several of, unless that was told before."""
    name = annotation.partition("[")[2].rstrip("]'")
    module = _imports().get(name)
    if module is None or not module.startswith("lapis_") or name in told:
        return
    told.add(name)
    kind = getattr(import_module(module), name)
    yield f"{code(f'{module}.{name}')}: {prose(class_text(kind))}\n"
    rows = [
        (code(each.name), code(each.type), code(each.default or ""), prose(each.text))
        for each in written(kind)
    ]
    if name != "Profile":  # whose fields are the switches, which have a page
        yield table(("field", "type", "default", "what"), rows)


def _imports() -> Mapping[str, str]:
    """Return the module of each name that the specifications import for their types."""
    tree = ast.parse(path_of(spec.__name__).read_text("utf-8"))
    return {
        alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
