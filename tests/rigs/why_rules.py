"""The names of the rules of `why`, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path


def rules_of(package: Path, apart: frozenset[str] = frozenset()) -> set[str]:
    """Every name that a reason may have, but in the modules `apart`."""
    found: set[str] = set()
    for path in sorted(package.glob("*.py")):
        if path.stem in apart:
            continue
        found.update(*map(_rules, ast.walk(ast.parse(path.read_text()))))
    return found


def _rules(node: ast.AST) -> Iterator[str]:
    """The names of rules in one node: of calls, pairs, returns and assignments."""
    match node:
        case ast.Call(
            func=ast.Name(id="blocks" | "allows" | "Reason" | "_told" | "_cluster"),
            args=[name, *_],
        ):
            yield from _strings(name)
        case ast.Call(
            func=ast.Attribute(attr="append"), args=[ast.Tuple(elts=[name, *_])]
        ):
            yield from _strings(name)
        case ast.Yield(value=ast.Tuple(elts=[name, *_])):
            yield from _strings(name)
        case ast.Assign(targets=[ast.Name(id="rule")], value=value):
            yield from _strings(value)
        case ast.Assign(
            targets=[ast.Tuple(elts=[_, ast.Name(id="rule")])],
            value=ast.Tuple(elts=[_, value]),
        ):
            yield from _strings(value)
        case _:
            pass


def _strings(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)
    elif isinstance(node, ast.Constant) and node.value:
        yield str(node.value)
